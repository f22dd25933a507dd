//! What a speaker shall be, whatever the software: the description that each file here turns
//! into a configuration of its own.

use crate::{Family, Result};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A BGP speaker: everything heard is accepted and, as far as BGP lets it, passed on.
#[derive(Debug, Clone)]
pub struct Router {
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier, and its IPv4 address.
    pub address: Ipv4Addr,
    /// Its IPv6 address.
    pub address6: Ipv6Addr,
    /// Its neighbours.
    pub neighbors: Vec<Neighbor>,
    /// What it announces from the start, whether or not it has a route there.
    pub networks: Vec<Network>,
    /// Hold time in seconds; keepalives come three times as often.
    pub hold: u16,
    /// It comes back after a crash: what it forwarded before it forwards still (RFC 4724 §4.1).
    pub restarting: bool,
}

impl Router {
    /// A router without neighbours and networks; hold time 30 s.
    #[must_use]
    pub fn new(asn: u32, address: Ipv4Addr, address6: Ipv6Addr) -> Self {
        Self {
            asn,
            address,
            address6,
            neighbors: Vec::new(),
            networks: Vec::new(),
            hold: 30,
            restarting: false,
        }
    }

    /// Its address in the family of `other`.
    #[must_use]
    pub fn address_towards(&self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.address.into(),
            IpAddr::V6(_) => self.address6.into(),
        }
    }

    /// How the neighbour at `address` is called where that is not enough: "fe80::1%net0".
    #[must_use]
    pub fn place(&self, address: IpAddr) -> String {
        let found = self.neighbors.iter().find(|neighbor| neighbor.address == address);
        found.map_or_else(|| address.to_string(), Neighbor::place)
    }

    /// What it writes as the next hop of `network`.
    #[must_use]
    pub fn next_hop(&self, network: &Network) -> IpAddr {
        let own = match network.prefix {
            IpNet::V4(_) => self.address.into(),
            IpNet::V6(_) => self.address6.into(),
        };
        network.next_hop.unwrap_or(own)
    }
}

/// One neighbour of a [`Router`], and all that the session shall have.
#[derive(Debug, Clone)]
pub struct Neighbor {
    /// Where it is.
    pub address: IpAddr,
    /// The link that it is on, where its address is link-local.
    pub interface: Option<String>,
    /// Its AS; that of the router makes it iBGP.
    pub asn: u32,
    /// Families of the session.
    pub families: Vec<Family>,
    /// TCP MD5 (RFC 2385).
    pub password: Option<String>,
    /// GTSM (RFC 5082): what comes must have come this many hops at most.
    pub ttl_security: Option<u8>,
    /// eBGP over this many hops.
    pub multihop: Option<u8>,
    /// RFC 7911.
    pub add_path: AddPath,
    /// RFC 4724.
    pub graceful_restart: Option<GracefulRestart>,
    /// Our role (RFC 9234).
    pub role: Option<Role>,
    /// IPv4 routes with IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// RFC 8654.
    pub extended_messages: bool,
    /// It is a client of ours (RFC 4456).
    pub reflector_client: bool,
    /// RFC 5882; 300 ms three times.
    pub bfd: bool,
    /// Wait to be called.
    pub passive: bool,
    /// End the session when it announces more.
    pub max_prefix: Option<u32>,
    /// Write our own address as the next hop of what is passed on.
    pub next_hop_self: bool,
    /// Standard communities added to all that is sent to it: "65535:65281".
    pub communities: Vec<String>,
    /// RFC 6793; without it we are a speaker of two-octet AS numbers.
    pub four_octet_as: bool,
}

impl Neighbor {
    /// A neighbour with both families and nothing special.
    #[must_use]
    pub fn new(address: IpAddr, asn: u32) -> Self {
        Self {
            address,
            interface: None,
            asn,
            families: vec![Family::V4, Family::V6],
            password: None,
            ttl_security: None,
            multihop: None,
            add_path: AddPath::default(),
            graceful_restart: None,
            role: None,
            extended_next_hop: false,
            extended_messages: false,
            reflector_client: false,
            bfd: false,
            passive: false,
            max_prefix: None,
            next_hop_self: false,
            communities: Vec::new(),
            four_octet_as: true,
        }
    }

    /// Its address, with the link where there is one: "fe80::1%net0".
    #[must_use]
    pub fn place(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{}%{interface}", self.address),
            None => self.address.to_string(),
        }
    }
}

/// Several paths of one prefix (RFC 7911).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddPath {
    /// Understand them.
    pub receive: bool,
    /// Send them.
    pub send: bool,
}

/// Graceful restart, and what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// Restart time in seconds.
    pub restart: u16,
    /// Stale time of RFC 9494 in seconds.
    pub long_lived: Option<u32>,
    /// Also after a NOTIFICATION (RFC 8538).
    pub notification: bool,
}

/// What one side of a session is to the other (RFC 9234 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We sell transit.
    Provider,
    /// We buy it.
    Customer,
    /// Neither.
    Peer,
    /// We are a route server.
    RouteServer,
    /// We are a client of one.
    RouteServerClient,
}

/// A path attribute that is written octet by octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Flags (RFC 4271 §4.3).
    pub flags: u8,
    /// Type code.
    pub code: u8,
    /// Value.
    pub value: Vec<u8>,
}

/// A prefix to be announced, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The destination.
    pub prefix: IpNet,
    /// Another next hop than the router's own address.
    pub next_hop: Option<IpAddr>,
    /// AS numbers behind the router's own.
    pub as_path: Vec<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF, towards iBGP.
    pub local_pref: Option<u32>,
    /// The metric in AIGP (RFC 7311), towards iBGP.
    pub aigp: Option<u32>,
    /// "64512:1".
    pub communities: Vec<String>,
    /// "64512:1:2".
    pub large_communities: Vec<String>,
    /// Route targets: "64512:1".
    pub route_targets: Vec<String>,
    /// Attributes octet by octet.
    pub attributes: Vec<Attribute>,
    /// Its path identifier (RFC 7911), where the speaker lets us say it.
    pub path_id: Option<u32>,
}

impl Network {
    /// A prefix with nothing special.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(prefix: &str) -> Result<Self> {
        Ok(Self {
            prefix: prefix.parse()?,
            next_hop: None,
            as_path: Vec::new(),
            med: None,
            local_pref: None,
            aigp: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            route_targets: Vec::new(),
            attributes: Vec::new(),
            path_id: None,
        })
    }

    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.prefix {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// Whether it has anything beside a prefix.
    #[must_use]
    pub(super) fn is_plain(&self) -> bool {
        Self::new(&self.prefix.to_string()).is_ok_and(|plain| plain == *self)
    }
}

/// What was asked for is not in this software.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOffered {
    /// The software.
    pub software: super::Software,
    /// What it lacks, in words.
    pub what: &'static str,
}

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no {}", self.software, self.what)
    }
}

impl std::error::Error for NotOffered {}
