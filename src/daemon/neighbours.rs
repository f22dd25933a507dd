//! The neighbours as configured, each with its running task: what a reload changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use starling_bgp::types::PeerId;
use starling_bgp::wire::Notification;
use starling_config::{NodePlan, PeerPlan};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::listen::Callers;
use super::peer::{self, Command, PeerHandle};
use super::rib::FromPeer;

/// How long a neighbour's task may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// One configured neighbour.
#[derive(Debug)]
pub struct Neighbour {
    /// As configured.
    pub plan: PeerPlan,
    /// The way to its task.
    pub handle: PeerHandle,
    task: JoinHandle<()>,
}

/// All of them, by address.
#[derive(Debug)]
pub struct Neighbours {
    clock: Clock,
    rib: mpsc::Sender<FromPeer>,
    callers: Callers,
    seed: u64,
    last_id: u32,
    by_address: BTreeMap<IpAddr, Neighbour>,
}

impl Neighbours {
    /// None yet. `seed` is for jitter alone.
    pub fn new(
        clock: Clock,
        rib: mpsc::Sender<FromPeer>,
        callers: Callers,
        seed: u64,
    ) -> Neighbours {
        Neighbours { clock, rib, callers, seed, last_id: 0, by_address: BTreeMap::new() }
    }

    /// All, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.by_address.values()
    }

    /// The number of the neighbour with this address.
    pub fn id(&self, address: IpAddr) -> Option<PeerId> {
        self.by_address.get(&address).map(|neighbour| neighbour.handle.id)
    }

    /// Numbers every neighbour of `plan` that has none yet and starts its task, idle. Call
    /// [`Neighbours::settle`] once the Rib knows the policies, so that no route comes before them.
    pub fn prepare(&mut self, plan: &NodePlan) {
        for peer in &plan.peers {
            if self.by_address.contains_key(&peer.address) {
                continue;
            }
            self.last_id += 1;
            let id = PeerId(self.last_id);
            let seed = self.seed ^ u64::from(self.last_id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let config = peer.peer_config(id);
            let (handle, task) = peer::spawn(self.clock, config, peer.port, seed, self.rib.clone());
            self.by_address.insert(peer.address, Neighbour { plan: peer.clone(), handle, task });
        }
    }

    /// Starts the new, reconfigures the changed and retires the missing ones; `Start` is nothing
    /// to one that runs.
    pub async fn settle(&mut self, plan: &NodePlan) {
        let wanted: BTreeMap<IpAddr, &PeerPlan> =
            plan.peers.iter().map(|peer| (peer.address, peer)).collect();
        let gone: Vec<IpAddr> = self
            .by_address
            .keys()
            .filter(|address| !wanted.contains_key(address))
            .copied()
            .collect();
        for address in gone {
            if let Some(neighbour) = self.by_address.remove(&address) {
                retire(neighbour, Notification::CEASE_DECONFIGURED).await;
            }
        }
        for (address, peer) in wanted {
            let Some(neighbour) = self.by_address.get_mut(&address) else { continue };
            if neighbour.plan != *peer {
                neighbour.plan = peer.clone();
                let config = Box::new(peer.peer_config(neighbour.handle.id));
                tell(&neighbour.handle, Command::Configure(config, peer.port)).await;
            }
            tell(&neighbour.handle, Command::Start).await;
        }
        let handles =
            self.by_address.iter().map(|(address, n)| (*address, n.handle.clone())).collect();
        if let Ok(mut callers) = self.callers.write() {
            *callers = handles;
        }
    }

    /// Says goodbye to all, at the same time.
    pub async fn shut_down(&mut self) {
        let all = std::mem::take(&mut self.by_address);
        let goodbyes: Vec<_> = all
            .into_values()
            .map(|neighbour| tokio::spawn(retire(neighbour, Notification::CEASE_SHUTDOWN)))
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

async fn retire(mut neighbour: Neighbour, goodbye: Notification) {
    tell(&neighbour.handle, Command::Retire(goodbye)).await;
    if tokio::time::timeout(GOODBYE, &mut neighbour.task).await.is_err() {
        neighbour.task.abort();
    }
}
