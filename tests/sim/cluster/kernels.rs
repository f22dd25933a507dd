//! The kernels: the Fib's requests, carried out one after the other a little later; what others
//! do to interfaces and routes; and the news of it, with a delay of its own, so that answers and
//! news overtake each other as on two sockets.
//!
//! Every write of ours is watched: it must not touch a route that is not ours. One case is beyond
//! any daemon and allowed: a replace of IPv6, asked for before the news that somebody else's route
//! had taken the place of ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use starling::daemon::bridge;
use starling_bgp::msg::{PeerIn, RibIn};
use starling_bgp::types::Time;
use starling_fib::types::{
    Ends, FibIn, FibOut, KernelEvent, KernelRoute, ObjectOp, OpFailure, PodNews, RouteKey, RouteOp,
    TunnelSpec,
};

use ipnet::IpNet;

use super::Cluster;
use super::life::id_of;
use crate::network::NodeIx;
use crate::oracle::PROTOCOL;
use crate::queue::Event;
use crate::topology;

/// What the Fib asked for, and when.
pub(super) struct Asked {
    at: Time,
    request: Request,
}

enum Request {
    Apply(Arc<Vec<RouteOp>>),
    Objects(Arc<Vec<ObjectOp>>),
    Dump,
    Read,
    Tunnel(TunnelSpec),
}

impl Cluster {
    /// Passes on what the Fib wants done.
    pub(super) fn ask(&mut self, node: NodeIx, message: FibOut) {
        let (now, life) = (self.now, self.nodes[node].life);
        let wait = self.micros(20, 300);
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let request = match message {
            FibOut::Apply(ops) => Request::Apply(ops),
            FibOut::Objects(ops) => Request::Objects(ops),
            FibOut::Dump => Request::Dump,
            FibOut::Read => Request::Read,
            FibOut::Audited(_) => return,
            FibOut::Tunnel(spec) => Request::Tunnel(spec),
            FibOut::Nexthops(costs) => {
                let input = bridge::costs(costs);
                let delay = daemon.delays.from_fib;
                return self.after(delay, Event::ToRib { node, life, session: 0, input });
            }
            FibOut::Pods(PodNews { came, went }) => {
                let input = RibIn::Pods { came, went };
                let delay = daemon.delays.from_fib;
                return self.after(delay, Event::ToRib { node, life, session: 0, input });
            }
            FibOut::Ways(ways) => {
                let at = |ends: &Ends| daemon.by_address.get(&ends.peer).copied();
                let ways = ways.into_iter().filter_map(|(ends, way)| Some((at(&ends)?, way)));
                let ways: Vec<_> = ways.collect();
                let cut = ways.iter().filter(|(_, way)| way.cut.is_some());
                let peers: Vec<_> = cut.map(|(side, _)| id_of(*side)).collect();
                if !peers.is_empty() {
                    let delay = daemon.delays.to_rib;
                    let input = RibIn::Overdue { peers, valid: Duration::from_secs(5) };
                    self.after(delay, Event::ToRib { node, life, session: 0, input });
                }
                for (side, way) in ways {
                    let input = way.cut.map_or(PeerIn::Retry, PeerIn::LinkDown);
                    self.tell_peer(node, side, input);
                }
                return;
            }
            // Nobody asks for link-layer addresses here.
            FibOut::Unanswered(_) => return,
            FibOut::Report(report) => return self.log(node, &report),
        };
        daemon.asked.push_back(Asked { at: now, request });
        if daemon.asked.len() == 1 {
            self.after(wait, Event::Serve { node, life });
        }
    }

