//! BFD: what its thread says of each session.

use std::collections::BTreeMap;

use starling_bgp::types::PeerId;
use starling_config::PeerPlan;

use super::View;
use crate::api::{BfdSession, BfdState, LastDown};
use crate::daemon::bfd::Report;
use crate::daemon::roster::Roster;

impl View {
    /// In the order of the configuration.
    pub(super) async fn bfd_sessions(&self, roster: &Roster) -> Vec<BfdSession> {
        let mut reports = self.bfd_reports().await;
        let of = |(plan, handle): &(PeerPlan, crate::daemon::peer::PeerHandle)| {
            Some(self.bfd_session(plan, &reports.remove(&handle.id)?))
        };
        roster.peers.iter().filter_map(of).collect()
    }

    pub(super) async fn bfd_reports(&self) -> BTreeMap<PeerId, Report> {
        self.bfd.report().await.into_iter().collect()
    }

    pub(super) fn bfd_session(&self, plan: &PeerPlan, report: &Report) -> BfdSession {
        let Report { bfd, local, status, heard, discarded, trouble } = report;
        let remote = status.remote;
        let down = status.last_down.map(|(loss, at)| LastDown {
            text: loss.cause.to_string(),
            ago_s: self.seconds_since(at),
        });
        BfdSession {
            name: plan.name.clone(),
            address: plan.address,
            local_address: *local,
            multihop: bfd.multihop,
            state: if *heard { status.state.into() } else { BfdState::NotHeard },
            since_s: self.seconds_since(status.since),
            remote_state: remote.map(|packet| packet.state.into()),
            interval_ms: millis(bfd.interval),
            multiplier: bfd.multiplier,
            transmit_ms: millis(status.transmit),
            receive_ms: status.receive.map(millis),
            detection_ms: status.detection.map(millis),
            diagnostic: status.diag.to_string(),
            remote_diagnostic: remote.map(|packet| packet.diag.to_string()),
            sent: status.sent,
            received: status.received,
            discarded: *discarded,
            flaps: status.flaps.into(),
            last_down: down,
            trouble: trouble.clone(),
        }
    }
}

fn millis(interval: std::time::Duration) -> u64 {
    u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)
}
