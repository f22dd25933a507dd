//! What this host says of itself: the ground on which a node finds itself in the file.

use std::net::IpAddr;

use ipnet::IpNet;
use starling_config::Identity;
use starling_fib::netlink::{Netlink, NetlinkError, Options};

/// The host's name, and its addresses with the interfaces that carry them.
#[derive(Clone, Debug)]
pub struct Host {
    /// The kernel's hostname.
    pub hostname: Option<String>,
    /// Interface name, and address with its prefix length.
    pub addresses: Vec<(String, IpNet)>,
}

/// Asks the kernel.
///
/// # Errors
/// No netlink (a seccomp profile, mostly).
pub async fn host() -> Result<Host, NetlinkError> {
    let (mut kernel, _) = Netlink::open(Options::default())?;
    let dump = kernel.interfaces().await?;
    let name = |index| dump.links.iter().find(|link| link.index == index).map(|l| l.name.clone());
    let addresses = dump
        .addresses
        .iter()
        .filter_map(|address| Some((name(address.device)?, address.address)))
        .collect();
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    Ok(Host { hostname: hostname.map(|name| name.trim().to_owned()), addresses })
}

impl Host {
    /// For finding the node in the file; `node` is what `--node` said.
    pub fn identity(&self, node: Option<String>) -> Identity {
        Identity {
            node,
            env: std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty()),
            hostname: self.hostname.clone(),
            addresses: self.addresses.iter().map(|(_, net)| net.addr()).collect::<Vec<IpAddr>>(),
        }
    }
}
