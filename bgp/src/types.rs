//! The small words that every part of the crate shares: time, AS numbers, families, prefixes.
//!
//! Nothing here decides anything. `Time` is an argument everywhere (this crate has no clock), and
//! prefixes have two shapes: `ipnet` at the edges, a packed [`Prefix`] key inside.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A moment: microseconds since an origin that the pump (or the simulator) chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Time(pub u64);

impl Time {
    /// The origin.
    pub const ZERO: Time = Time(0);

    /// `self + d`, saturating: a deadline too far away is never.
    pub fn after(self, d: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }

    /// `self - d`, the origin at the earliest.
    pub fn before(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is in the future.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// An autonomous system number, four octets (RFC 6793).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Asn(pub u32);

impl Asn {
    /// Stands in OPEN and AS_PATH for a number that needs four octets (RFC 6793 §9).
    pub const TRANS: Asn = Asn(23456);

    /// The number as a two-octet speaker sees it.
    pub fn two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A neighbour, by the number the daemon gave it. Never reused while the daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u32);

impl PeerId {
    /// The source of routes that this node originates itself.
    pub const LOCAL: PeerId = PeerId(0);
}

/// What a neighbour is to us; it decides the defaults of import and export.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerKind {
    /// Another node of the cluster: iBGP, part of the full mesh.
    Mesh,
    /// A router in our own AS (iBGP) from `[[peer]]`.
    Internal,
    /// A router in another AS (eBGP) from `[[peer]]`.
    External,
}

impl PeerKind {
    /// Whether the session is iBGP.
    pub fn is_internal(self) -> bool {
        self != PeerKind::External
    }
}

/// An address family with SAFI unicast (RFC 4760).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4,
    /// AFI 2, SAFI 1.
    Ipv6,
}

impl Family {
    /// Both, in wire order.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// The AFI on the wire; the SAFI is always 1.
    pub fn afi(self) -> u16 {
        match self {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        }
    }

    /// The family of an AFI and SAFI, if it is one of ours.
    pub fn from_wire(afi: u16, safi: u8) -> Option<Family> {
        match (afi, safi) {
            (1, 1) => Some(Family::Ipv4),
            (2, 1) => Some(Family::Ipv6),
            _ => None,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        })
    }
}

/// A set of families.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Families(u8);

impl Families {
    /// No family.
    pub const NONE: Families = Families(0);
    /// Every family this crate knows.
    pub const ALL: Families = Families(3);

    /// Whether `f` is in the set.
    pub fn contains(self, f: Family) -> bool {
        self.0 & f.bit() != 0
    }

    /// Adds `f`.
    pub fn insert(&mut self, f: Family) {
        self.0 |= f.bit();
    }

    /// Takes `f` out.
    pub fn remove(&mut self, f: Family) {
        self.0 &= !f.bit();
    }

    /// What is in both.
    pub fn intersect(self, other: Families) -> Families {
        Families(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in wire order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |f| self.contains(*f))
    }
}

impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(iter: I) -> Self {
        let mut set = Families::NONE;
        for f in iter {
            set.insert(f);
        }
        set
    }
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A next hop: an address, and the interface where the address alone does not say which way it is
/// (IPv6 link-local, RFC 4007 §6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NextHop {
    /// The address.
    pub address: IpAddr,
    /// The interface index; set only where `address` is link-local.
    pub scope: Option<NonZeroU32>,
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> NextHop {
        NextHop { address, scope: None }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Some(scope) => write!(f, "{}%{scope}", self.address),
            None => self.address.fmt(f),
        }
    }
}

/// What we are to an eBGP neighbour (RFC 9234 §3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// We sell transit to it.
    Provider = 0,
    /// We are the route server of its exchange.
    RouteServer = 1,
    /// It is our route server.
    RouteServerClient = 2,
    /// We buy transit from it.
    Customer = 3,
    /// Neither pays.
    Peer = 4,
}

impl Role {
    /// The role of a wire code (RFC 9234 §4.1).
    pub fn from_wire(code: u8) -> Option<Role> {
        Some(match code {
            0 => Role::Provider,
            1 => Role::RouteServer,
            2 => Role::RouteServerClient,
            3 => Role::Customer,
            4 => Role::Peer,
            _ => return None,
        })
    }

    /// What the neighbour must be (RFC 9234 §4.2, Table 2).
    pub fn opposite(self) -> Role {
        match self {
            Role::Provider => Role::Customer,
            Role::RouteServer => Role::RouteServerClient,
            Role::RouteServerClient => Role::RouteServer,
            Role::Customer => Role::Provider,
            Role::Peer => Role::Peer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Provider => "provider",
            Role::RouteServer => "rs-server",
            Role::RouteServerClient => "rs-client",
            Role::Customer => "customer",
            Role::Peer => "peer",
        })
    }
}

