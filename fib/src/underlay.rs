//! What the network under the pods says of an address: same subnet, a gateway, or nothing.
//!
//! In: [`World`] and the node's own addresses. Out: [`Reach`] of a next hop and [`Subnet`], the
//! answer to "what is on my subnet". Only the routes of others are asked, never our own: a BGP
//! next hop must not be found through a route that was learned by BGP. They are those of main; or,
//! if the interface with the node's address is in the VRF that our own routes are in, of that VRF.
//!
//! Who re-addresses an interface takes the node's address away for a moment, and the subnet with
//! it. A neighbour does not move behind the default gateway by that: the subnet is remembered until
//! the address is back, wherever that is, and so is the interface on which it is sought.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use crate::learn::World;
use crate::types::{Address, FibConfig, Hop, KernelRoute, Kind, Link, NextHop};

/// The subnet that "same subnet" asks about, and who says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// The network (host bits are zero).
    pub net: IpNet,
    /// Where it comes from.
    pub source: SubnetSource,
}

/// Who says what the subnet is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubnetSource {
    /// The configuration (`address = "10.1.5.10/24"`).
    Configured,
    /// The interface of this name carries the node's address with this length.
    Interface(String),
    /// The interface of this name carried it so; now none does.
    Remembered(String),
}

/// How an address is reached without our routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// On the subnet of the node's own address.
    Same {
        /// The interface that carries that address.
        device: u32,
        /// No connected route there covers the address: a gateway of a route needs `onlink`.
        onlink: bool,
    },
    /// On another subnet that is connected here.
    Connected {
        /// Its interface.
        device: u32,
    },
    /// A moment ago it was connected on this interface, and the kernel's table would already send
    /// it to a gateway: not believed at once. A route to it needs `onlink`.
    Lingering {
        /// That interface.
        device: u32,
    },
    /// Through a gateway.
    Via {
        /// The gateway.
        gateway: IpAddr,
        /// The interface that leads to it.
        device: u32,
        /// The kernel's route itself needs `onlink`.
        onlink: bool,
        /// The metric of the kernel's route.
        metric: u32,
    },
    /// Not at all; why, in words.
    Unreachable(String),
}

impl Reach {
    /// The interior cost for the decision process (RFC 4271 §9.1.2.2 e): none to what is
    /// connected, else the kernel route's metric but at least 1; `None`: unreachable.
    pub fn cost(&self) -> Option<u32> {
        self.way().map(|(cost, _)| cost)
    }

    /// The same, and the interface on the way.
    pub fn way(&self) -> Option<(u32, u32)> {
        match self {
            Reach::Same { device, .. }
            | Reach::Connected { device }
            | Reach::Lingering { device } => Some((0, *device)),
            Reach::Via { metric, device, .. } => Some(((*metric).max(1), *device)),
            Reach::Unreachable(_) => None,
        }
    }
}

/// An address as a prefix that only it is in.
pub fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// An IPv6 link-local address: means something only together with an interface.
pub fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

impl World {
    /// The node's own address of the family of `like`, as an interface carries it. Several may:
    /// the one that is up and has the widest subnet counts, then the lowest index.
    pub fn own(&self, like: IpAddr, config: &FibConfig) -> Option<(&Link, Address)> {
        let own = *config.addresses.iter().find(|own| same_family(**own, like))?;
        self.addresses
            .get(own)
            .filter_map(|address| Some((self.links.get(address.device)?, *address)))
            .min_by_key(|(link, address)| {
                (Reverse(link.up), address.address.prefix_len(), link.index)
            })
    }

    /// The subnet that the node's own address of the family of `like` is in. A host address
    /// (/32, /128) gives a subnet that nothing else is in, and says so: never a silent /32.
    pub fn subnet(&self, like: IpAddr, config: &FibConfig) -> Option<Subnet> {
        if let Some(net) = configured_subnet(like, config) {
            return Some(Subnet { net: net.trunc(), source: SubnetSource::Configured });
        }
        if let Some((link, address)) = self.own(like, config) {
            let source = SubnetSource::Interface(link.name.clone());
            return Some(Subnet { net: address.address.trunc(), source });
        }
        let address = self.place(like, config)?;
        let source = SubnetSource::Remembered(self.name_of(address.device));
        Some(Subnet { net: address.address.trunc(), source })
    }

