//! A stretch of the log as UPDATE messages: grouped by attributes, encoded once, kept for the
//! other readers that come to the same place.
//!
//! Within a chunk the order is free, because every destination occurs once. A kept chunk may be
//! older than the entries it was made from: what changed since lies behind it in the log, so who
//! reads it reads the change later. That is not so for a reader that is exempt from withdrawals
//! younger than the chunk; `made` tells.
//!
//! A reader from which one of the routes came gets a chunk of its own (split horizon).

use std::collections::{BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};

use super::adj_out::State;
use super::channel::Channel;
use super::key::GroupKey;
use crate::attrs::{AttrId, AttrSet};
use crate::msg::Said;
use crate::table::{Keyed, Sets, Table};
use crate::types::{PeerId, Prefix};
use crate::wire::encode::{self, Nlri};
use crate::wire::nlri;

/// A chunk ends when it is estimated to have reached this many octets (few in tests, so that
/// they see many chunks),
const OCTETS: usize = if cfg!(test) { 160 } else { 128 << 10 };
/// or this many routes, or after this many places were looked at.
const ROUTES: usize = 16 << 10;
const PLACES: usize = 1 << 20;
/// Message header, attribute lengths, NEXT_HOP or MP_REACH_NLRI around each attribute set.
const OVERHEAD: usize = 64;
/// Chunks kept per group and family.
const KEPT: usize = 16;

/// Readers at one place that are told the same.
#[derive(Clone, Debug)]
struct Chunk {
    start: u64,
    end: u64,
    /// The end of the log when it was made.
    made: u64,
    messages: Messages,
    /// Who must not get it, reader or not yet: some of the routes are theirs.
    sources: BTreeSet<PeerId>,
}

/// Whole messages, and how much is in them.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    pub(super) frames: Bytes,
    pub(super) said: Said,
}

impl Messages {
    /// `said` has been counted but for the octets.
    pub(super) fn new(frames: BytesMut, said: Said) -> Messages {
        let octets = frames.len() as u64;
        Messages { frames: frames.freeze(), said: Said { octets, ..said } }
    }
}

/// The chunks made last.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkCache {
    chunks: VecDeque<Chunk>,
}

impl ChunkCache {
    pub(crate) fn clear(&mut self) {
        self.chunks = VecDeque::new();
    }

    /// How many there are, and their octets.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.chunks.len(), self.chunks.iter().map(|chunk| chunk.messages.frames.len()).sum())
    }

    fn at(&self, start: u64, fresh: u64) -> Option<&Chunk> {
        self.chunks.iter().find(|c| c.start == start && c.made >= fresh)
    }

    fn keep(&mut self, chunk: Chunk) {
        self.chunks.retain(|c| c.start != chunk.start);
        if self.chunks.len() == KEPT {
            self.chunks.pop_front();
        }
        self.chunks.push_back(chunk);
    }
}

/// Attributes, path identifier where there are any, prefix.
type Announced<P> = (AttrId, Option<u32>, P);

/// What is read from a stretch of the log.
struct Stretch<P> {
    end: u64,
    /// About what its messages will take.
    octets: usize,
    announced: Vec<Announced<P>>,
    withdrawn: Pending<P>,
    /// Whose routes they are; those of the reader itself are not in `announced`.
    sources: BTreeSet<PeerId>,
}

/// Prefixes of one message, and their path identifiers where there are any.
struct Pending<P> {
    prefixes: Vec<P>,
    ids: Vec<u32>,
}

impl<P> Default for Pending<P> {
    fn default() -> Self {
        Pending { prefixes: Vec::new(), ids: Vec::new() }
    }
}

impl<P: Prefix> Pending<P> {
    #[inline]
    fn push(&mut self, id: Option<u32>, prefix: P) {
        self.prefixes.push(prefix);
        self.ids.extend(id);
    }

    fn clear(&mut self) {
        self.prefixes.clear();
        self.ids.clear();
    }

    fn nlri(&self) -> Nlri<'_, P> {
        Nlri { prefixes: &self.prefixes, ids: &self.ids }
    }
}

/// The next chunk for `peer`, and where it ends; `None` at the end of the log. It may be
/// empty: everything in it was stale or came from the reader.
pub(crate) fn next<P: Keyed>(
    channel: &mut Channel,
    peer: PeerId,
    table: &Table<P>,
    sets: &Sets,
    key: &GroupKey,
) -> Option<(Messages, u64)> {
    let adj = &channel.adj;
    let start = adj.reader(peer)?.next;
    if start >= adj.log.end() {
        return None;
    }
    let kept = adj.cache.at(start, adj.fresh(peer));
    let limit = match kept {
        Some(chunk) if !chunk.sources.contains(&peer) => {
            return Some((chunk.messages.clone(), chunk.end));
        }
        Some(chunk) => chunk.end,
        None => adj.log.end(),
    };
    let mut stretch = read(channel, table, sets, start, limit, peer);
    let end = stretch.end;
    let messages = encode(&mut stretch, sets, key);
    let adj = &mut channel.adj;
    if adj.readers() > 1 && !stretch.sources.contains(&peer) {
        let (made, sources) = (adj.log.end(), stretch.sources);
        adj.cache.keep(Chunk { start, end, made, messages: messages.clone(), sources });
    }
    Some((messages, end))
}

