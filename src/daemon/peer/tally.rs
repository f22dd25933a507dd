//! What a neighbour's pump counts for `/metrics` beside what its actor counts: plain integers, a
//! few additions for each message that goes by.

use std::collections::BTreeMap;

use starling_bgp::msg::{Op, Prefixes, RouteBatch, Said};

use crate::api::DownCause;

/// Since the neighbour's task began.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Prefixes in its UPDATEs, again and again as it may be, …
    pub received: Prefixes,
    /// … and what we said to it of routes.
    pub sent: Said,
    /// Sessions that were up and ended, by why.
    pub lost: BTreeMap<DownCause, u64>,
}

impl Tally {
    /// Routes came.
    pub(super) fn routes(&mut self, batch: &RouteBatch) {
        let withdrawn = |op: &Op| match op {
            Op::Withdraw { start, end, .. } => u64::from(end.saturating_sub(*start)),
            _ => 0,
        };
        let withdrawn: u64 = batch.ops.iter().map(withdrawn).sum();
        let all = (batch.v4.len() + batch.v6.len()) as u64;
        self.received += Prefixes { announced: all.saturating_sub(withdrawn), withdrawn };
    }

    /// The session ended.
    pub(super) fn lost(&mut self, cause: DownCause) {
        *self.lost.entry(cause).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use starling_bgp::types::{Family, PeerId, V4};

    #[test]
    fn prefixes_are_counted_by_what_is_done_to_them() {
        let mut batch = RouteBatch::new(PeerId(1));
        let prefix = |text: &str| V4::new(text.parse().unwrap());
        batch.v4 = ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"].map(prefix).to_vec();
        batch.ops = vec![
            Op::Announce { family: Family::Ipv4, attrs: 0, start: 0, end: 2 },
            Op::Withdraw { family: Family::Ipv4, start: 2, end: 3 },
            Op::EndOfRib(Family::Ipv4),
        ];
        let mut tally = Tally::default();
        tally.routes(&batch);
        tally.routes(&batch);
        assert_eq!(tally.received, Prefixes { announced: 4, withdrawn: 2 });
    }
}
