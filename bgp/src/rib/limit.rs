//! Prefix limits: how many prefixes a neighbour may send (RFC 4486 §4).
//!
//! The limit counts what was received, filtered or not: it guards our memory as much as our
//! table. With `drop` and `close`, what comes beyond it is kept as filtered, and used as soon as
//! there is room; with `close` the session ends anyway.

use super::Rib;
use super::intake::Intake;
use super::receive::max;
use super::review;
use crate::msg::{PrefixLimit, RibOut};
use crate::table::{Keyed, slot_of};
use crate::types::{Family, PeerId, V4, V6};

impl Rib {
    /// Says once that a neighbour sends too much, and lets in what there is room for.
    pub(super) fn mind_limits(&mut self, id: PeerId, out: &mut Vec<RibOut>) {
        for family in Family::ALL {
            let at = slot_of(family);
            let Some(peer) = self.peers.get_mut(id) else { return };
            let Some(limit) = peer.limit(at) else { continue };
            let received = peer.counts.received.get(at).copied().unwrap_or_default();
            let over = peer.counts.over.get(at).copied().unwrap_or_default();
            let Some(alarmed) = peer.alarmed.get_mut(at) else { continue };
            if received > limit.max && !*alarmed {
                *alarmed = true;
                out.push(RibOut::OverLimit { peer: id, family, limit });
            } else if calm(received, limit) {
                *alarmed = false;
            }
            if over > 0 && received - over < limit.max {
                match family {
                    Family::Ipv4 => self.admit::<V4>(id),
                    Family::Ipv6 => self.admit::<V6>(id),
                }
            }
        }
    }

    fn admit<P: Keyed>(&mut self, id: PeerId) {
        let Rib { tables, peers, sets, nexthops, sources, .. } = self;
        let Some(peer) = peers.get_mut(id) else { return };
        let mut counts = peer.counts;
        if let Some(judge) = peer.judge() {
            let max = max(peer.limit(slot_of(P::FAMILY)));
            let mut intake = Intake { counts: &mut counts, sets, nexthops, sources };
            review::admit::<P>(id, &judge, max, tables, &mut intake);
        }
        peer.counts = counts;
    }
}

/// So far below the limit that going over it again is news again.
fn calm(received: u32, limit: PrefixLimit) -> bool {
    received <= limit.max - limit.max / 10
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
