//! The daemon's part of an examination: what the actors know, beside what the host says.
//!
//! One examination at a time, and whoever asks within a second of one gets its answer: it starts
//! programs, and over TCP anybody may ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use starling_bgp::rib::show::RouteFilter;
use starling_bgp::session::State;
use starling_bgp::types::{Family, PeerId, Time};
use starling_fib::Fib;
use starling_fib::table::EntryState;
use starling_fib::tunnel::TunnelState;
use starling_fib::types::{How, TunnelError};
use starling_fib::view::KernelState;
use tokio::task::JoinSet;

use super::neighbors::Report;
use super::reached::reached;
use super::why::back;
use super::{Refusal, View, stopping};
use crate::api::{self, Diagnosis, DownCause, Route};
use crate::daemon::control::rows::CHUNK;
use crate::daemon::roster::Roster;
use crate::doctor::facts::{
    Cause, Claim, Configured, Daemon, Down, Facts, Module, Session, Trouble, Troubled,
};
use crate::doctor::{examine, gather};

/// So long an answer is good for others who ask.
const FRESH: Duration = Duration::from_secs(1);

/// So many other nodes are asked at most.
const ASKED: usize = 256;

/// The last examination: when, whether others were asked.
pub(super) type Last = Arc<tokio::sync::Mutex<Option<(Time, bool, Diagnosis)>>>;

impl View {
    pub(super) async fn examined(&self, ask: bool) -> Result<Diagnosis, Refusal> {
        let mut last = self.examination.lock().await;
        if let Some((at, asked, diagnosis)) = &*last
            && *asked == ask
            && self.clock.now().since(*at) < FRESH
        {
            return Ok(diagnosis.clone());
        }
        let roster = self.roster();
        let (device, port) = (roster.plan.fib.tunnel.device.clone(), roster.plan.port);
        let (mut host, daemon, others) = tokio::join!(
            gather::host(&device, port),
            self.known(&roster),
            self.others(&roster, ask)
        );
        let daemon = Daemon { others, ..daemon? };
        // Whoever has tried knows better than lists of modules, which containers lack.
        let tunnel = self.fib.ask(|fib| fib.tunnel_state()).await.ok_or_else(stopping)?;
        if let TunnelState::Failed(TunnelError::NoModule { .. }) = tunnel {
            host.ipip = Module::Absent;
        }
        let configured = Configured {
            plan: Arc::clone(&roster.plan),
            nodes: roster.config.nodes.clone().into(),
            file: roster.file.display().to_string(),
        };
        let facts = Facts { configured: Ok(configured), host, daemon: Ok(daemon) };
        let diagnosis = examine(&facts);
        *last = Some((self.clock.now(), ask, diagnosis.clone()));
        Ok(diagnosis)
    }

    async fn known(&self, roster: &Roster) -> Result<Daemon, Refusal> {
        let answer = self.fib.ask(|fib| (fib.coupling(), fib.differing())).await;
        let (coupling, differing) = answer.ok_or_else(stopping)?;
        let reports = self.reports(roster).await?;
        let sessions = reports.iter().filter(|report| report.plan.range.is_none());
        let words = |report: &Report<'_>| self.summarise(report).reason.unwrap_or_default();
        let sessions = sessions.map(|report| session(report, words(report))).collect();
        let mut daemon = Daemon {
            rejected: roster.rejected.clone(),
            coupling,
            differing,
            sessions,
            nodes: self.all_nodes().await?,
            claims: self.claims(roster).await?,
            troubled: Vec::new(),
            rivals: self.rivals().await?,
            wanted: (0, 0),
            multipath: false,
            others: BTreeMap::new(),
        };
        self.read_fib(&mut daemon).await?;
        Ok(daemon)
    }

    /// Who announces what lies in the pools.
    async fn claims(&self, roster: &Roster) -> Result<Vec<Claim>, Refusal> {
        let in_pools =
            |prefix: &IpNet| roster.plan.pools.iter().any(|pool| pool.cidr.contains(prefix));
        let mut claims = Vec::new();
        let mut cursor = None;
        loop {
            let question = RouteFilter::default();
            let answer = self.rib.ask(move |rib| rib.routes(&question, cursor, CHUNK)).await;
            let (routes, next) = answer.ok_or_else(stopping)?;
            for route in routes.iter().filter(|route| in_pools(&route.prefix)) {
                let others = route.paths.iter().filter(|path| path.peer != PeerId::LOCAL);
                claims.extend(others.filter_map(|path| {
                    let next_hop = path.next_hop?.address;
                    Some(Claim { prefix: route.prefix, from: path.name.clone(), next_hop })
                }));
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(claims),
            }
        }
    }

