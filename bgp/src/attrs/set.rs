//! One route's attributes, canonical and immutable.

use std::net::{IpAddr, Ipv4Addr};

use crate::types::Asn;

/// ORIGIN (RFC 4271 §5.1.1); lower is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// Interior.
    Igp = 0,
    /// EGP.
    Egp = 1,
    /// Something else.
    Incomplete = 2,
}

/// What the decision process compares, read out of the bytes once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rank {
    /// LOCAL_PREF, or 100 where the route carries none.
    pub local_pref: u32,
    /// Length of AS_PATH; an AS_SET counts as one (RFC 4271 §9.1.2.2 a).
    pub path_len: u32,
    /// ORIGIN.
    pub origin: Origin,
    /// MULTI_EXIT_DISC, or 0 where the route carries none.
    pub med: u32,
    /// The neighbouring AS: the first of AS_PATH's first sequence; `None` for a local one.
    pub neighbor_as: Option<Asn>,
    /// ORIGINATOR_ID (RFC 4456), which replaces the sender's identifier in the tie-break.
    pub originator: Option<Ipv4Addr>,
    /// Length of CLUSTER_LIST (RFC 4456 §9).
    pub cluster_len: u16,
}

impl Rank {
    /// LOCAL_PREF, path length and origin in one number: higher is better. Equal numbers leave
    /// the rest of the steps to decide.
    pub fn packed(&self) -> u64 {
        let path = 0xffff - u64::from(self.path_len.min(0xffff));
        u64::from(self.local_pref) << 32 | path << 16 | u64::from(2 - self.origin as u8)
    }
}

/// One route's attributes.
///
/// `bytes` holds every attribute but NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI as it goes on
/// the wire of a four-octet session (AS_PATH with four octets a number; AS4_PATH and
/// AS4_AGGREGATOR merged in), in ascending type order, one-octet lengths where they fit, flags
/// normalised (the extended-length bit says only what the length needs; partial is kept). Two
/// routes with equal attributes have equal bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttrSet {
    next_hop: IpAddr,
    rank: Rank,
    hash: u64,
    bytes: Box<[u8]>,
}

impl AttrSet {
    /// A set from its parts. `bytes` must be canonical (see the type), `rank` read from them.
    pub fn from_parts(next_hop: IpAddr, rank: Rank, bytes: Box<[u8]>) -> AttrSet {
        use std::hash::{BuildHasher, Hash, Hasher};
        let mut hasher = foldhash::fast::FixedState::with_seed(0x5741_524c).build_hasher();
        next_hop.hash(&mut hasher);
        hasher.write(&bytes);
        AttrSet { next_hop, rank, hash: hasher.finish(), bytes }
    }

    /// NEXT_HOP, of either encoding (the global address where MP_REACH_NLRI carried two).
    pub fn next_hop(&self) -> IpAddr {
        self.next_hop
    }

    /// What the decision compares.
    pub fn rank(&self) -> &Rank {
        &self.rank
    }

    /// The hash of next hop and bytes: the same input gives the same number in every run.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