    /// Carries out the oldest request.
    pub(super) fn serve(&mut self, node: NodeIx) {
        let (now, life) = (self.now, self.nodes[node].life);
        let (on_the_way, pause) = (self.micros(10, 200), self.micros(20, 300));
        let host = &mut self.nodes[node];
        let Some(daemon) = &mut host.daemon else { return };
        let Some(Asked { at, request }) = daemon.asked.pop_front() else { return };
        daemon.last_answer = daemon.last_answer.max(now.after(on_the_way));
        let arrives = daemon.last_answer;
        if !daemon.asked.is_empty() {
            self.queue.put(now.after(pause), Event::Serve { node, life });
        }
        let input = match request {
            Request::Apply(ops) => FibIn::Applied(self.write(node, &ops, at)),
            Request::Objects(ops) => FibIn::ObjectsDone(host.kernel.apply_objects(&ops)),
            Request::Dump => match host.kernel.dump() {
                Ok(dump) => FibIn::Dumped(Box::new(dump)),
                Err(reason) => FibIn::DumpFailed(reason),
            },
            Request::Read => {
                let answer = host.kernel.dump();
                if let Ok(dump) = &answer {
                    let input = FibIn::Part(Box::new(dump.clone()));
                    self.queue.put(arrives, Event::ToFib { node, life, input });
                }
                FibIn::PartsDone(answer.map(|_| ()))
            }
            Request::Tunnel(spec) => {
                let result = host.kernel.tunnel(&spec);
                self.kernel_changed(node);
                FibIn::TunnelDone(result)
            }
        };
        self.queue.put(arrives, Event::ToFib { node, life, input });
    }

    /// A daemon dies while the kernel works for it: some of the ops were still carried out.
    pub(super) fn carry_out_some(&mut self, node: NodeIx) {
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let Some(Asked { at, request }) = daemon.asked.pop_front() else { return };
        match request {
            Request::Apply(ops) => {
                let some = self.rng.below(ops.len() as u64 + 1);
                self.write(node, &ops[..usize::try_from(some).expect("an index")], at);
            }
            Request::Objects(ops) => {
                let some = self.rng.below(ops.len() as u64 + 1);
                let some = &ops[..usize::try_from(some).expect("an index")];
                self.nodes[node].kernel.apply_objects(some);
            }
            Request::Dump | Request::Read | Request::Tunnel(_) => {}
        }
    }

    fn write(&mut self, node: NodeIx, ops: &[RouteOp], asked: Time) -> Vec<OpFailure> {
        let mut failures = Vec::new();
        for op in ops {
            let prefix = route_of(op).key.prefix;
            let host = &mut self.nodes[node];
            let before = others_at(host.kernel.routes_to(prefix));
            failures.extend(host.kernel.apply(std::slice::from_ref(op)));
            if others_at(host.kernel.routes_to(prefix)) != before {
                let heard = host.strangers.remove(&prefix);
                let unheard = heard.is_some_and(|heard| heard.is_none_or(|heard| heard > asked));
                assert!(
                    unheard
                        && matches!(op, RouteOp::Replace { .. })
                        && matches!(prefix, IpNet::V6(_)),
                    "seed {}: node{node} touched a route that is not ours by {op:?}: {before:?}",
                    self.seed
                );
            }
        }
        let concerned: BTreeSet<NodeIx> = ops
            .iter()
            .filter_map(|op| self.by_block.get(&route_of(op).key.prefix))
            .copied()
            .collect();
        concerned.into_iter().for_each(|to| self.judge(node, to));
        failures
    }

    /// After others changed something: the clock looks, and the news goes to the Fib.
    fn kernel_changed(&mut self, node: NodeIx) {
        self.judge_kernel(node);
        let (now, life) = (self.now, self.nodes[node].life);
        let on_the_way = self.micros(10, 400);
        let host = &mut self.nodes[node];
        let events = as_heard(host.kernel.take_events());
        let Some(daemon) = &mut host.daemon else { return };
        if !events.is_empty() {
            daemon.last_news = daemon.last_news.max(now.after(on_the_way));
            let input = FibIn::Events(events);
            self.queue.put(daemon.last_news, Event::ToFib { node, life, input });
        }
    }