    /// Notes where the node's own addresses are; one that is nowhere is still where it was.
    pub fn remember(&mut self, config: &FibConfig) {
        self.places.retain(|own, _| config.addresses.contains(own));
        for own in &config.addresses {
            if let Some((_, address)) = self.own(*own, config) {
                self.places.insert(*own, address);
            }
        }
    }

    /// Where the own address of the family of `like` is, or was last.
    fn place(&self, like: IpAddr, config: &FibConfig) -> Option<Address> {
        let own = config.addresses.iter().find(|own| same_family(**own, like))?;
        self.places.get(own).copied()
    }

    /// The node's own address of the family of `like`, if nobody can say what its subnet is: it is
    /// on no interface, was on none since the start, and none is configured.
    pub fn unplaced(&self, like: IpAddr, config: &FibConfig) -> Option<IpAddr> {
        let own = *config.addresses.iter().find(|own| same_family(**own, like))?;
        self.subnet(like, config).is_none().then_some(own)
    }

    /// Whether some interface carries this address.
    pub fn carries(&self, own: IpAddr) -> bool {
        self.addresses.get(own).next().is_some()
    }

    /// What stands in the way of a useful "same subnet" for an own address, in words.
    pub fn subnet_trouble(&self, own: IpAddr, config: &FibConfig) -> Option<String> {
        let Some((link, address)) = self.own(own, config) else {
            let lost = format!("this node's address {own} is on no interface");
            return Some(match self.place(own, config) {
                None => lost,
                Some(Address { device, address }) => {
                    let (net, name) = (address.trunc(), self.name_of(device));
                    format!("{lost} any more: next hops in {net} are still sought on {name}")
                }
            });
        };
        let net = address.address;
        (net.prefix_len() == net.max_prefix_len() && configured_subnet(own, config).is_none()).then(
            || {
                format!(
                    "{} carries this node's address as {net}, a host address, so no next hop is \
                     on its subnet; write the address with its subnet's length to override",
                    link.name
                )
            },
        )
    }

    /// How a next hop is reached.
    pub fn reach(&self, next_hop: NextHop, config: &FibConfig) -> Reach {
        if !self.read {
            return Reach::Unreachable("the kernel's table has not been read yet".to_owned());
        }
        let NextHop { address, scope } = next_hop;
        let scope = scope.map(NonZeroU32::get).filter(|_| is_link_local(address));
        let mut own = self.addresses.get(address);
        // Every interface may have a neighbour with the link-local address that another has.
        if let Some(own) = own.find(|own| scope.is_none_or(|scope| own.device == scope)) {
            let name = self.name_of(own.device);
            return Reach::Unreachable(format!("{address} is this node's own address, on {name}"));
        }
        if let Some(scope) = scope {
            return match self.links.get(scope) {
                Some(link) if carries(link) => Reach::Same { device: link.index, onlink: false },
                Some(link) => Reach::Unreachable(down(link)),
                None => Reach::Unreachable(format!("interface {scope} is gone")),
            };
        }
        if is_link_local(address) {
            return self.reach_link_local(address, config);
        }
        let same = self.subnet(address, config).is_some_and(|s| s.net.contains(&host(address)));
        if !same {
            return self.reach_by_table(address);
        }
        match self.own(address, config) {
            Some((link, _)) => self.on_link(link, address),
            None => self.on_place(address, config),
        }
    }

    /// The address that belongs to the subnet is not here (yet, or for now): a connected route
    /// tells the interface, else it is where the address was.
    fn on_place(&self, address: IpAddr, config: &FibConfig) -> Reach {
        let by_table = self.reach_by_table(address);
        if let Reach::Connected { device } = by_table {
            return Reach::Same { device, onlink: false };
        }
        match (self.place(address, config), by_table) {
            (Some(Address { device, .. }), _) => match self.dead(device) {
                None => Reach::Same { device, onlink: true },
                Some(why) => Reach::Unreachable(why),
            },
            (None, Reach::Unreachable(why)) => Reach::Unreachable(why),
            (None, _) => Reach::Unreachable(format!(
                "{address} is on the configured subnet, but no interface carries this node's \
                 address"
            )),
        }
    }

