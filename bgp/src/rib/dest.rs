//! A destination and the paths to it, packed: a table of a million is held in 32 MB.
//!
//! Nearly every destination has one path; it lies in the destination itself. [`Path`] is 16 B,
//! [`Dest`] 32 B for IPv4. The tests at the end pin these sizes.

use crate::attrs::AttrId;
use crate::types::PeerId;

/// One route as it was received: from whom, with what, since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub(crate) peer: PeerId,
    /// As received; the path holds one reference to it.
    pub(crate) attr: AttrId,
    /// Seconds since the origin of [`crate::types::Time`].
    pub(crate) since: u32,
    /// Import policy rejected it: it is kept, shown, and never used.
    pub(crate) filtered: bool,
}

/// The paths to a destination: at most one per peer, in no order that means anything.
#[derive(Debug, Default)]
pub(crate) enum Paths {
    #[default]
    None,
    One(Path),
    #[allow(clippy::box_collection, reason = "8 B instead of 24 B in a million destinations")]
    Many(Box<Vec<Path>>),
}

impl Paths {
    pub(crate) fn as_slice(&self) -> &[Path] {
        match self {
            Paths::None => &[],
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Paths::None => &mut [],
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }

    pub(crate) fn of(&self, peer: PeerId) -> Option<&Path> {
        self.as_slice().iter().find(|p| p.peer == peer)
    }

    pub(crate) fn of_mut(&mut self, peer: PeerId) -> Option<&mut Path> {
        self.as_mut_slice().iter_mut().find(|p| p.peer == peer)
    }

    /// Adds the path of a peer that has none here yet.
    pub(crate) fn push(&mut self, path: Path) {
        match self {
            Paths::None => *self = Paths::One(path),
            Paths::One(first) => *self = Paths::Many(Box::new(vec![*first, path])),
            Paths::Many(paths) => paths.push(path),
        }
    }

    /// Takes out the path of `peer`.
    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Path> {
        match self {
            Paths::None => None,
            Paths::One(path) if path.peer == peer => {
                let path = *path;
                *self = Paths::None;
                Some(path)
            }
            Paths::One(_) => None,
            Paths::Many(paths) => {
                let at = paths.iter().position(|p| p.peer == peer)?;
                let path = paths.swap_remove(at);
                if let [last] = paths.as_slice() {
                    *self = Paths::One(*last);
                }
                Some(path)
            }
        }
    }
}

/// The path that won: whose it is and what it carries. Fib and groups were told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Best {
    pub(crate) peer: PeerId,
    pub(crate) attr: AttrId,
}

/// Stands for "no best path" without costing a tag.
const NONE: Best = Best { peer: PeerId(u32::MAX), attr: AttrId(u32::MAX) };

/// One destination.
#[derive(Debug)]
pub(crate) struct Dest<P> {
    pub(crate) prefix: P,
    pub(crate) paths: Paths,
    best: Best,
}

impl<P: Copy> Dest<P> {
    pub(crate) fn new(prefix: P) -> Dest<P> {
        Dest { prefix, paths: Paths::None, best: NONE }
    }

    /// What the last decision said.
    pub(crate) fn best(&self) -> Option<Best> {
        (self.best != NONE).then_some(self.best)
    }

    pub(crate) fn set_best(&mut self, best: Option<Best>) {
        self.best = best.unwrap_or(NONE);
    }

    /// Whether nothing points here from the inside.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.paths, Paths::None) && self.best == NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{V4, V6};

    fn path(peer: u32) -> Path {
        Path { peer: PeerId(peer), attr: AttrId(peer), since: 0, filtered: false }
    }

    #[test]
    fn sizes() {
        assert_eq!(size_of::<Path>(), 16);
        assert_eq!(size_of::<Paths>(), 16);
        assert_eq!(size_of::<Option<Dest<V4>>>(), 32);
        assert_eq!(size_of::<Option<Dest<V6>>>(), 48);
    }

    #[test]
    fn one_two_one_none() {
        let mut paths = Paths::None;
        paths.push(path(1));
        assert!(matches!(paths, Paths::One(_)));
        paths.push(path(2));
        paths.push(path(3));
        assert_eq!(paths.as_slice().len(), 3);
        assert_eq!(paths.remove(PeerId(9)), None);
        assert_eq!(paths.remove(PeerId(1)), Some(path(1)));
        assert_eq!(paths.remove(PeerId(3)), Some(path(3)));
        assert!(matches!(paths, Paths::One(p) if p == path(2)));
        assert_eq!(paths.remove(PeerId(1)), None);
        assert_eq!(paths.remove(PeerId(2)), Some(path(2)));
        assert!(paths.as_slice().is_empty());
    }
}