/// A packed prefix: a small `Copy` key whose host bits are zero. RIB code is written once over it.
#[expect(clippy::len_without_is_empty, reason = "a length in bits: no prefix is empty")]
pub trait Prefix:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static
{
    /// The family these prefixes belong to.
    const FAMILY: Family;
    /// The longest length: 32 or 128.
    const MAX_LEN: u8;

    /// Reads the wire form (RFC 4271 §4.3): `octets` are the ⌈len/8⌉ significant ones; missing
    /// ones count as zero, surplus ones and host bits are ignored. `None` if `len` is too long.
    fn from_wire(len: u8, octets: &[u8]) -> Option<Self>;
    /// The prefix length in bits.
    fn len(self) -> u8;
    /// The address, left-aligned in 128 bits (an IPv4 address fills the top 32).
    fn bits(self) -> u128;
    /// The key of `net`, if `net` is of this family.
    fn from_net(net: IpNet) -> Option<Self>;
    /// The form for the edges.
    fn net(self) -> IpNet;
    /// Appends the wire form: length octet, then ⌈len/8⌉ octets.
    fn put(self, out: &mut bytes::BytesMut) {
        use bytes::BufMut;
        let mut octets = [0; 17];
        if let Some((len, address)) = octets.split_first_mut() {
            *len = self.len();
            address.copy_from_slice(&self.bits().to_be_bytes());
        }
        let n = 1 + usize::from(self.len().div_ceil(8));
        out.put_slice(octets.get(..n).unwrap_or(&octets));
    }
}

/// The first `N` octets: one load where there are so many, zeroes for those that are missing.
#[inline]
fn leading<const N: usize>(octets: &[u8]) -> [u8; N] {
    octets.first_chunk().copied().unwrap_or_else(|| {
        let mut address = [0; N];
        for (to, from) in address.iter_mut().zip(octets) {
            *to = *from;
        }
        address
    })
}

/// An IPv4 prefix in a `u64`: address in the upper 32 bits, length in the lower.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V4(u64);

impl V4 {
    /// The key of `net`.
    pub fn new(net: Ipv4Net) -> V4 {
        V4(u64::from(u32::from(net.network())) << 32 | u64::from(net.prefix_len()))
    }

    /// The prefix for the edges.
    pub fn ipv4(self) -> Ipv4Net {
        let address = Ipv4Addr::from((self.0 >> 32) as u32);
        Ipv4Net::new(address, self.len()).unwrap_or_default()
    }
}

impl Prefix for V4 {
    const FAMILY: Family = Family::Ipv4;
    const MAX_LEN: u8 = 32;

    #[inline]
    fn from_wire(len: u8, octets: &[u8]) -> Option<V4> {
        if len > 32 {
            return None;
        }
        let address = leading::<4>(octets);
        let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        Some(V4(u64::from(u32::from_be_bytes(address) & mask) << 32 | u64::from(len)))
    }

    #[inline]
    fn len(self) -> u8 {
        self.0 as u8
    }

    #[inline]
    fn bits(self) -> u128 {
        u128::from(self.0 >> 32) << 96
    }

    fn from_net(net: IpNet) -> Option<V4> {
        match net {
            IpNet::V4(net) => Some(V4::new(net)),
            IpNet::V6(_) => None,
        }
    }

    fn net(self) -> IpNet {
        IpNet::V4(self.ipv4())
    }
}

/// An IPv6 prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V6 {
    high: u64,
    low: u64,
    len: u8,
}

impl V6 {
    /// The key of `net`.
    pub fn new(net: Ipv6Net) -> V6 {
        let bits = u128::from(net.network());
        V6 { high: (bits >> 64) as u64, low: bits as u64, len: net.prefix_len() }
    }

    /// The prefix for the edges.
    pub fn ipv6(self) -> Ipv6Net {
        Ipv6Net::new(Ipv6Addr::from(self.bits()), self.len).unwrap_or_default()
    }
}

impl Prefix for V6 {
    const FAMILY: Family = Family::Ipv6;
    const MAX_LEN: u8 = 128;

    #[inline]
    fn from_wire(len: u8, octets: &[u8]) -> Option<V6> {
        if len > 128 {
            return None;
        }
        let address = leading::<16>(octets);
        let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
        let bits = u128::from_be_bytes(address) & mask;
        Some(V6 { high: (bits >> 64) as u64, low: bits as u64, len })
    }

    #[inline]
    fn len(self) -> u8 {
        self.len
    }

    #[inline]
    fn bits(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    fn from_net(net: IpNet) -> Option<V6> {
        match net {
            IpNet::V4(_) => None,
            IpNet::V6(net) => Some(V6::new(net)),
        }
    }

    fn net(self) -> IpNet {
        IpNet::V6(self.ipv6())
    }
}

macro_rules! shown_as_net {
    ($($t:ty),*) => {$(
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.net().fmt(f)
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.net().fmt(f)
            }
        }
    )*};
}
shown_as_net!(V4, V6);

/// The family of an address.
pub fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}
