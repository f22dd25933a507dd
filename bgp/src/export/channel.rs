//! One family of a group: its Adj-RIB-Out, and what the slots of that are.

use bytes::{Bytes, BytesMut};

use super::adj_out::{AdjOut, Due};
use super::chunk::{self, Messages};
use super::key::GroupKey;
use super::slots::{Slots, path_id};
use crate::msg::Said;
use crate::table::{Keyed, Sets, SourceId, Table};
use crate::types::PeerId;
use crate::wire::encode;
use crate::wire::refresh::Refresh;

/// What a pull gets.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) frames: Vec<Bytes>,
    pub(super) said: Said,
}

impl Answer {
    pub(super) fn push(&mut self, messages: Messages) {
        let Messages { frames, said } = messages;
        self.said += said;
        if !frames.is_empty() {
            self.frames.push(frames);
        }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(super) adj: AdjOut,
    pub(super) slots: Slots,
    /// The destination of the default route that goes out whatever routes there are.
    pub(super) default: Option<u32>,
}

impl Channel {
    pub(super) fn new(with_path_ids: bool) -> Channel {
        Channel { adj: AdjOut::default(), slots: Slots::new(with_path_ids), default: None }
    }

    /// The prefix of a slot, and the path identifier where there are any.
    #[inline]
    pub(super) fn nlri<P: Keyed>(&self, slot: u32, table: &Table<P>) -> Option<(P, Option<u32>)> {
        let (dest, source) = self.slots.key(slot)?;
        Some((table.get(dest)?.prefix, source.map(path_id)))
    }

    /// Whether there is an entry about a destination.
    pub(crate) fn holds(&self, dest: u32) -> bool {
        match &self.slots {
            Slots::Destinations => self.adj.holds(dest),
            Slots::Paths(_) => {
                let mut slots = Vec::new();
                self.slots.of(dest, &mut slots);
                !slots.is_empty()
            }
        }
    }

    /// Whether a reader that begins now will be told of a path that another group has in a slot
    /// with that key.
    pub(super) fn tells(&self, (dest, source): (u32, Option<SourceId>), reader: PeerId) -> bool {
        let slot = self.slots.find(dest, source.unwrap_or(SourceId::BLOCK));
        slot.is_some_and(|slot| self.adj.tells(slot, reader))
    }

    /// The slots in `freed` have no entry any more; destinations that have none either go to
    /// `dests`.
    fn free(&mut self, freed: Vec<u32>, dests: &mut Vec<u32>) {
        dests.extend(freed.into_iter().filter_map(|slot| self.slots.free(slot)));
    }

    pub(super) fn leave(&mut self, peer: PeerId, dests: &mut Vec<u32>) {
        let mut freed = Vec::new();
        self.adj.leave(peer, &mut freed);
        self.free(freed, dests);
    }

    /// Gives up everything; `dests` gets the destinations that nobody else may need.
    pub(super) fn dissolve(self, sets: &mut Sets, dests: &mut Vec<u32>) {
        let Channel { adj, slots, default } = self;
        let mut freed = Vec::new();
        adj.dissolve(sets, &mut freed);
        dests.extend(freed.into_iter().filter_map(|slot| Some(slots.key(slot)?.0)));
        dests.extend(default);
    }

    /// Appends about `left` octets to `answer`; says whether the reader has read all. `gated`: it
    /// is not told an End-of-RIB yet.
    #[allow(clippy::too_many_arguments, reason = "what a pull needs, lent from all over the Rib")]
    pub(super) fn pull<P: Keyed>(
        &mut self,
        peer: PeerId,
        gated: bool,
        left: &mut usize,
        table: &Table<P>,
        sets: &Sets,
        key: &GroupKey,
        answer: &mut Answer,
        dests: &mut Vec<u32>,
    ) -> bool {
        let mut push = |messages: Messages, left: &mut usize| {
            *left = left.saturating_sub(messages.frames.len());
            answer.push(messages);
        };
        if *left > 0 && self.adj.take_begin(peer).is_some() {
            push(mark(Refresh::Begin(P::FAMILY)), left);
        }
        let mut freed = Vec::new();
        let caught_up = loop {
            if *left == 0 {
                break self.adj.is_read(peer, gated);
            }
            let Some((messages, end)) = chunk::next(self, peer, table, sets, key) else {
                break true;
            };
            self.adj.advance(peer, end, &mut freed);
            push(messages, left);
        };
        let due = if caught_up { self.adj.take_end(peer, gated) } else { None };
        match due {
            Some(Due::EndOfRib) => {
                let mut frame = BytesMut::new();
                encode::end_of_rib(P::FAMILY, &mut frame);
                push(Messages::new(frame, Said { updates: 1, ..Said::default() }), left);
            }
            Some(_) => push(mark(Refresh::End(P::FAMILY)), left),
            None => {}
        }
        self.free(freed, dests);
        caught_up
    }
}

fn mark(refresh: Refresh) -> Messages {
    let mut frame = BytesMut::new();
    refresh.put(&mut frame);
    Messages::new(frame, Said { refreshes: 1, ..Said::default() })
}
