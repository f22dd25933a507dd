//! The neighbours, configured or dynamic, each with its running task: what a reload changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use starling_bgp::bfd;
use starling_bgp::msg::RibIn;
use starling_bgp::types::PeerId;
use starling_bgp::wire::Notification;
use starling_config::model::Bfd;
use starling_config::{NodePlan, PeerKey, PeerPlan};
use starling_fib::types::{Ends, Way};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bfd::{OVERDUE, Target};
use super::callers::Callers;
use super::clock::Clock;
use super::endpoint::Endpoint;
use super::fib::ForSessions;
use super::peer::{self, Around, Command, PeerHandle};
use super::rib;

/// How long a neighbour's task may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// One neighbour.
#[derive(Debug)]
pub struct Neighbour {
    /// As planned.
    pub plan: PeerPlan,
    /// The way to its task.
    pub handle: PeerHandle,
    task: JoinHandle<()>,
    started: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Neighbours {
    clock: Clock,
    around: Around,
    callers: Callers,
    seed: u64,
    last_id: u32,
    by_key: BTreeMap<PeerKey, Neighbour>,
}

impl Neighbours {
    /// None yet. `seed` is for jitter alone.
    pub fn new(clock: Clock, around: Around, callers: Callers, seed: u64) -> Neighbours {
        let (last_id, by_key) = (0, BTreeMap::new());
        Neighbours { clock, around, callers, seed, last_id, by_key }
    }

    /// All, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.by_key.values()
    }

    /// The number of a neighbour.
    pub fn id(&self, who: &PeerKey) -> Option<PeerId> {
        self.handle(who).map(|handle| handle.id)
    }

    /// The way to a neighbour's task.
    pub fn handle(&self, who: &PeerKey) -> Option<&PeerHandle> {
        self.by_key.get(who).map(|neighbour| &neighbour.handle)
    }

    /// Numbers every neighbour of `plan` that has none yet and starts its task, idle. Call
    /// [`Neighbours::settle`] once the Rib knows the policies, so that no route comes before them.
    pub fn prepare(&mut self, plan: &NodePlan) {
        for peer in &plan.peers {
            if self.by_key.contains_key(&peer.key()) {
                continue;
            }
            self.last_id += 1;
            let id = PeerId(self.last_id);
            let seed = self.seed ^ u64::from(self.last_id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let config = peer.peer_config(id);
            let endpoint = Endpoint::of(peer);
            let (handle, task) =
                peer::spawn(self.clock, config, endpoint, seed, self.around.clone());
            let neighbour = Neighbour { plan: peer.clone(), handle, task, started: false };
            self.by_key.insert(peer.key(), neighbour);
        }
    }

    /// Starts the new, reconfigures the changed and retires the missing ones. Whoever else `plan` lets in may call from then on.
    pub async fn settle(&mut self, plan: Arc<NodePlan>) {
        let wanted: BTreeMap<PeerKey, &PeerPlan> =
            plan.peers.iter().map(|peer| (peer.key(), peer)).collect();
        let gone: Vec<PeerKey> =
            self.by_key.keys().filter(|who| !wanted.contains_key(who)).cloned().collect();
        for who in gone {
            if let Some(neighbour) = self.by_key.remove(&who) {
                retire(neighbour, Command::Retire(Notification::CEASE_DECONFIGURED)).await;
            }
        }
        for (who, peer) in wanted {
            let Some(neighbour) = self.by_key.get_mut(&who) else { continue };
            if neighbour.plan != *peer {
                neighbour.plan = peer.clone();
                let config = Box::new(peer.peer_config(neighbour.handle.id));
                tell(&neighbour.handle, Command::Configure(config, Endpoint::of(peer))).await;
            }
            // One that stopped since, at its prefix limit, has its own reasons.
            if !std::mem::replace(&mut neighbour.started, true) {
                tell(&neighbour.handle, Command::Start).await;
            }
        }
        let known = self.by_key.iter().map(|(who, n)| (who.clone(), n.handle.clone())).collect();
        self.callers.replace(known, plan);
    }

    /// Those that BFD shall watch, at the pace that so many of them allow.
    pub fn watched(&self) -> Vec<Target> {
        let watched = self.iter().filter(|n| n.plan.bfd.is_some()).count();
        let target = |n: &Neighbour| {
            let bfd = n.plan.bfd?;
            Some(Target {
                peer: n.handle.clone(),
                name: n.plan.name.clone(),
                who: n.plan.key(),
                local: n.plan.local_address,
                bfd: Bfd { interval: bfd::paced(bfd.interval, watched), ..bfd },
            })
        };
        self.iter().filter_map(target).collect()
    }

    /// Passes on what the kernel says of the ways to neighbours: to their sessions, to BFD, and to
    /// the Rib, which is to know all that a dead link costs before it judges the first of them.
    /// What is about a session that is none any more concerns nobody.
    pub async fn heed(&self, news: ForSessions, rib: &mpsc::Sender<rib::Control>) {
        let told: Vec<(Ends, Command)> = match news {
            ForSessions::Ways(ways) => {
                ways.into_iter().map(|(ends, way)| (ends, Command::Way(way))).collect()
            }
            ForSessions::Unanswered(peers) => {
                peers.into_iter().map(|ends| (ends, Command::Unanswered)).collect()
            }
        };
        let known = |(ends, command): (Ends, Command)| {
            let who = PeerKey::new(ends.peer, ends.interface.as_deref());
            let neighbour = self.by_key.get(&who).filter(|n| n.plan.ends() == ends)?;
            Some((ends, &neighbour.handle, command))
        };
        let told: Vec<_> = told.into_iter().filter_map(known).collect();
        let is_cut = |command: &Command| matches!(command, Command::Way(Way { cut: Some(_), .. }));
        let cut: Vec<PeerId> =
            told.iter().filter(|(_, _, news)| is_cut(news)).map(|(_, peer, _)| peer.id).collect();
        if !cut.is_empty() {
            // A closed channel means that the daemon is stopping.
            let overdue = RibIn::Overdue { peers: cut, valid: OVERDUE };
            let _ = rib.send(rib::Control::In(overdue)).await;
        }
        for (ends, peer, command) in told {
            if let (Some(local), Command::Way(way)) = (ends.local, &command)
                && ends.interface.is_none()
            {
                self.around.bfd.waits(local, way.waits);
            }
            tell(peer, command).await;
        }
    }

    /// Says goodbye to all, at the same time; those who can keep our routes until we are back.
    pub async fn shut_down(&mut self) {
        let all = std::mem::take(&mut self.by_key);
        let goodbyes: Vec<_> = all
            .into_values()
            .map(|neighbour| {
                let why = Notification::CEASE_SHUTDOWN.saying("starlingd stops");
                tokio::spawn(retire(neighbour, Command::Leave(why)))
            })
            .collect();
        for goodbye in goodbyes {
            // A task that panicked has nobody left to say goodbye to.
            let _ = goodbye.await;
        }
    }
}

/// A neighbour whose task has ended is being replaced by nobody: the daemon is stopping.
async fn tell(handle: &PeerHandle, command: Command) {
    if handle.commands.send(command).await.is_err() {
        tracing::debug!(peer = ?handle.id, "the neighbour's task has ended");
    }
}

async fn retire(mut neighbour: Neighbour, goodbye: Command) {
    tell(&neighbour.handle, goodbye).await;
    if tokio::time::timeout(GOODBYE, &mut neighbour.task).await.is_err() {
        neighbour.task.abort();
    }
}
