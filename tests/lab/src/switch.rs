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
        // Without a forwarding delay a port forwards from the first frame on.
        self.netns.ip(&["link", "add", name, "type", "bridge", "forward_delay", "0"])?;
        self.netns.ip(&["link", "set", name, "up"])?;
        Ok(())
    }

    /// Plugs `device` of `host`, made here with `address` (with its prefix length), into
    /// `bridge`. The port is called `<host>.<device>`: taking it down pulls the plug.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn plug(&self, bridge: &str, host: &Netns, device: &str, address: &str) -> Result {
        let port = format!("{}.{device}", host.host());
        self.netns.veth(&port, host, device)?;
        self.netns.ip(&["link", "set", &port, "master", bridge])?;
        host.ip(&["address", "add", address, "dev", device])?;
        Ok(())
    }

    /// Leaves the namespace in place when this value is dropped.
    pub fn keep(&mut self) {
        self.netns.keep();
    }
}
