//! Neighbours: what their tasks say of themselves, beside what the Rib counts.

use std::time::Duration;

use starling_bgp::msg::{Export, LimitAction, RibIn};
use starling_bgp::rib::show::PeerCounts;
use starling_bgp::session::refused::Unusable;
use starling_bgp::session::{DownReason, IdleHold, PeerStatus, Running, State, send_hold};
use starling_bgp::types::{Families, Family, PeerId, Time};
use starling_config::PeerPlan;
use starling_config::transport::{Hops, Key};
use tokio::sync::oneshot;

use super::groups::groups;
use super::{Refusal, View, stopping};
use crate::api::{
    Agreed, ApiError, Authentication, Configured, DownCause, FamilyRoutes, Graceful, LastDown,
    Limit, Neighbor, PeerSummary, Refused, Steer, Timers, Transport,
};
use crate::daemon::control::Backend;
use crate::daemon::peer::tally::Tally;
use crate::daemon::peer::{self, Command, PeerHandle};
use crate::daemon::rib::Control;
use crate::daemon::roster::Roster;
use crate::daemon::{cause, events};

impl View {
    pub(super) async fn peer_summaries(
        &self,
        roster: &Roster,
    ) -> Result<Vec<PeerSummary>, Refusal> {
        let reports = self.reports(roster).await?;
        Ok(reports.iter().map(|report| self.summarise(report)).collect())
    }