    /// What [`Reach::Lingering`] is about, unless the interface is dead.
    pub fn linger(&self, address: IpAddr, device: u32) -> Reach {
        match self.dead(device) {
            None => Reach::Lingering { device },
            Some(why) => Reach::Unreachable(format!("{address} was connected there: {why}")),
        }
    }

    /// Why nothing leaves through an interface, in words.
    pub(crate) fn dead(&self, device: u32) -> Option<String> {
        match self.link(device) {
            Some(link) if carries(link) => None,
            Some(link) => Some(down(link)),
            None => Some(format!("interface {device} is gone")),
        }
    }

    fn reach_link_local(&self, address: IpAddr, config: &FibConfig) -> Reach {
        // The interface of the node's IPv6 address, or of whichever address it has.
        let own = self.own(address, config).or_else(|| {
            config.addresses.first().and_then(|any_family| self.own(*any_family, config))
        });
        match own {
            Some((link, _)) if carries(link) => Reach::Same { device: link.index, onlink: false },
            Some((link, _)) => Reach::Unreachable(down(link)),
            None => Reach::Unreachable(format!(
                "{address} is link-local and no interface carries this node's address"
            )),
        }
    }

    fn on_link(&self, link: &Link, address: IpAddr) -> Reach {
        if !carries(link) {
            // Another interface may be on the same subnet.
            return match self.reach_by_table(address) {
                Reach::Connected { device } => Reach::Connected { device },
                _ => Reach::Unreachable(down(link)),
            };
        }
        let connected = self.covering(address).any(|route| {
            route.hops.iter().any(|hop| hop.device == link.index && hop.gateway.is_none())
        });
        Reach::Same { device: link.index, onlink: !connected }
    }

    fn reach_by_table(&self, address: IpAddr) -> Reach {
        match self.lookup(address) {
            Ok((_, Hop { gateway: None, device, .. })) => Reach::Connected { device: *device },
            Ok((_, Hop { gateway: Some(gateway), device, .. })) if *gateway == address => {
                Reach::Connected { device: *device }
            }
            Ok((route, Hop { gateway: Some(gateway), device, onlink, .. })) => Reach::Via {
                gateway: *gateway,
                device: *device,
                onlink: *onlink,
                metric: route.key.metric,
            },
            Err(why) => Reach::Unreachable(why),
        }
    }

    /// The longest match among the routes of others there, with its first live next hop; of
    /// several metrics the lowest that is alive.
    fn lookup(&self, address: IpAddr) -> Result<(&KernelRoute, &Hop), String> {
        let mut dead = None;
        let mut routes: Vec<&KernelRoute> = self.covering(address).collect();
        routes.sort_by_key(|route| (Reverse(route.key.prefix.prefix_len()), route.key.metric));
        for route in routes {
            if route.kind != Kind::Unicast {
                let prefix = route.key.prefix;
                return Err(format!("the kernel's route {prefix} rejects traffic to {address}"));
            }
            let live = |hop: &&Hop| self.links.get(hop.device).is_some_and(carries);
            match route.hops.iter().find(live) {
                Some(hop) => return Ok((route, hop)),
                None => dead = dead.or(Some(route)),
            }
        }
        Err(match dead {
            Some(route) => {
                format!(
                    "the kernel's route {} to {address} has no live interface",
                    route.key.prefix
                )
            }
            None => format!("the kernel has no route to {address}"),
        })
    }

    /// The length of the longest match for `address`, whoever is alive.
    pub fn match_length(&self, address: IpAddr) -> Option<u8> {
        self.covering(address).map(|route| route.key.prefix.prefix_len()).max()
    }

    fn covering(&self, address: IpAddr) -> impl Iterator<Item = &KernelRoute> {
        let table = self.underlay(address);
        self.others
            .covering(address)
            .filter(move |route| route.key.table == table && route.tos == 0)
    }
}

fn configured_subnet(like: IpAddr, config: &FibConfig) -> Option<IpNet> {
    let of_family = || config.subnets.iter().filter(|net| same_family(net.addr(), like));
    let own = config.addresses.iter().find(|own| same_family(**own, like));
    of_family()
        .find(|net| own.is_some_and(|own| net.contains(own)))
        .or_else(|| of_family().next())
        .copied()
}

fn carries(link: &Link) -> bool {
    link.up && link.running
}

fn down(link: &Link) -> String {
    if link.up { format!("{} has no carrier", link.name) } else { format!("{} is down", link.name) }
}
