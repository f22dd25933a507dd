//! A destination and the paths to it, packed: a table of a million is held in 32 MB.
//!
//! Nearly every destination has one path; it lies in the destination itself. [`Path`] is 16 B,
//! [`Dest`] 32 B for IPv4. The tests at the end pin these sizes.

use super::source::SourceId;
use crate::attrs::AttrId;

/// Where a path stands: what import made of it, whether it is stale, and whether its next hop as
/// received is watched. One octet with room to spare, in which the compiler finds place for
/// [`Paths`]' own tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Accepted,
    Rejected,
    Over,
    StaleAccepted,
    StaleRejected,
    StaleOver,
    WatchedAccepted,
    WatchedRejected,
    WatchedStaleAccepted,
    WatchedStaleRejected,
}

/// What import made of a path. Only an accepted one is ever used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It may be used.
    Accepted,
    /// Policy rejected it.
    Rejected,
    /// Its neighbour has as many others as it may: nobody was asked.
    Over,
}

/// One route as it was received: from where, with what, since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    /// As received; the path holds one reference to it.
    pub(crate) received: AttrId,
    /// As used, after import; where that is another set, the path holds one reference to it too.
    pub(crate) used: AttrId,
    /// Seconds since the origin of [`crate::types::Time`].
    pub(crate) since: u32,
    /// The source's number in two pieces. Sixteen million sources do not fit into any machine we
    /// run on. (Not an array of three: that lies in memory while a path is made, and to read it
    /// from there as a whole waits for every store that is under way, misses among them.)
    source_low: u16,
    source_high: u8,
    mark: Mark,
}

impl Path {
    /// A fresh path. `watched`: rules asked where its next hop is.
    #[inline(always)]
    pub(crate) fn new(
        source: SourceId,
        received: AttrId,
        used: AttrId,
        since: u32,
        (verdict, watched): (Verdict, bool),
    ) -> Path {
        let (source_low, source_high) = (source.0 as u16, (source.0 >> 16) as u8);
        let mark = Mark::of(verdict, false, watched);
        Path { received, used, since, source_low, source_high, mark }
    }

    #[inline]
    pub(crate) fn source(&self) -> SourceId {
        SourceId(u32::from(self.source_high) << 16 | u32::from(self.source_low))
    }

    #[inline]
    pub(crate) fn verdict(&self) -> Verdict {
        match self.mark {
            Mark::Accepted
            | Mark::StaleAccepted
            | Mark::WatchedAccepted
            | Mark::WatchedStaleAccepted => Verdict::Accepted,
            Mark::Rejected
            | Mark::StaleRejected
            | Mark::WatchedRejected
            | Mark::WatchedStaleRejected => Verdict::Rejected,
            Mark::Over | Mark::StaleOver => Verdict::Over,
        }
    }

    /// Whether its neighbour has not said it again since it began to say everything again.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        matches!(
            self.mark,
            Mark::StaleAccepted
                | Mark::StaleRejected
                | Mark::StaleOver
                | Mark::WatchedStaleAccepted
                | Mark::WatchedStaleRejected
        )
    }

    /// Whether rules asked where its next hop is, so that it must be known when that changes.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        matches!(
            self.mark,
            Mark::WatchedAccepted
                | Mark::WatchedRejected
                | Mark::WatchedStaleAccepted
                | Mark::WatchedStaleRejected
        )
    }

    /// Whether the decision may look at it.
    #[inline]
    pub(crate) fn is_accepted(&self) -> bool {
        self.verdict() == Verdict::Accepted
    }

    /// The same route as import sees it now.
    #[inline]
    pub(crate) fn judged(self, used: AttrId, verdict: Verdict, watched: bool) -> Path {
        Path { used, ..self.marked(verdict, self.is_stale(), watched) }
    }

    /// The same, stale or not.
    #[inline]
    pub(crate) fn aged(self, stale: bool) -> Path {
        self.marked(self.verdict(), stale, self.is_watched())
    }

    /// Whether import made the same of both.
    #[inline]
    pub(crate) fn has_marks_of(self, other: Path) -> bool {
        self.mark == other.mark
    }

    /// The same with other marks. What was not judged is not watched.
    #[inline]
    fn marked(self, verdict: Verdict, stale: bool, watched: bool) -> Path {
        Path { mark: Mark::of(verdict, stale, watched), ..self }
    }
}

impl Mark {
    #[inline(always)]
    fn of(verdict: Verdict, stale: bool, watched: bool) -> Mark {
        match (verdict, stale, watched) {
            (Verdict::Accepted, false, false) => Mark::Accepted,
            (Verdict::Rejected, false, false) => Mark::Rejected,
            (Verdict::Over, false, _) => Mark::Over,
            (Verdict::Accepted, true, false) => Mark::StaleAccepted,
            (Verdict::Rejected, true, false) => Mark::StaleRejected,
            (Verdict::Over, true, _) => Mark::StaleOver,
            (Verdict::Accepted, false, true) => Mark::WatchedAccepted,
            (Verdict::Rejected, false, true) => Mark::WatchedRejected,
            (Verdict::Accepted, true, true) => Mark::WatchedStaleAccepted,
            (Verdict::Rejected, true, true) => Mark::WatchedStaleRejected,
        }
    }
}