    pub(super) async fn all_neighbors(&self, roster: &Roster) -> Result<Vec<Neighbor>, Refusal> {
        let reports = self.reports(roster).await?;
        let bfd = self.bfd_reports().await;
        let other_address = |plan: &PeerPlan| {
            let node = roster.config.nodes.iter().find(|n| plan.node && n.name == plan.name)?;
            let mut addresses = node.addresses.iter().map(|a| a.address);
            addresses.find(|address| address.is_ipv4() != plan.address.is_ipv4())
        };
        let describe = |report: &Report<'_>| Neighbor {
            groups: groups(report.plan, roster),
            other_address: other_address(report.plan),
            bfd: bfd.get(&report.id).map(|session| self.bfd_session(report.plan, session)),
            ..self.describe(report)
        };
        Ok(reports.iter().map(describe).collect())
    }

    pub(super) async fn steered(&self, name: &str, to: Steer) -> Result<Neighbor, Refusal> {
        let before = self.neighbor(name).await?;
        let summary = &before.summary;
        let roster = self.roster();
        let mut peers = roster.peers.iter();
        let link = &summary.interface;
        let found = peers
            .find(|(plan, _)| (plan.address, &plan.transport.interface) == (summary.address, link));
        let (plan, handle) = found.ok_or_else(stopping)?;
        let command = match to {
            Steer::Drain { on } => {
                tracing::info!(peer = %plan.name, on, "drained by the operator");
                let drain = RibIn::Drain { peer: handle.id, on };
                self.rib.control.send(Control::In(drain)).await.map_err(|_| stopping())?;
                return self.neighbor(name).await;
            }
            Steer::Down { reason } => {
                tracing::info!(peer = %plan.name, "ended by the operator: {reason:?}");
                Command::Down(reason)
            }
            Steer::Up => {
                tracing::info!(peer = %plan.name, "let up by the operator");
                Command::Up
            }
            Steer::Clear { reason } => {
                tracing::info!(peer = %plan.name, "made anew by the operator: {reason:?}");
                Command::Clear(reason)
            }
            Steer::Resend => {
                up(&before)?;
                tracing::info!(peer = %plan.name, "sent our routes again by the operator");
                for family in Family::ALL {
                    let again = RibIn::Refresh { peer: handle.id, family };
                    self.rib.control.send(Control::In(again)).await.map_err(|_| stopping())?;
                }
                return self.neighbor(name).await;
            }
            Steer::Refresh => {
                refreshable(&before)?;
                tracing::info!(peer = %plan.name, "asked for its routes again by the operator");
                Command::Refresh
            }
        };
        handle.commands.send(command).await.map_err(|_| stopping())?;
        self.neighbor(name).await
    }

    /// All tasks are asked before the first is waited for; one that ended meanwhile (a reload
    /// removed it) is left out.
    pub(super) async fn reports<'a>(&self, roster: &'a Roster) -> Result<Vec<Report<'a>>, Refusal> {
        let mut asked = Vec::new();
        for (plan, handle) in &roster.peers {
            if let Some(answer) = ask(handle).await {
                asked.push((plan, handle.id, answer));
            }
        }
        let ids: Vec<_> = asked.iter().map(|(_, id, _)| *id).collect();
        let counts = self.rib.ask(move |rib| -> Vec<PeerCounts> {
            ids.into_iter().map(|id| rib.peer_counts(id)).collect()
        });
        let counts = counts.await.ok_or_else(stopping)?;
        let mut reports = Vec::new();
        for ((plan, id, answer), counts) in asked.into_iter().zip(counts) {
            let Ok(answer) = answer.await else { continue };
            let peer::Report { status, notes, held, buffered, queued, tally } = answer;
            reports.push(Report { held, plan, id, status, notes, counts, buffered, queued, tally });
        }
        Ok(reports)
    }

    pub(super) fn summarise(&self, report: &Report<'_>) -> PeerSummary {
        let Report { plan, status, counts, .. } = report;
        let words = |reason: &DownReason| events::words(reason, &plan.transport);
        PeerSummary {
            name: plan.name.clone(),
            address: plan.address,
            interface: plan.transport.interface.clone(),
            range: plan.range,
            asn: plan.asn.0,
            kind: plan.kind.into(),
            state: status.state.into(),
            since_s: self.seconds_since(status.since),
            received: both(counts.received),
            accepted: both(counts.accepted),
            sent: both(counts.sent),
            reason: report
                .held
                .then(|| "held down by `bgpctl neighbor … down`".to_owned())
                .or_else(|| status.why_down().map(words))
                .or_else(|| silence(plan, status)),
            since_then: status.since_then().filter(|_| !report.held).map(words),
            cause: report.cause(),
        }
    }

    fn describe(&self, report: &Report<'_>) -> Neighbor {
        let Report { plan, status, notes, counts, .. } = report;
        let end = |(reason, at): &(DownReason, Time)| LastDown {
            text: events::words(reason, &plan.transport),
            ago_s: self.seconds_since(*at),
        };
        let agreed = status.negotiated.as_ref().map(|n| Agreed {
            router_id: n.router_id,
            asn: n.asn.0,
            families: families(n.families),
            four_octet_as: n.as4,
            route_refresh: n.refresh,
            end_of_rib: n.end_of_rib,
            enhanced_refresh: n.enhanced_refresh && n.refresh,
            extended_messages: n.extended_messages,
            extended_next_hop: n.extended_next_hop,
            add_path_receive: families(n.add_path_receive),
            add_path_send: families(n.add_path_send),
            role: n.role.map(|role| role.to_string()),
            graceful: n.graceful.map(|g| Graceful {
                families: families(g.families),
                preserved: families(g.preserved),
                restarting: g.restarting,
                notification: g.notification,
                time_s: g.time.as_secs(),
                long_lived_s: g.long_lived.map(|time| time.as_secs()),
            }),
            hold_s: n.hold.as_secs(),
            keepalive_s: n.hold.as_secs() / 3,
            send_hold_s: send_hold(plan.session.send_hold, n.hold).as_secs(),
        });
        let IdleHold { first, most } = plan.session.idle_hold;
        let most =
            if first.is_zero() { first } else { most.unwrap_or(plan.connect_retry).max(first) };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Neighbor {
            summary: self.summarise(report),
            node: plan.node,
            everywhere: plan.everywhere,
            groups: Vec::new(),
            other_address: None,
            routes: report.routes(),
            local_address: plan.local_address,
            local_asn: plan.local_asn.0,
            configured: Configured {
                families: families(plan.families),
                hold_s: plan.hold.as_secs(),
                keepalive_s: plan.hold.as_secs() / 3,
                send_hold_s: send_hold(plan.session.send_hold, plan.hold).as_secs(),
                connect_retry_s: plan.connect_retry.as_secs(),
                passive: plan.passive,
                idle_hold_ms: millis(first),
                idle_hold_max_ms: millis(most),
            },
            transport: transport(plan),
            agreed,
            offered: status.offered.iter().map(ToString::to_string).collect(),
            offers: status.capabilities.iter().map(ToString::to_string).collect(),
            held: report.held,
            draining: counts.draining,
            messages_received: status.received.into(),
            messages_sent: status.sent.into(),
            updates_received: report.tally.received.into(),
            updates_sent: report.tally.sent.prefixes.into(),
            last_received_s: status.last_received.map(|at| self.seconds_since(at)),
            last_down: status.last_down.as_ref().map(end),
            last_lost: status.lost.as_ref().map(end),
            idle_left_s: status.idle_until.map(|until| self.seconds_until(until)),
            timers: self.timers(&status.timers),
            flaps: u64::from(status.flaps),
            filtered: both(counts.received).saturating_sub(both(counts.accepted)),
            over_limit: both(counts.over),
            stale: both(counts.stale),
            refused: status.refused.iter().map(|unusable| self.refused(unusable)).collect(),
            limits: report.limits(),
            import: import(plan),
            export: match plan.export {
                Export::Own => "own blocks".to_owned(),
                Export::All if plan.kind.is_internal() => {
                    "own blocks and routes learned by eBGP".to_owned()
                }
                Export::All => "every best route".to_owned(),
            },
            bfd: None,
            notes: notes.clone(),
        }
    }
}

