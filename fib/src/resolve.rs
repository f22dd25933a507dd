//! The mode table: direct, through the tunnel, or through the kernel's gateway.
//!
//! In: the class of a prefix (its family and pool), its next hop, and what the underlay says.
//! Out: [`Resolution`] for people and the [`Hop`] for the kernel. [`path_of`] alone is the table,
//! needs no kernel, and is what `starlingd check` asks; the daemon asks the same function.
//!
//! | pool | next hop on the same subnet | elsewhere |
//! |---|---|---|
//! | always | tunnel | tunnel |
//! | cross-subnet | direct | tunnel |
//! | never, none, or IPv6 | direct | the gateway of the kernel's own table |
//!
//! Policy may overrule the pool ([`Encap`]). IPIP takes no IPv6 next hop (RFC 8950): where the pool
//! would have an IPv4 prefix encapsulated to one, it is written only if that next hop is on a
//! connected subnet.
//!
//! Every next hop is judged by itself, so equal-cost paths may mix tunnel and direct; none of
//! them leaves in clear because it has company.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::learn::World;
use crate::tunnel::Device;
use crate::types::{Encap, FibConfig, Hop, How, Mode, NextHop, Pool, Resolution};
use crate::underlay::{Reach, Subnet, SubnetSource, host, is_link_local};

/// What the mode table says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Path {
    /// `via NH dev IF`.
    Direct,
    /// `via NH dev tunl0 onlink`.
    Tunnel,
    /// Through the gateway that the kernel's own table gives.
    Gateway,
}

/// A resolved next hop: what people are shown and what the kernel is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// For people.
    pub resolution: Resolution,
    /// For the kernel.
    pub fate: Fate,
}

/// What becomes of a route that uses a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is written with this hop.
    Write(Hop),
    /// The answer is on its way (the tunnel device is being made): what is there stays.
    Hold,
    /// It is not written.
    Drop,
}

/// The pool that decides for a prefix: the longest that contains it. IPv6 has none (there is no
/// IPIP for it).
pub fn pool_of(pools: &[Pool], prefix: IpNet) -> Option<&Pool> {
    if let IpNet::V6(_) = prefix {
        return None;
    }
    pools
        .iter()
        .filter(|pool| pool.cidr.contains(&prefix))
        .max_by_key(|pool| pool.cidr.prefix_len())
}

/// All that the mode table asks of a route, so that one answer serves all prefixes of a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Class {
    /// IPv4, the only family that IPIP is for.
    pub is_v4: bool,
    /// The pool that decides; always `None` for IPv6.
    pub pool: Option<Pool>,
    /// What policy says.
    pub encap: Encap,
}

impl Class {
    /// The class of a prefix of which policy says nothing.
    pub fn of(prefix: IpNet, pools: &[Pool]) -> Class {
        let is_v4 = matches!(prefix, IpNet::V4(_));
        Class { is_v4, pool: pool_of(pools, prefix).copied(), encap: Encap::ByPool }
    }

    /// The same with the word of policy. There is none on IPv6.
    pub fn with(self, encap: Encap) -> Class {
        Class { encap: if self.is_v4 { encap } else { Encap::ByPool }, ..self }
    }
}

/// The mode table, with the reason in words. `subnet`: this node's, of the next hop's family;
/// `None` where its address is on no interface and none is configured.
pub fn path_of(class: Class, next_hop: IpAddr, subnet: Option<&Subnet>) -> (Path, String) {
    let same = is_link_local(next_hop) || subnet.is_some_and(|s| s.net.contains(&host(next_hop)));
    let in_clear = if same { Path::Direct } else { Path::Gateway };
    let path = match (class.encap, class.pool.map(|pool| pool.mode)) {
        (Encap::Always, _) => Path::Tunnel,
        (Encap::Never, _) | (_, Some(Mode::Never) | None) => in_clear,
        (_, Some(Mode::CrossSubnet)) if same => Path::Direct,
        (_, Some(Mode::Always | Mode::CrossSubnet)) if next_hop.is_ipv6() => {
            return (
                Path::Direct,
                format!("{}, {}", place(next_hop, subnet, same), rule(class, true)),
            );
        }
        (_, Some(Mode::Always | Mode::CrossSubnet)) => Path::Tunnel,
    };
    (path, format!("{}, {}", place(next_hop, subnet, same), rule(class, false)))
}

/// What decides, in words. `lacking`: IPIP would be asked for and cannot be had.
fn rule(class: Class, lacking: bool) -> String {
    match class {
        Class { is_v4: false, .. } => "IPv6 is never encapsulated".to_owned(),
        Class { encap: Encap::Never, .. } => "policy says never to encapsulate".to_owned(),
        Class { encap: Encap::Always, .. } => "policy says always to encapsulate".to_owned(),
        Class { pool: Some(Pool { cidr, mode }), .. } if lacking => {
            format!("pool {cidr} is {mode} but IPIP takes no IPv6 next hop: only direct")
        }
        Class { pool: Some(pool), .. } => format!("pool {} is {}", pool.cidr, pool.mode),
        Class { pool: None, .. } => "the prefix is outside every pool".to_owned(),
    }
}

fn place(next_hop: IpAddr, subnet: Option<&Subnet>, same: bool) -> String {
    if is_link_local(next_hop) {
        return format!("{next_hop} is link-local");
    }
    let Some(subnet) = subnet else {
        return format!(
            "{next_hop} is on no known subnet (this node's address is on no interface)"
        );
    };
    let word = if same { "in" } else { "outside" };
    let net = subnet.net;
    let is_host = net.prefix_len() == net.max_prefix_len();
    match &subnet.source {
        SubnetSource::Configured => format!("{next_hop} is {word} {net} (configured)"),
        SubnetSource::Interface(name) if is_host => format!(
            "{next_hop} is outside {net} of {name}, a host address that no next hop shares a \
             subnet with"
        ),
        SubnetSource::Interface(name) => format!("{next_hop} is {word} {net} of {name}"),
        SubnetSource::Remembered(name) => format!(
            "{next_hop} is {word} {net}, which {name} had while this node's address was on it"
        ),
    }
}