/// The paths to a destination: at most one per source, in no order that means anything.
#[derive(Clone, Debug, Default)]
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

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Paths::None => &mut [],
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }

    pub(crate) fn of_mut(&mut self, source: SourceId) -> Option<&mut Path> {
        self.as_mut_slice().iter_mut().find(|p| p.source() == source)
    }

    /// Adds the path of a source that has none here yet.
    // Inline, so that a path goes from registers to its place: handed over in memory it is read
    // back from there, which costs as much as a miss.
    #[inline(always)]
    pub(crate) fn push(&mut self, path: Path) {
        match self {
            Paths::None => *self = Paths::One(path),
            Paths::One(_) | Paths::Many(_) => self.push_further(path),
        }
    }

    #[inline(never)]
    fn push_further(&mut self, path: Path) {
        match self {
            Paths::None => {}
            Paths::One(first) => *self = Paths::Many(Box::new(vec![*first, path])),
            Paths::Many(paths) => {
                if paths.len() == paths.capacity() {
                    // Twice as much would be mostly unused, in a million destinations.
                    paths.reserve_exact((paths.len() / 4).max(4));
                }
                paths.push(path);
            }
        }
    }

    /// Takes out the path of `source`.
    pub(crate) fn remove(&mut self, source: SourceId) -> Option<Path> {
        match self {
            Paths::None => None,
            Paths::One(path) if path.source() == source => {
                let path = *path;
                *self = Paths::None;
                Some(path)
            }
            Paths::One(_) => None,
            Paths::Many(paths) => {
                let at = paths.iter().position(|p| p.source() == source)?;
                let path = paths.swap_remove(at);
                if let [last] = paths.as_slice() {
                    *self = Paths::One(*last);
                }
                Some(path)
            }
        }
    }
}

/// The path that won: where it is from and what it carries, after import. Fib and groups were told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Best {
    pub(crate) source: SourceId,
    pub(crate) attr: AttrId,
}

/// Stands for "no best path" without costing a tag.
const NONE: Best = Best { source: SourceId(u32::MAX), attr: AttrId(u32::MAX) };

/// Likewise; and the Fib was told that there are paths of which none leads anywhere.
const STRANDED: Best = Best { attr: AttrId(u32::MAX - 1), ..NONE };

/// One destination.
#[derive(Clone, Debug)]
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
        (self.best != NONE && self.best != STRANDED).then_some(self.best)
    }

    pub(crate) fn set_best(&mut self, best: Option<Best>) {
        self.best = best.unwrap_or(NONE);
    }

    /// Whether there was no best path although there were some: none of their next hops can be
    /// reached.
    pub(crate) fn is_stranded(&self) -> bool {
        self.best == STRANDED
    }

    /// There is no best path, for that reason or because there is none at all.
    pub(crate) fn set_stranded(&mut self, stranded: bool) {
        self.best = if stranded { STRANDED } else { NONE };
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

    fn path(source: u32) -> Path {
        Path::new(SourceId(source), AttrId(source), AttrId(source), 0, (Verdict::Accepted, false))
    }

    #[test]
    fn a_path_says_where_it_stands() {
        let big = path(0xab_cdef);
        assert_eq!((big.source(), big.is_stale()), (SourceId(0xab_cdef), false));
        for verdict in [Verdict::Accepted, Verdict::Rejected, Verdict::Over] {
            for (stale, watched) in [(false, false), (true, false), (false, true), (true, true)] {
                let path = big.aged(stale).judged(big.used, verdict, watched);
                assert_eq!((path.verdict(), path.is_stale()), (verdict, stale));
                assert_eq!(path.is_accepted(), verdict == Verdict::Accepted);
                assert_eq!(path.is_watched(), watched && verdict != Verdict::Over);
                assert_eq!(path.aged(stale), path);
            }
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size_of::<Path>(), 16);
        assert_eq!(size_of::<Paths>(), 16);
        assert_eq!(size_of::<Option<Dest<V4>>>(), 32);
        assert_eq!(size_of::<Option<Dest<V6>>>(), 48);
    }

    #[test]
    fn many_paths_have_little_room_that_none_of_them_needs() {
        let mut paths = Paths::None;
        for source in 1..1000 {
            paths.push(path(source));
            if let Paths::Many(paths) = &paths {
                assert!(paths.capacity() <= paths.len() + (paths.len() / 4).max(4), "{source}");
            }
        }
        assert_eq!(paths.as_slice().len(), 999);
    }

    #[test]
    fn one_two_one_none() {
        let mut paths = Paths::None;
        paths.push(path(1));
        assert!(matches!(paths, Paths::One(_)));
        paths.push(path(2));
        paths.push(path(3));
        assert_eq!(paths.as_slice().len(), 3);
        assert_eq!(paths.remove(SourceId(9)), None);
        assert_eq!(paths.remove(SourceId(1)), Some(path(1)));
        assert_eq!(paths.remove(SourceId(3)), Some(path(3)));
        assert!(matches!(paths, Paths::One(p) if p == path(2)));
        assert_eq!(paths.remove(SourceId(1)), None);
        assert_eq!(paths.remove(SourceId(2)), Some(path(2)));
        assert!(paths.as_slice().is_empty());
    }
}
