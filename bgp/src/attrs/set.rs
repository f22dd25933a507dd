//! One route's attributes, canonical and immutable, and the sets that follow from one when its
//! route goes on to a neighbour (RFC 4271 §5.1).
//!
//! Equal attributes are equal bytes, so comparing, hashing and storing need not know what an
//! attribute means. What the decision compares is read out once ([`Rank`]); everything else
//! is looked up in the bytes when somebody asks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::canonical::{Canonical, Octets};
use super::marks::Marks;
use crate::types::{Asn, NextHop};
use crate::wire::as_path::AsPath;
use crate::wire::attr::{Attr, Attrs, TRANSITIVE, code, spec};
use crate::wire::community::{Communities, Community, ExtendedCommunities, LargeCommunities};

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

impl Origin {
    /// The origin of a wire code.
    pub fn from_wire(code: u8) -> Option<Origin> {
        match code {
            0 => Some(Origin::Igp),
            1 => Some(Origin::Egp),
            2 => Some(Origin::Incomplete),
            _ => None,
        }
    }

    fn of(attr: Attr<'_>) -> Origin {
        attr.value.first().and_then(|o| Origin::from_wire(*o)).unwrap_or(Origin::Incomplete)
    }
}

/// As routers write it: `i`, `e` or `?`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Igp => "i",
            Origin::Egp => "e",
            Origin::Incomplete => "?",
        })
    }
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

impl Default for Rank {
    /// The rank of no attributes at all.
    fn default() -> Rank {
        Rank {
            local_pref: Rank::DEFAULT_LOCAL_PREF,
            path_len: 0,
            origin: Origin::Incomplete,
            med: 0,
            neighbor_as: None,
            originator: None,
            cluster_len: 0,
        }
    }
}

impl Rank {
    /// LOCAL_PREF of a route that carries none.
    pub const DEFAULT_LOCAL_PREF: u32 = 100;

    /// What canonical bytes say.
    pub fn of(bytes: &[u8]) -> Rank {
        let mut rank = Rank::default();
        for attr in Attrs::new(bytes) {
            match attr.code {
                code::ORIGIN => rank.origin = Origin::of(attr),
                code::AS_PATH => {
                    let path = AsPath::new(attr.value);
                    rank.path_len = u32::try_from(path.len()).unwrap_or(u32::MAX);
                    rank.neighbor_as = path.first();
                }
                code::MULTI_EXIT_DISC => rank.med = attr.u32().unwrap_or(0),
                code::LOCAL_PREF => {
                    rank.local_pref = attr.u32().unwrap_or(Rank::DEFAULT_LOCAL_PREF);
                }
                code::ORIGINATOR_ID => rank.originator = attr.u32().map(Ipv4Addr::from),
                code::CLUSTER_LIST => {
                    rank.cluster_len = u16::try_from(attr.value.len() / 4).unwrap_or(u16::MAX);
                }
                _ => {}
            }
        }
        rank
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
    next_hop: NextHop,
    marks: Marks,
    rank: Rank,
    hash: u64,
    bytes: Octets,
}

impl AttrSet {
    /// A set from its parts. `bytes` must be canonical (see the type), `rank` read from them.
    pub fn from_parts(next_hop: impl Into<NextHop>, rank: Rank, bytes: Octets) -> AttrSet {
        use std::hash::{BuildHasher, Hasher};
        let next_hop = next_hop.into();
        let mut hasher = foldhash::fast::FixedState::with_seed(0x5741_524c).build_hasher();
        match next_hop.address {
            IpAddr::V4(v4) => hasher.write_u32(v4.to_bits()),
            IpAddr::V6(v6) => hasher.write_u128(v6.to_bits()),
        }
        hasher.write_u32(next_hop.scope.map_or(0, |scope| scope.get()));
        hasher.write(&bytes);
        let marks = Marks::of(&bytes);
        AttrSet { next_hop, marks, rank, hash: hasher.finish(), bytes }
    }

    /// NEXT_HOP, of either encoding (the global address where MP_REACH_NLRI carried two).
    pub fn next_hop(&self) -> NextHop {
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

    /// Octets of memory that it has beside its own place.
    pub(crate) fn outside(&self) -> usize {
        if self.bytes.spilled() { self.bytes.capacity() } else { 0 }
    }

    /// Every attribute in type order.
    pub fn iter(&self) -> Attrs<'_> {
        Attrs::new(&self.bytes)
    }

    fn find(&self, code: u8) -> Option<Attr<'_>> {
        self.iter().find(|attr| attr.code == code)
    }

    fn value(&self, code: u8) -> &[u8] {
        self.find(code).map_or(&[], |attr| attr.value)
    }

