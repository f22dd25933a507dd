//! Routes: as the kernel holds them, and where the Rib wants them to lead.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;
use smallvec::SmallVec;

/// What makes a kernel route *this* route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouteKey {
    /// Destination.
    pub prefix: IpNet,
    /// Table.
    pub table: u32,
    /// Metric as the kernel shows it (IPv6: 1024 where 0 was asked).
    pub metric: u32,
}

/// rtm_type, as far as it concerns us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// To a gateway or a device.
    Unicast,
    /// Dropped silently: an own block.
    Blackhole,
    /// Rejected with an ICMP: what a pool holds and nobody can be reached for.
    Unreachable,
    /// Any other rtm_type, by number (never ours to write).
    Other(u8),
}

/// One next hop of a kernel route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hop {
    /// The gateway, of the route's family or (RFC 8950) not; `None`: the device itself.
    pub gateway: Option<IpAddr>,
    /// The interface's index.
    pub device: u32,
    /// RTNH_F_ONLINK: the gateway needs no connected route on the device.
    pub onlink: bool,
    /// rtnh_hops + 1: 1 to 256; 1 where there is a single hop.
    pub weight: u16,
}

/// The next hops of a kernel route. Nearly every route has one, and that takes no allocation.
pub type Hops = SmallVec<[Hop; 1]>;

/// A route as the kernel holds it or shall hold it: the full key and all it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelRoute {
    /// Destination, table, metric.
    pub key: RouteKey,
    /// rtm_protocol.
    pub protocol: u8,
    /// rtm_type.
    pub kind: Kind,
    /// rtm_scope (0 universe, 253 link, 254 host).
    pub scope: u8,
    /// rtm_tos.
    pub tos: u8,
    /// RTA_PREFSRC.
    pub source: Option<IpAddr>,
    /// Next hops, in the kernel's order; empty for all but `Kind::Unicast`. Of a route through a
    /// nexthop object: what that comes to, as far as it is known.
    pub hops: Hops,
    /// RTA_NH_ID: the nexthop object that it goes through.
    pub object: Option<u32>,
}

/// A BGP next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NextHop {
    /// Its address.
    pub address: IpAddr,
    /// The index of the interface that an IPv6 link-local address is meant on (RFC 4007 §6);
    /// `None` for all others.
    pub scope: Option<NonZeroU32>,
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> NextHop {
        NextHop { address, scope: None }
    }
}

impl fmt::Display for NextHop {
    /// RFC 4007 §11: `fe80::1%2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Some(scope) => write!(f, "{}%{scope}", self.address),
            None => self.address.fmt(f),
        }
    }
}

/// What policy says of a route's encapsulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Encap {
    /// Nothing: the pool's mode decides.
    #[default]
    ByPool,
    /// In clear, whatever the pool says.
    Never,
    /// Through the tunnel, whatever the pool says and in no pool too.
    Always,
}

/// Where a best route leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// Our own block: a blackhole.
    Own,
    /// Learned. Routes that lead alike share one.
    Via(Arc<Via>),
    /// Learned, and no next hop of any path to it can be reached: see [`Hold`].
    Unreachable,
}

/// Where learned routes lead.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Via {
    /// BGP next hops, each resolved by itself; several are equal-cost paths. The same one twice
    /// counts twice.
    pub hops: Vec<NextHop>,
    /// The kernel's metric; `None`: [`FibConfig::metric`].
    pub metric: Option<u32>,
    /// Whether to encapsulate.
    pub encap: Encap,
}

impl Target {
    /// To these next hops, with what the configuration says of the rest.
    pub fn via(hops: impl IntoIterator<Item = IpAddr>) -> Target {
        let hops = hops.into_iter().map(NextHop::from).collect();
        Target::Via(Arc::new(Via { hops, metric: None, encap: Encap::ByPool }))
    }
}
