//! Hosts that carry pods, made as a node agent makes them.
//!
//! A pod is a namespace with `eth0`, whose address has no network on the link: everything
//! goes to 169.254.1.1, an address that nobody has, which the host answers for by proxy
//! ARP (which takes a default route on the host). The host holds a /32 route to the pod on its end of the veth pair.

use crate::{Lab, Netns, Result};
use std::net::Ipv4Addr;

/// A virtual pod.
#[derive(Debug)]
pub struct Pod {
    /// Its namespace.
    pub netns: Netns,
    /// Its address.
    pub address: Ipv4Addr,
    /// The host's end of its veth pair.
    pub host_device: String,
}

impl Pod {
    /// Makes a pod on `host`: namespace `<host>-pod`, `address` with the prefix length
    /// `length`, an interface of `mtu` bytes whose host end is called `host_device`.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn new(
        lab: &Lab,
        host: &Netns,
        address: Ipv4Addr,
        length: u8,
        host_device: &str,
        mtu: u32,
    ) -> Result<Self> {
        let netns = lab.netns(&format!("{}-pod", host.host()))?;
        host.sysctl("net/ipv4/ip_forward", "1")?;
        let mut there = host.veth(host_device, &netns, "eth0")?;
        there.push(format!("link set {host_device} mtu {mtu}"));
        there.push(format!("route add {address} dev {host_device} scope link"));
        host.ip_lines(&there)?;
        host.sysctl(&format!("net/ipv4/conf/{host_device}/proxy_arp"), "1")?;
        // Without this the kernel ponders up to 0.8 s before it answers for somebody else.
        host.sysctl(&format!("net/ipv4/neigh/{host_device}/proxy_delay"), "0")?;

        let mut here = vec![
            format!("link set eth0 mtu {mtu} up"),
            format!("address add {address}/{length} dev eth0"),
        ];
        if length < 32 {
            // The address's own network is not on this link: others of it are elsewhere.
            let network = ipnet::Ipv4Net::new(address, length)?.trunc();
            here.push(format!("route del {network} dev eth0"));
        }
        here.push("route add 169.254.1.1 dev eth0 scope link".to_owned());
        here.push("route add default via 169.254.1.1 dev eth0".to_owned());
        netns.ip_lines(&here)?;
        Ok(Self { netns, address, host_device: host_device.to_owned() })
    }

    /// Leaves the namespace in place when this value is dropped.
    pub fn keep(&mut self) {
        self.netns.keep();
    }
}

/// Brings `tunl0` of `host` up by hand, as far as a route through it needs.
///
/// # Errors
/// When there is none (the kernel has no ipip).
pub fn prepare_tunnel(host: &Netns, mtu: u32) -> Result {
    host.ip_line(&format!("link set tunl0 mtu {mtu} up")).map(drop)
}
