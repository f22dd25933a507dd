//! What a scrape shows, asked of the actors.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::neighbors::Report;
use super::{Refusal, View, stopping};
use crate::api::{Counters, PeerKind};
use crate::daemon::control::Backend;
use crate::daemon::metrics::ledger::Counts;
use crate::daemon::metrics::{Peer, Pods, Rib, Scrape};

impl View {
    pub(super) async fn scraped(&self) -> Result<Scrape, Refusal> {
        let roster = self.roster();
        let reports = self.reports(&roster).await?;
        let peers = reports.iter().map(|report| self.summarise(report)).collect();
        let summary = self.summary_with(&roster, peers).await?;
        let bfd = self.bfd_reports().await;
        let peer = |report: &Report<'_>| {
            let bfd_flaps = bfd.get(&report.id).map_or(0, |bfd| bfd.status.flaps.into());
            self.peer(report, bfd_flaps)
        };
        let peers: Vec<Peer> = reports.iter().map(peer).collect();
        let watched = reports.iter().filter_map(|report| {
            let told = bfd.get(&report.id)?;
            Some(self.bfd_session(report.plan, told))
        });
        let counted = reports.iter().zip(&peers);
        let counted = counted.map(|(report, peer)| (report.id, peer.kind, peer.counts.clone()));
        // What is behind the lock is whole between any two statements.
        let gone = {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.see(counted).clone()
        };
        let rib = self.rib.ask(|rib| Rib {
            destinations: rib.destinations().map(|n| n as u64),
            paths: rib.paths(),
            attribute_sets: rib.attribute_sets().0 as u64,
            groups: rib.groups().len() as u64,
        });
        let rib = rib.await.ok_or_else(stopping)?;
        let work = self.fib.ask(|fib| (fib.tally().clone(), fib.pending(), fib.pod_counts()));
        let (written, pending, (known, announced)) = work.await.ok_or_else(stopping)?;
        Ok(Scrape {
            version: self.version(),
            summary,
            rejected: roster.rejected.is_some(),
            per_peer: roster.plan.per_peer.is_for(peers.len()),
            peers,
            gone,
            bfd: watched.collect(),
            policies: self.all_policies(),
            rib,
            fib: self.fib_states().await?,
            written,
            pending,
            pods: Pods { known, announced },
            memory: self.memory_with(&reports).await?,
            queues: vec![
                ("rib_routes", depth(&self.rib.routes)),
                ("rib_control", depth(&self.rib.control)),
                ("rib_to_fib", self.rib.to_fib.load(Ordering::Relaxed)),
                ("fib", depth(&self.fib.commands)),
            ],
            delays: self.delays.clone(),
        })
    }

    fn peer(&self, report: &Report<'_>, bfd_flaps: u64) -> Peer {
        let summary = self.summarise(report);
        let status = &report.status;
        Peer {
            place: summary.place(),
            name: summary.name,
            asn: summary.asn,
            kind: PeerKind::from(report.plan.kind),
            cause: report.cause(),
            lost: report.last_lost(),
            since_s: summary.since_s,
            routes: report.routes(),
            limits: report.limits(),
            queued: report.queued,
            counts: Counts {
                received: Counters::from(status.received),
                sent: Counters::from(status.sent),
                updates_received: report.tally.received.into(),
                updates_sent: report.tally.sent.prefixes.into(),
                flaps: status.flaps.into(),
                lost: report.tally.lost.clone(),
                bfd_flaps,
            },
        }
    }
}

/// Messages in a channel.
fn depth<T>(channel: &mpsc::Sender<T>) -> usize {
    channel.max_capacity().saturating_sub(channel.capacity())
}
