//! The shapes of what the Rib shows.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::attrs::AttrSet;
use crate::msg::{Export, PrefixLimit};
use crate::rib::nexthop::Reach;
use crate::table::SourceId;
use crate::types::{Families, Family, NextHop, PeerId, Time};

/// Where a walk goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub(super) family: Family,
    pub(super) id: u32,
}

/// A destination.
#[derive(Clone, Debug)]
pub struct RouteView {
    /// The prefix.
    pub prefix: IpNet,
    /// The paths to it, the best one first.
    pub paths: Vec<PathView>,
    /// Why the best one is kept out of the kernel by a rule, if one does that.
    pub kept_out: Option<String>,
}

/// A path to a destination.
#[derive(Clone, Debug)]
pub struct PathView {
    /// From whom; [`PeerId::LOCAL`] for our own.
    pub peer: PeerId,
    /// For our own: why it is there.
    pub wish: Option<Wish>,
    /// The identifier with which the neighbour sent it (RFC 7911); 0 where it sends none.
    pub path_id: u32,
    /// The neighbour's name; "local" for our own.
    pub name: String,
    /// NEXT_HOP, as used; `None` for our own routes.
    pub next_hop: Option<NextHop>,
    /// What it carries, as received.
    pub attrs: AttrSet,
    /// What it carries after import, where that is something else.
    pub used: Option<AttrSet>,
    /// Whether it is the one in use.
    pub best: bool,
    /// Whether it carries traffic beside the best one.
    pub multipath: bool,
    /// Its neighbour has not said it again since its session ended, or since it began to say
    /// everything again.
    pub stale: Option<StaleView>,
    /// Why it is in use, or why it is not.
    pub why: String,
    /// Why import policy rejected it, if it did.
    pub filtered: Option<String>,
    /// What the kernel says about its next hop; for our own routes and filtered ones, `None`.
    pub reach: Option<Reach>,
    /// The interface that leads there, where it is known.
    pub interface: Option<String>,
    /// When it came with these attributes, to the second.
    pub received: Time,
    /// Where a neighbour was named that is told of routes: as it is told of this one, or why it is
    /// not.
    pub sent: Option<Result<SentView, String>>,
}

/// A path on its way to a neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentView {
    /// What it carries there.
    pub attrs: AttrSet,
    /// The identifier with which it goes (RFC 7911).
    pub path_id: Option<u32>,
    /// It is still in our queue.
    pub pending: bool,
}

/// A path that is stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleView {
    /// What it waits for.
    pub waits: Waits,
    /// When that wait is over.
    pub until: Time,
    /// It has been so for longer than a restart takes, and is the least preferred (RFC 9494).
    pub long_lived: bool,
}

/// What a stale path waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// Its neighbour's session.
    Session,
    /// Its neighbour's End-of-RIB.
    EndOfRib,
    /// The end of a refresh.
    Refresh,
}

/// Which wish an own route follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// A pod block.
    Block,
    /// A network of the configuration.
    Network,
    /// The operator's.
    Operator,
    /// The address of a local pod.
    Pod,
    /// A blackhole that nobody is told of.
    Sink,
    /// The default route that one neighbour is told of, whatever routes there are.
    Default,
}

/// A neighbour's routes, per family (IPv4, IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PeerCounts {
    /// Paths from it.
    pub received: [u32; 2],
    /// Of those, what import policy let pass.
    pub accepted: [u32; 2],
    /// Of those, what is in use.
    pub best: [u32; 2],
    /// Kept though the neighbour has not said it again.
    pub stale: [u32; 2],
    /// Kept out by the limit.
    pub over: [u32; 2],
    /// How many it may send.
    pub limits: [Option<PrefixLimit>; 2],
    /// Routes it has been told.
    pub sent: [u32; 2],
    /// Traffic is being taken off it (RFC 8326).
    pub draining: bool,
}

/// An update group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView {
    /// The members' sessions are iBGP.
    pub internal: bool,
    /// What goes to them.
    pub export: Export,
    /// The families.
    pub families: Families,
    /// The NEXT_HOPs that we send (IPv4, IPv6).
    pub next_hops: [Option<IpAddr>; 2],
    /// How many peers are in it.
    pub members: usize,
}

/// Why a route of ours is there.
pub(super) fn wish(source: SourceId) -> Wish {
    match source {
        SourceId::NETWORK => Wish::Network,
        SourceId::OPERATOR => Wish::Operator,
        SourceId::POD => Wish::Pod,
        SourceId::SINK => Wish::Sink,
        _ => Wish::Block,
    }
}