    /// The Fib is told something: does it know now of others in our places?
    pub(super) fn hear_of_strangers(&mut self, node: NodeIx, input: &FibIn) {
        let (now, host) = (self.now, &mut self.nodes[node]);
        if host.strangers.is_empty() {
            return;
        }
        let mut hear = |route: &KernelRoute| {
            if let Some(heard @ None) = host.strangers.get_mut(&route.key.prefix)
                && route.protocol != PROTOCOL
            {
                *heard = Some(now);
            }
        };
        match input {
            FibIn::Dumped(dump) => dump.routes.iter().for_each(hear),
            FibIn::Events(events) => events.iter().for_each(|event| {
                if let KernelEvent::Route(route) = event {
                    hear(route);
                }
            }),
            _ => {}
        }
    }

    // ---- others ----------------------------------------------------------------------------

    /// Somebody does something to a node's kernel.
    pub fn edit(&mut self, node: NodeIx, edit: impl FnOnce(&mut starling_fib::mem::Kernel)) {
        edit(&mut self.nodes[node].kernel);
        self.kernel_changed(node);
    }

    /// Somebody else's route replaces ours; whether there was one to replace.
    pub fn take_over(&mut self, node: NodeIx, ours: &KernelRoute, protocol: u8) -> bool {
        let host = &mut self.nodes[node];
        let done = host.kernel.replace(KernelRoute { protocol, ..ours.clone() }).is_ok();
        if done {
            host.strangers.insert(ours.key.prefix, None);
        }
        self.kernel_changed(node);
        done
    }

    /// Others give back every place that they took.
    pub fn give_back(&mut self, node: NodeIx) {
        let host = &mut self.nodes[node];
        for prefix in std::mem::take(&mut host.strangers).into_keys() {
            for route in others_at(host.kernel.routes_to(prefix)) {
                let _ = host.kernel.delete(&route);
            }
        }
        self.kernel_changed(node);
    }

    /// The NIC goes down: no packet passes, and the kernel flushes what leads out of it.
    pub fn nic_down(&mut self, node: NodeIx) {
        self.network.cut(node, true);
        self.edit(node, |kernel| kernel.link_change(topology::NIC, |link| link.up = false));
        self.judge_node(node);
    }

    /// It comes up, and whoever set up the addresses and routes of the boot does so again.
    pub fn nic_up(&mut self, node: NodeIx) {
        self.network.cut(node, false);
        self.edit(node, |kernel| {
            kernel.link_change(topology::NIC, |link| link.up = true);
            topology::boot(node, kernel);
        });
        self.try_again();
        self.judge_node(node);
    }

    /// The cable is pulled or plugged in: the kernel keeps addresses and routes.
    pub fn carrier(&mut self, node: NodeIx, there: bool) {
        self.network.cut(node, !there);
        self.edit(node, |kernel| {
            kernel.link_change(topology::NIC, |link| link.running = there);
        });
        self.try_again();
        self.judge_node(node);
    }
}

fn route_of(op: &RouteOp) -> &KernelRoute {
    match op {
        RouteOp::Add(route) | RouteOp::Replace { new: route, .. } | RouteOp::Delete(route) => route,
    }
}

fn others_at(routes: Vec<KernelRoute>) -> Vec<KernelRoute> {
    routes.into_iter().filter(|route| route.protocol != PROTOCOL).collect()
}

/// The news as our netlink side reads it: an IPv6 route that goes may have been one hop of
/// several, so that only a dump tells; and a loss stands for its whole batch.
fn as_heard(events: Vec<KernelEvent>) -> Vec<KernelEvent> {
    let is_loss = |event: &KernelEvent| match event {
        KernelEvent::Lost => true,
        KernelEvent::RouteGone(KernelRoute {
            key: RouteKey { prefix: IpNet::V6(_), .. },
            hops,
            ..
        }) => matches!(hops.as_slice(), [hop] if hop.gateway.is_some()),
        _ => false,
    };
    if events.iter().any(is_loss) { vec![KernelEvent::Lost] } else { events }
}
