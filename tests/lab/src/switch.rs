//! The wires: bridges in a namespace of their own, so that the host's stay untouched.

use crate::{Lab, Netns, Result};

/// A namespace with bridges, each a layer-2 network (a rack).
#[derive(Debug)]
pub struct Switch {
    netns: Netns,
}

impl Switch {
    /// A switch without bridges, in the namespace `<prefix>-wires`.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn new(lab: &Lab) -> Result<Self> {
        Ok(Self { netns: lab.netns("wires")? })
    }

    /// The namespace, e.g. to capture on a bridge or take a port down.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Adds a bridge, up.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn bridge(&self, name: &str) -> Result {
        self.netns.ip_lines(&[
            // Without a forwarding delay a port forwards from the first frame on.
            format!("link add {name} type bridge forward_delay 0"),
            format!("link set {name} up"),
        ])
    }

    /// Plugs `device` of `host`, made here, into `bridge`; then does `lines` on the host
    /// (addresses, routes). The port is called `<host>.<device>`: taking it down pulls
    /// the plug.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn plug(&self, bridge: &str, host: &Netns, device: &str, lines: &[String]) -> Result {
        let port = format!("{}.{device}", host.host());
        let mut here = self.netns.veth(&port, host, device)?;
        here.push(format!("link set {port} master {bridge}"));
        self.netns.ip_lines(&here)?;
        let mut there = vec![format!("link set {device} up")];
        there.extend_from_slice(lines);
        host.ip_lines(&there)
    }

    /// Leaves the namespace in place when this value is dropped.
    pub fn keep(&mut self) {
        self.netns.keep();
    }
}