    /// ORIGIN.
    pub fn origin(&self) -> Origin {
        self.rank.origin
    }

    /// AS_PATH, with four octets a number.
    pub fn as_path(&self) -> AsPath<'_> {
        AsPath::new(self.value(code::AS_PATH))
    }

    /// MULTI_EXIT_DISC, if there is one.
    pub fn med(&self) -> Option<u32> {
        self.find(code::MULTI_EXIT_DISC)?.u32()
    }

    /// LOCAL_PREF, if there is one; what counts without one is in [`AttrSet::rank`].
    pub fn local_pref(&self) -> Option<u32> {
        self.find_marked(code::LOCAL_PREF)?.u32()
    }

    /// Whether there is an attribute of that code.
    pub fn has(&self, code: u8) -> bool {
        self.marks.attribute(code).unwrap_or_else(|| self.find(code).is_some())
    }

    /// Whether there is that community.
    #[inline]
    pub fn has_community(&self, community: Community) -> bool {
        let known = self.marks.community(community);
        known.unwrap_or_else(|| self.communities().contains(community))
    }

    /// As `find`, which is spared where nothing would be found.
    fn find_marked(&self, code: u8) -> Option<Attr<'_>> {
        if self.has(code) { self.find(code) } else { None }
    }

    /// OTC: the AS that said "only to customers" (RFC 9234 §5), if one did.
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.find_marked(code::OTC)?.u32().map(Asn)
    }

    /// Whether ATOMIC_AGGREGATE is there.
    pub fn atomic_aggregate(&self) -> bool {
        self.find(code::ATOMIC_AGGREGATE).is_some()
    }

    /// AGGREGATOR: the AS and the speaker that aggregated the route.
    pub fn aggregator(&self) -> Option<(Asn, Ipv4Addr)> {
        let (asn, speaker) = self.value(code::AGGREGATOR).split_first_chunk()?;
        let speaker: [u8; 4] = speaker.try_into().ok()?;
        Some((Asn(u32::from_be_bytes(*asn)), Ipv4Addr::from(speaker)))
    }

    /// CLUSTER_LIST (RFC 4456), nearest reflector first.
    pub fn cluster_list(&self) -> impl ExactSizeIterator<Item = Ipv4Addr> + '_ {
        let (clusters, _) = self.value(code::CLUSTER_LIST).as_chunks::<4>();
        clusters.iter().map(|id| Ipv4Addr::from(*id))
    }

    /// COMMUNITIES.
    pub fn communities(&self) -> Communities<'_> {
        Communities::new(self.value(code::COMMUNITIES))
    }

    /// LARGE_COMMUNITIES.
    pub fn large_communities(&self) -> LargeCommunities<'_> {
        LargeCommunities::new(self.value(code::LARGE_COMMUNITIES))
    }

    /// EXTENDED_COMMUNITIES.
    pub fn extended_communities(&self) -> ExtendedCommunities<'_> {
        ExtendedCommunities::new(self.value(code::EXTENDED_COMMUNITIES))
    }
}

// ---- Sets that policy makes -------------------------------------------------------------------

impl AttrSet {
    /// This set with another next hop and with these values instead of the ones that were there,
    /// by attribute code, ascending. An empty value takes the attribute out.
    pub(crate) fn edited(&self, next_hop: NextHop, edits: &[(u8, Vec<u8>)]) -> AttrSet {
        let surplus: usize = edits.iter().map(|(_, value)| Canonical::attr_len(value.len())).sum();
        let mut out = Canonical::with_capacity(self.bytes.len() + surplus);
        let put = |out: &mut Canonical, (code, value): &(u8, Vec<u8>), flags: Option<u8>| {
            let flags = flags.or_else(|| Some(spec(*code)?.flags)).unwrap_or(TRANSITIVE);
            if !value.is_empty() {
                out.attr(flags, *code, value);
            }
        };
        let mut due = edits.iter().peekable();
        for attr in self.iter() {
            while let Some(edit) = due.next_if(|(code, _)| *code < attr.code) {
                put(&mut out, edit, None);
            }
            match due.next_if(|(code, _)| *code == attr.code) {
                Some(edit) => put(&mut out, edit, Some(attr.flags)),
                None => out.attr(attr.flags, attr.code, attr.value),
            }
        }
        due.for_each(|edit| put(&mut out, edit, None));
        AttrSet::from_canonical(next_hop, out.finish())
    }
}

// ---- Sets that go out -------------------------------------------------------------------------

impl AttrSet {
    /// The set of a route that this node originates: ORIGIN IGP, an empty AS_PATH.
    pub fn originated(next_hop: impl Into<NextHop>) -> AttrSet {
        AttrSet::originated_at(next_hop, None)
    }