    /// How other nodes say that they reach this one. Who cannot be asked or does not answer is left
    /// out.
    async fn others(&self, roster: &Roster, ask: bool) -> BTreeMap<String, (api::How, api::How)> {
        let v4 = |blocks: &[IpNet]| blocks.iter().find(|block| block.addr().is_ipv4()).copied();
        let Some(own) = v4(&roster.plan.blocks).filter(|_| ask) else { return BTreeMap::new() };
        let mut questions = JoinSet::new();
        let nodes = roster.config.nodes.iter().filter(|node| node.name != roster.plan.name);
        for node in nodes.take(ASKED) {
            let (Ok(place), Some(block), Some(next_hop)) = (
                back::place(node, &roster.plan.http),
                v4(&node.blocks),
                node.address(Family::Ipv4),
            ) else {
                continue;
            };
            let (name, fib) = (node.name.clone(), self.fib.clone());
            questions.spawn(async move {
                let path = format!("/v1/routes?address={}", own.addr());
                let theirs: Route = back::get(place, &path).await.ok()?;
                let theirs = theirs.paths.first()?.reached.how;
                let ours = fib.ask(move |fib| fib.resolution_of(block, next_hop.into())).await?;
                Some((name, (reached(&ours).how, theirs)))
            });
        }
        questions.join_all().await.into_iter().flatten().collect()
    }

    /// What the Fib could not have as wanted.
    async fn read_fib(&self, daemon: &mut Daemon) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let answer = self.fib.ask(move |fib| {
                let entries = fib.entries(after, CHUNK);
                let last = entries.last().map(|entry| entry.prefix);
                let mut piece = Piece::default();
                for entry in &entries {
                    piece.add(fib, entry);
                }
                (last, piece)
            });
            let (last, piece) = answer.await.ok_or_else(stopping)?;
            daemon.troubled.extend(piece.troubled);
            daemon.wanted.0 += piece.wanted.0;
            daemon.wanted.1 += piece.wanted.1;
            daemon.multipath |= piece.multipath;
            match last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }
}

/// What some of the Fib's entries come to.
#[derive(Default)]
struct Piece {
    troubled: Vec<Troubled>,
    wanted: (usize, usize),
    multipath: bool,
}

impl Piece {
    fn add(&mut self, fib: &Fib, entry: &starling_fib::table::Entry) {
        let EntryState::Wanted(state) = &entry.state else { return };
        match entry.prefix {
            IpNet::V4(_) => self.wanted.0 += 1,
            IpNet::V6(_) => self.wanted.1 += 1,
        }
        self.multipath |= entry.want.as_ref().is_some_and(|want| want.hops.len() > 1);
        let trouble = match state {
            KernelState::Refused(words) => Trouble::Refused(words.clone()),
            KernelState::Occupied(protocol) => Trouble::Occupied(*protocol),
            KernelState::Unreachable => {
                let why = entry.resolutions.iter().map(|(_, hop)| hop);
                let why = why.filter(|hop| hop.how == How::Unreachable).map(|hop| &*hop.why);
                let why = why.collect::<Vec<_>>().join("; ");
                let none = || "no path to it has a next hop that can be reached".to_owned();
                Trouble::Unreachable(if why.is_empty() { none() } else { why })
            }
            KernelState::Installed => match fib.shadow_of(entry.prefix) {
                Some((protocol, metric)) => Trouble::Shadowed { protocol, metric },
                None => return,
            },
            // On its way, a pod's own affair, or contested: by whom, the rivals say.
            _ => return,
        };
        self.troubled.push(Troubled { prefix: entry.prefix, trouble });
    }
}

fn session(report: &Report<'_>, words: String) -> Session {
    let Report { plan, status, .. } = report;
    let up = status.state == State::Established;
    let down = (!up).then(|| {
        let cause = report.cause().map_or(Cause::Begins, suspicion);
        Down { cause, words }
    });
    Session {
        name: plan.name.clone(),
        address: plan.address,
        port: plan.port,
        node: plan.node,
        bfd: plan.bfd.map(|bfd| bfd.multihop),
        identifier: status.negotiated.as_ref().filter(|_| up).map(|agreed| agreed.router_id),
        down,
    }
}

/// Where the cause lies is for the examination to find; here, what it is to look at.
fn suspicion(cause: DownCause) -> Cause {
    match cause {
        DownCause::Held => Cause::Held,
        DownCause::Connecting => Cause::Begins,
        DownCause::NeverCalled => Cause::Uncalled,
        DownCause::AddressAbsent | DownCause::InterfaceAbsent => Cause::NoSource,
        DownCause::Refused => Cause::Refused,
        DownCause::NoRoute => Cause::NoRoute,
        // Of the last router, or of our own kernel when ARP gets no answer.
        DownCause::HostUnreachable | DownCause::NoAnswer | DownCause::NoAnswerKeyed => {
            Cause::Silent
        }
        DownCause::AsMismatch => Cause::WrongAs,
        DownCause::IdentifierClash => Cause::WrongIdentifier,
        DownCause::Rejected => Cause::Unknown,
        DownCause::BfdDown => Cause::Bfd,
        _ => Cause::Other,
    }
}