/// What a next hop comes to for a prefix, for people: with `device`, the state of the tunnel.
pub fn resolve(
    prefix: IpNet,
    encap: Encap,
    next_hop: NextHop,
    world: &World,
    config: &FibConfig,
    device: &Device,
) -> Resolution {
    let class = Class::of(prefix, &config.pools).with(encap);
    if let Some(why) = loops(prefix, class, next_hop.address, world, config) {
        return Resolution { how: How::Unreachable, why };
    }
    let reach = world.reach(next_hop, config);
    resolve_reached(class, next_hop, &reach, world, config, device).resolution
}

/// The same for a whole class and a next hop whose `reach` is known. What depends on the prefix
/// itself is in [`loops`].
pub fn resolve_reached(
    class: Class,
    next_hop: NextHop,
    reach: &Reach,
    world: &World,
    config: &FibConfig,
    device: &Device,
) -> Resolved {
    let next_hop = next_hop.address;
    let subnet = world.subnet(next_hop, config);
    let (path, why) = path_of(class, next_hop, subnet.as_ref());
    if !class.is_v4 && next_hop.is_ipv4() {
        return unreachable(format!("{why}: the kernel takes no IPv4 gateway for IPv6"));
    }
    if let Reach::Unreachable(reason) = reach {
        return unreachable(format!("{why}: {reason}"));
    }
    if path == Path::Tunnel {
        return tunnelled(next_hop, why, device);
    }
    let hop = |gateway, device, onlink| {
        Fate::Write(Hop { gateway: Some(gateway), device, onlink, weight: 1 })
    };
    match *reach {
        Reach::Same { device, onlink } => Resolved {
            resolution: Resolution {
                how: How::Direct { device, name: world.name_of(device) },
                why,
            },
            fate: hop(next_hop, device, onlink),
        },
        Reach::Connected { device } => {
            let name = world.name_of(device);
            Resolved {
                resolution: Resolution {
                    why: format!("{why}: the kernel has it connected on {name}"),
                    how: How::Direct { device, name },
                },
                fate: hop(next_hop, device, false),
            }
        }
        Reach::Lingering { device } => {
            let name = world.name_of(device);
            Resolved {
                resolution: Resolution {
                    why: format!(
                        "{why}: connected on {name} a moment ago; that it is behind a gateway now \
                         is not believed yet"
                    ),
                    how: How::Direct { device, name },
                },
                fate: hop(next_hop, device, true),
            }
        }
        Reach::Via { gateway, device, .. } if path == Path::Direct => {
            let name = world.name_of(device);
            unreachable(format!("{why}, and the kernel sends it to {gateway} on {name}"))
        }
        Reach::Via { gateway, .. } if world.unplaced(next_hop, config).is_some() => {
            // It may as well be a neighbour: nobody leans on a gateway for want of news.
            unreachable(format!(
                "{why}: waiting for that address, until then the kernel's gateway {gateway} is not \
                 trusted with it"
            ))
        }
        Reach::Via { gateway, device, onlink, .. } => {
            let name = world.name_of(device);
            let is_peer = config.peers.contains(&gateway);
            let knows = if is_peer {
                "a BGP peer"
            } else {
                "which is no BGP peer and need not know the prefix"
            };
            Resolved {
                resolution: Resolution {
                    why: format!("{why}: the kernel sends it to {gateway} on {name}, {knows}"),
                    how: How::Gateway { gateway, device, name, is_peer },
                },
                fate: hop(gateway, device, onlink),
            }
        }
        // Answered above.
        Reach::Unreachable(_) => unreachable(why),
    }
}

fn tunnelled(next_hop: IpAddr, why: String, device: &Device) -> Resolved {
    let (reason, fate) = match device {
        _ if next_hop.is_ipv6() => {
            (format!("{why}: IPIP needs an IPv4 next hop, {next_hop} is none"), Fate::Drop)
        }
        Device::Ready { index, name } => {
            return Resolved {
                resolution: Resolution {
                    how: How::Tunnel { device: *index, name: name.clone() },
                    why,
                },
                fate: Fate::Write(Hop {
                    gateway: Some(next_hop),
                    device: *index,
                    onlink: true,
                    weight: 1,
                }),
            };
        }
        Device::Pending(reason) => (format!("{why}: {reason}"), Fate::Hold),
        Device::Failed(reason) => (format!("{why}: {reason}"), Fate::Drop),
    };
    Resolved { resolution: Resolution { how: How::Unreachable, why: reason }, fate }
}

/// A tunnelled prefix that its own outer packets would match: each would be encapsulated again,
/// for ever. In words, where it is so.
pub fn loops(
    prefix: IpNet,
    class: Class,
    next_hop: IpAddr,
    world: &World,
    config: &FibConfig,
) -> Option<String> {
    if !prefix.contains(&host(next_hop)) {
        return None;
    }
    let subnet = world.subnet(next_hop, config);
    let (path, _) = path_of(class, next_hop, subnet.as_ref());
    let swallowed = world.match_length(next_hop).is_none_or(|length| length <= prefix.prefix_len());
    (path == Path::Tunnel && swallowed).then(|| {
        format!("{next_hop} lies in {prefix} itself: the tunnel's own packets would enter it again")
    })
}

fn unreachable(why: String) -> Resolved {
    Resolved { resolution: Resolution { how: How::Unreachable, why }, fate: Fate::Drop }
}

#[cfg(test)]
mod tests;
