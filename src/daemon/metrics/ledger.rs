//! What neighbours count, and what those have counted that are gone.
//!
//! Sums of counters over neighbours must not fall when a neighbour is removed, or hangs up after it
//! had called from a range: to Prometheus a counter that falls has begun anew, and all of it would
//! count as just happened. So whatever a neighbour said last stays in the sums of its kind.

use std::collections::BTreeMap;

use starling_bgp::types::PeerId;

use crate::api::{Counters, DownCause, PeerKind, Updates};

/// What only grows while a neighbour is there.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Messages from it,
    pub received: Counters,
    /// and to it.
    pub sent: Counters,
    /// Prefixes in its UPDATEs,
    pub updates_received: Updates,
    /// and in ours.
    pub updates_sent: Updates,
    /// Sessions that ended,
    pub flaps: u64,
    /// and why.
    pub lost: BTreeMap<DownCause, u64>,
    /// How often BFD went down.
    pub bfd_flaps: u64,
}

impl Counts {
    /// Adds those of another one.
    pub fn add(&mut self, other: &Counts) {
        for (sum, more) in [(&mut self.received, other.received), (&mut self.sent, other.sent)] {
            sum.opens += more.opens;
            sum.updates += more.updates;
            sum.keepalives += more.keepalives;
            sum.notifications += more.notifications;
            sum.refreshes += more.refreshes;
            sum.octets += more.octets;
        }
        for (sum, more) in [
            (&mut self.updates_received, other.updates_received),
            (&mut self.updates_sent, other.updates_sent),
        ] {
            sum.announced += more.announced;
            sum.withdrawn += more.withdrawn;
        }
        self.flaps += other.flaps;
        self.bfd_flaps += other.bfd_flaps;
        for (cause, times) in &other.lost {
            *self.lost.entry(*cause).or_default() += times;
        }
    }
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Ledger {
    last: BTreeMap<PeerId, (PeerKind, Counts)>,
    gone: BTreeMap<PeerKind, Counts>,
}

impl Ledger {
    /// These are all there are now. Sums of those that are gone, by kind.
    pub fn see(
        &mut self,
        all: impl IntoIterator<Item = (PeerId, PeerKind, Counts)>,
    ) -> &BTreeMap<PeerKind, Counts> {
        let now = all.into_iter().map(|(id, kind, counts)| (id, (kind, counts))).collect();
        let before = std::mem::replace(&mut self.last, now);
        for (id, (kind, counts)) in before {
            if !self.last.contains_key(&id) {
                self.gone.entry(kind).or_default().add(&counts);
            }
        }
        &self.gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(flaps: u64) -> Counts {
        let received = Counters { updates: 10 * flaps, ..Counters::default() };
        Counts { flaps, received, lost: [(DownCause::Reset, flaps)].into(), ..Counts::default() }
    }

    #[test]
    fn sums_do_not_fall_when_a_neighbour_goes() {
        let mut ledger = Ledger::default();
        let (one, two) = (PeerId(1), PeerId(2));
        let sum = |ledger: &Ledger| {
            let here = ledger.last.values().map(|(_, counts)| counts.flaps);
            here.chain(ledger.gone.values().map(|counts| counts.flaps)).sum::<u64>()
        };
        ledger.see([(one, PeerKind::Mesh, counts(3)), (two, PeerKind::External, counts(4))]);
        assert_eq!((sum(&ledger), ledger.gone.len()), (7, 0));
        ledger.see([(one, PeerKind::Mesh, counts(5))]);
        assert_eq!(sum(&ledger), 9);
        // The same router again is another neighbour to us.
        ledger.see([(one, PeerKind::Mesh, counts(5)), (PeerId(3), PeerKind::External, counts(1))]);
        ledger.see([(one, PeerKind::Mesh, counts(5))]);
        assert_eq!(sum(&ledger), 10);
        let gone = &ledger.gone[&PeerKind::External];
        assert_eq!((gone.received.updates, gone.lost[&DownCause::Reset]), (50, 5));
    }
}