/// Reads from `start` until a chunk is full, or `limit`. What came from `peer` itself is left
/// out, or withdrawn where it may have been told a route from elsewhere before.
fn read<P: Keyed>(
    channel: &Channel,
    table: &Table<P>,
    sets: &Sets,
    start: u64,
    limit: u64,
    peer: PeerId,
) -> Stretch<P> {
    let mut stretch = Stretch {
        end: limit,
        octets: 0,
        announced: Vec::new(),
        withdrawn: Pending::default(),
        sources: BTreeSet::new(),
    };
    // Sets whose cost is counted already; a few forgotten ones only make the chunk smaller.
    let mut counted = [u32::MAX; 256];
    let mut last_source = None;
    for (place, slot) in channel.adj.log.from(start) {
        let routes = stretch.announced.len() + stretch.withdrawn.prefixes.len();
        let full = stretch.octets >= OCTETS || routes >= ROUTES || place - start >= PLACES as u64;
        if place >= limit || full {
            stretch.end = place;
            break;
        }
        let Some(entry) = channel.adj.live(place, slot) else { continue };
        let Some((prefix, id)) = channel.nlri(slot, table) else { continue };
        stretch.octets += nlri::wire_len(prefix) + id.map_or(0, |_| 4);
        if entry.state == State::Withdrawn {
            stretch.withdrawn.push(id, prefix);
            continue;
        }
        if last_source != Some(entry.source) {
            last_source = Some(entry.source);
            stretch.sources.insert(entry.source);
        }
        if entry.source == peer {
            if entry.moved {
                stretch.withdrawn.push(id, prefix);
            }
            continue;
        }
        if let Some(slot) = counted.get_mut(entry.attr.0 as usize % 256)
            && *slot != entry.attr.0
        {
            *slot = entry.attr.0;
            stretch.octets += OVERHEAD + sets.get(entry.attr).map_or(0, |set| set.bytes().len());
        }
        stretch.announced.push((entry.attr, id, prefix));
    }
    stretch
}

fn encode<P: Prefix>(stretch: &mut Stretch<P>, sets: &Sets, key: &GroupKey) -> Messages {
    let mut out = BytesMut::with_capacity(stretch.octets);
    let mut said = Said::default();
    if !stretch.withdrawn.prefixes.is_empty() {
        said.updates += encode::withdraw(&key.dialect, stretch.withdrawn.nlri(), &mut out) as u64;
        said.prefixes.withdrawn += stretch.withdrawn.prefixes.len() as u64;
    }
    stretch.announced.sort_by_key(|(attr, _, _)| *attr);
    // Different sets may go out as the same one.
    let mut runs: Vec<(AttrSet, &[Announced<P>])> = Vec::new();
    for run in stretch.announced.chunk_by(|a, b| a.0 == b.0) {
        let set = run.first().and_then(|(attr, _, _)| sets.get(*attr));
        let exported = set.and_then(|set| match key.rewrites() {
            true => Some(set.clone()),
            false => key.exported(P::FAMILY, set),
        });
        runs.extend(exported.map(|set| (set, run)));
    }
    let mut order: Vec<(u64, u32)> = runs.iter().map(|(set, _)| set.hash()).zip(0..).collect();
    order.sort_unstable();
    let run = |(_, at): &(u64, u32)| runs.get(*at as usize);
    let mut pending = Pending::default();
    let is_same = |a: &(u64, u32), b: &(u64, u32)| {
        a.0 == b.0 && run(a).zip(run(b)).is_some_and(|((a, _), (b, _))| a == b)
    };
    for same in order.chunk_by(is_same) {
        let Some((set, _)) = same.first().and_then(run) else { continue };
        pending.clear();
        for (_, id, prefix) in same.iter().filter_map(run).flat_map(|(_, run)| run.iter()) {
            pending.push(*id, *prefix);
        }
        let count = pending.prefixes.len() as u64;
        let mut updates = encode::announce(set, &key.dialect, pending.nlri(), &mut out);
        if updates == 0 {
            // It cannot be said. What the reader may have been told before is not true either.
            updates = encode::withdraw(&key.dialect, pending.nlri(), &mut out);
            said.prefixes.withdrawn += count;
        } else {
            said.prefixes.announced += count;
        }
        said.updates += updates as u64;
    }
    Messages::new(out, said)
}