impl View {
    fn timers(&self, running: &Running) -> Timers {
        let left = |at: Option<Time>| at.map(|at| self.seconds_until(at));
        Timers {
            connect_retry_s: left(running.connect_retry),
            hold_s: left(running.hold),
            keepalive_s: left(running.keepalive),
            send_hold_s: left(running.send_hold),
        }
    }

    fn refused(&self, unusable: &Unusable) -> Refused {
        let Unusable { prefix, why, at } = unusable;
        Refused { prefix: *prefix, why: why.to_string(), ago_s: self.seconds_since(*at) }
    }
}

/// One neighbour, from all who know of it.
pub(super) struct Report<'a> {
    pub(super) held: bool,
    pub(super) plan: &'a PeerPlan,
    pub(super) id: PeerId,
    pub(super) status: PeerStatus,
    notes: Vec<String>,
    counts: PeerCounts,
    /// Octets in the buffers of its connections.
    pub(super) buffered: usize,
    /// Of those, what waits to be sent.
    pub(super) queued: usize,
    pub(super) tally: Tally,
}

impl Report<'_> {
    /// Why there is no session, for programs; `None`: there is one.
    pub(super) fn cause(&self) -> Option<DownCause> {
        let Report { plan, status, held, .. } = self;
        match (status.state, status.why_down()) {
            (State::Established, _) => None,
            _ if *held => Some(DownCause::Held),
            (_, Some(reason)) => Some(cause::of(reason, &plan.transport)),
            (State::Idle | State::Active, None) if plan.passive => Some(DownCause::NeverCalled),
            (_, None) => Some(DownCause::Connecting),
        }
    }

    /// Why it was lost last, if it was.
    pub(super) fn last_lost(&self) -> Option<DownCause> {
        self.status.lost.as_ref().map(|(reason, _)| cause::of(reason, &self.plan.transport))
    }

    /// Its routes, by family of the session.
    pub(super) fn routes(&self) -> Vec<FamilyRoutes> {
        routes(self.plan, &self.counts)
    }

    /// How many prefixes it may send.
    pub(super) fn limits(&self) -> Vec<Limit> {
        limits(&self.counts)
    }
}

/// Whether a neighbour can be asked for its routes again.
fn refreshable(neighbor: &Neighbor) -> Result<(), Refusal> {
    let name = &neighbor.summary.name;
    match &neighbor.agreed {
        Some(agreed) if agreed.route_refresh => Ok(()),
        Some(_) => Err(Refusal::conflict(
            ApiError::new(format!("{name} does not offer route refresh (RFC 2918)"))
                .hint("`bgpctl neighbor … down` and `… up` make the session anew"),
        )),
        None => up(neighbor),
    }
}

