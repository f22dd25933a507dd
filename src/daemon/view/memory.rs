//! What memory is used for: counted by the actors themselves, reckoned by nobody else.

use starling_bgp::rib::show::What;

use super::neighbors::Report;
use super::{Refusal, View, stopping};
use crate::api::{Memory, MemoryKind};
use crate::daemon::memory;

impl View {
    pub(super) async fn memory_used(&self) -> Result<Memory, Refusal> {
        let roster = self.roster();
        self.memory_with(&self.reports(&roster).await?).await
    }

    /// With what neighbours have said of themselves.
    pub(super) async fn memory_with(&self, reports: &[Report<'_>]) -> Result<Memory, Refusal> {
        let kept = self.rib.ask(|rib| rib.kept()).await.ok_or_else(stopping)?;
        let [wanted, present] = self.fib.ask(|fib| fib.kept()).await.ok_or_else(stopping)?;
        let mut kinds: Vec<MemoryKind> = kept
            .into_iter()
            .map(|kept| {
                let (kind, what) = words(kept.what);
                let reckoned = kept.what == What::FurtherPaths;
                MemoryKind { reckoned, ..counted(&kind, what, (kept.count, kept.bytes)) }
            })
            .collect();
        for (kind, what, size) in [
            ("fib_wanted", "routes that the kernel should have", wanted),
            ("fib_present", "routes of ours that it has", present),
        ] {
            kinds.push(MemoryKind { reckoned: true, ..counted(kind, what, size) });
        }
        let held = reports.iter().filter(|report| report.buffered > 0);
        let octets = held.clone().map(|report| report.buffered).sum();
        let buffers = (held.count(), octets);
        kinds.push(counted("session_buffers", "sessions with octets in our buffers", buffers));
        let (used, free) = memory::allocated().unzip();
        Ok(Memory { resident_bytes: memory::resident(), used_bytes: used, free_bytes: free, kinds })
    }
}

fn counted(kind: &str, what: &str, (count, bytes): (usize, usize)) -> MemoryKind {
    MemoryKind {
        kind: kind.to_owned(),
        what: what.to_owned(),
        count: count as u64,
        bytes: bytes as u64,
        reckoned: false,
    }
}

fn words(what: What) -> (String, &'static str) {
    let (kind, words) = match what {
        What::Attributes => ("attributes", "sets of attributes, each once"),
        What::Destinations(family) => {
            return (format!("destinations_{family}"), "destinations, with a path in each");
        }
        What::FurtherPaths => ("further_paths", "paths beside the first of their destination"),
        What::Sources => ("sources", "neighbours and their path identifiers"),
        What::Nexthops => ("next_hops", "next hops"),
        What::AdjOut => ("adj_rib_out", "what groups of neighbours are told"),
        What::Encoded => ("encoded", "messages to them, encoded once"),
    };
    (kind.to_owned(), words)
}