    /// The same with a LOCAL_PREF, if one is given.
    pub fn originated_at(next_hop: impl Into<NextHop>, local_pref: Option<u32>) -> AttrSet {
        let mut out = Canonical::with_capacity(14);
        out.attr(TRANSITIVE, code::ORIGIN, &[Origin::Igp as u8]);
        out.attr(TRANSITIVE, code::AS_PATH, &[]);
        if let Some(value) = local_pref {
            out.local_pref(value);
        }
        AttrSet::from_canonical(next_hop, out.finish())
    }

    /// The set as an internal neighbour gets it: with LOCAL_PREF (RFC 4271 §5.1.5), all else as
    /// it is.
    pub fn exported_internal(&self, next_hop: impl Into<NextHop>) -> AttrSet {
        if self.has(code::LOCAL_PREF) {
            return AttrSet::from_parts(next_hop, self.rank, self.bytes.clone());
        }
        let mut out = Canonical::with_capacity(self.bytes.len() + 7);
        for attr in self.iter() {
            if attr.code > code::LOCAL_PREF {
                out.local_pref(self.rank.local_pref);
            }
            out.attr(attr.flags, attr.code, attr.value);
        }
        out.local_pref(self.rank.local_pref);
        AttrSet::from_parts(next_hop, self.rank, out.finish())
    }

    /// The set as an external neighbour gets it: `own` in front of AS_PATH, and without what must
    /// not leave the AS: LOCAL_PREF (RFC 4271 §5.1.5), MULTI_EXIT_DISC (§5.1.4), ORIGINATOR_ID and
    /// CLUSTER_LIST (RFC 4456 §8), any other attribute that is not transitive, and extended
    /// communities that say so of themselves (RFC 4360 §2).
    pub fn exported_external(&self, own: Asn, next_hop: impl Into<NextHop>) -> AttrSet {
        let mut out = Canonical::with_capacity(self.bytes.len() + 6);
        // What is left of it: this is done for every set that goes out.
        let mut rank = Rank { origin: self.rank.origin, ..Rank::default() };
        for attr in self.iter() {
            match attr.code {
                code::AS_PATH => {
                    out.prepended(own, attr.value);
                    rank.path_len = self.rank.path_len.saturating_add(1);
                    rank.neighbor_as = Some(own);
                }
                code::LOCAL_PREF => {}
                code::EXTENDED_COMMUNITIES => out.crossing(attr),
                _ if attr.flags & TRANSITIVE == 0 => {}
                _ => out.attr(attr.flags, attr.code, attr.value),
            }
        }
        AttrSet::from_parts(next_hop, rank, out.finish())
    }

    /// This set with an empty AS_PATH.
    pub(crate) fn without_path(&self) -> AttrSet {
        let mut out = Canonical::with_capacity(self.bytes.len());
        for attr in self.iter() {
            let value = if attr.code == code::AS_PATH { &[] } else { attr.value };
            out.attr(attr.flags, attr.code, value);
        }
        AttrSet::from_canonical(self.next_hop, out.finish())
    }

    /// This set as a reflector passes it on (RFC 4456 §8): `originator` as ORIGINATOR_ID, if there
    /// is none yet, and `cluster` in front of CLUSTER_LIST.
    pub fn reflected(&self, originator: Ipv4Addr, cluster: Ipv4Addr) -> AttrSet {
        let originator = self.rank.originator.unwrap_or(originator);
        let clusters = [&cluster.octets(), self.value(code::CLUSTER_LIST)].concat();
        let originator = originator.octets().to_vec();
        let edits = [(code::ORIGINATOR_ID, originator), (code::CLUSTER_LIST, clusters)];
        self.edited(self.next_hop, &edits)
    }

    /// This set for a neighbour whom traffic is to leave (RFC 8326 §4.1): with GRACEFUL_SHUTDOWN,
    /// and inside the AS with LOCAL_PREF 0, for who does not know that.
    pub fn drained(&self, internal: bool) -> AttrSet {
        let mut edits = Vec::new();
        if internal {
            edits.push((code::LOCAL_PREF, vec![0; 4]));
        }
        if !self.has_community(Community::GRACEFUL_SHUTDOWN) {
            let mark = Community::GRACEFUL_SHUTDOWN.0.to_be_bytes();
            edits.push((code::COMMUNITIES, [self.value(code::COMMUNITIES), &mark].concat()));
        }
        self.edited(self.next_hop, &edits)
    }

    /// A set from canonical bytes; their rank is read from them.
    pub fn from_canonical(next_hop: impl Into<NextHop>, bytes: Octets) -> AttrSet {
        AttrSet::from_parts(next_hop, Rank::of(&bytes), bytes)
    }
}

#[cfg(test)]
mod tests;
