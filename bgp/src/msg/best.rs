//! Best paths that change, for those who watch them (`bgpctl monitor`).

use std::sync::Arc;

use ipnet::IpNet;

use crate::attrs::AttrSet;

/// So many may watch best paths.
pub const WATCHERS: usize = u64::BITS as usize;

/// Somebody who watches best paths: of which changes it is told. Each field that says something
/// must agree.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Watcher {
    /// Those of these destinations, and of what lies in them. None: of all.
    pub within: Vec<IpNet>,
    /// Those where the path before or after is of one of these neighbours, by name; "local": our
    /// own. None: of all.
    pub from: Vec<String>,
    /// So many of them, until the next `RibIn::Watch`. What goes beyond is not made, but counted.
    pub room: usize,
}

/// What those who watch are told, by their places in `RibIn::Watch`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct BestNews {
    /// What changed.
    pub changes: Vec<BestChange>,
    /// Who had no room for more of what it watches, and how many those were.
    pub missed: Vec<(usize, u64)>,
}

/// The best path to a destination changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BestChange {
    /// Who is told: the bit of each one's place.
    pub whom: u64,
    /// The destination.
    pub prefix: IpNet,
    /// What was best, if something was.
    pub old: Option<Arc<BestPath>>,
    /// What is, if something is.
    pub new: Option<Arc<BestPath>>,
}

/// A path that is or was best; shared by the prefixes of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BestPath {
    /// Whom it came from, by name; "local": we originate it.
    pub from: String,
    /// We originate it: its next hop means nothing.
    pub own: bool,
    /// As used, after import.
    pub attrs: AttrSet,
}