/// Whether there is a session at all.
fn up(neighbor: &Neighbor) -> Result<(), Refusal> {
    let (name, state) = (&neighbor.summary.name, neighbor.summary.state);
    let words = || format!("there is no session with {name}: its state is {state}");
    match neighbor.agreed {
        Some(_) => Ok(()),
        None => Err(Refusal::conflict(ApiError::new(words()))),
    }
}

async fn ask(handle: &PeerHandle) -> Option<oneshot::Receiver<peer::Report>> {
    let (answer, answered) = oneshot::channel();
    handle.commands.send(Command::Status(answer)).await.ok()?;
    Some(answered)
}

/// Why there is no session where nothing has failed yet.
fn silence(plan: &PeerPlan, status: &PeerStatus) -> Option<String> {
    match status.state {
        State::Established => None,
        State::Active | State::Idle if plan.passive => {
            let hint = events::silence(&plan.transport).unwrap_or_default();
            Some(format!("waiting to be called (passive); the neighbour has not called yet{hint}"))
        }
        State::Idle | State::Active | State::Connect => Some("connecting".to_owned()),
        State::OpenSent | State::OpenConfirm => {
            Some("the sessions' terms are exchanged".to_owned())
        }
    }
}

fn transport(plan: &PeerPlan) -> Transport {
    let (ttl_security, multihop) = match plan.transport.hops {
        Hops::Any => (None, None),
        Hops::Multihop(hops) => (None, Some(hops)),
        Hops::Security(hops) => (Some(hops), None),
    };
    Transport {
        port: plan.port,
        authentication: plan.transport.key.as_ref().map(|key| match key {
            Key::Md5(_) => Authentication::Md5,
            Key::Ao(key) => Authentication::TcpAo {
                algorithm: key.algorithm.to_string(),
                send_id: key.send_id,
                receive_id: key.receive_id,
            },
        }),
        ttl_security,
        multihop,
    }
}

fn import(plan: &PeerPlan) -> String {
    if plan.import.within.is_empty() {
        return "nothing: no `import` is set (RFC 8212)".to_owned();
    }
    let list =
        |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let within = list(&plan.import.within);
    match plan.import.except.is_empty() {
        true => format!("within {within}"),
        false => format!("within {within}, but not {}", list(&plan.import.except)),
    }
}

fn limits(counts: &PeerCounts) -> Vec<Limit> {
    let families = [Family::Ipv4, Family::Ipv6].into_iter().zip(counts.received);
    let limits = families.zip(counts.limits).filter_map(|(of, limit)| Some((of, limit?)));
    limits
        .map(|((family, received), limit)| {
            let (action, restart) = match limit.action {
                LimitAction::Warn => (crate::api::LimitAction::Warn, None),
                LimitAction::Drop => (crate::api::LimitAction::Drop, None),
                LimitAction::Close { restart } => (crate::api::LimitAction::Close, restart),
            };
            let restart_s = restart.map(|restart| restart.as_secs());
            Limit { family: family.to_string(), max: limit.max, received, action, restart_s }
        })
        .collect()
}

fn routes(plan: &PeerPlan, counts: &PeerCounts) -> Vec<FamilyRoutes> {
    let PeerCounts { received, accepted, best, sent, .. } = *counts;
    let all = Family::ALL.into_iter().zip(received).zip(accepted).zip(best).zip(sent);
    let all = all.filter(|((((family, _), _), _), _)| plan.families.contains(*family));
    let of = |((((family, received), accepted), best), sent): ((((Family, _), _), _), _)| {
        FamilyRoutes { family: family.to_string(), received, accepted, best, sent }
    };
    all.map(of).collect()
}

fn families(families: Families) -> Vec<String> {
    families.iter().map(|family| family.to_string()).collect()
}

fn both(counts: [u32; 2]) -> u64 {
    counts.into_iter().map(u64::from).sum()
}
