//! The Fib and an in-memory kernel, wired as the daemon wires the real ones: for tests.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::Fib;
use crate::audit::Audit;
use crate::learn::MAIN;
use crate::mem::Kernel;
use crate::types::*;
use crate::view::Words;

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn pool(cidr: &str, mode: Mode) -> Pool {
    Pool { cidr: net(cidr), mode }
}

pub(crate) fn config(addresses: &[&str], pools: Vec<Pool>) -> FibConfig {
    FibConfig {
        pools,
        addresses: addresses.iter().map(|address| ip(address)).collect(),
        ..FibConfig::default()
    }
}

/// A route by hand: `via` and `device` of one hop.
pub(crate) fn route(prefix: &str, via: Option<&str>, device: u32, protocol: u8) -> KernelRoute {
    KernelRoute {
        key: RouteKey { prefix: net(prefix), table: MAIN, metric: 0 },
        protocol,
        kind: Kind::Unicast,
        scope: 0,
        tos: 0,
        source: None,
        hops: [Hop { gateway: via.map(ip), device, onlink: false, weight: 1 }].into(),
        object: None,
    }
}

pub(crate) struct Rig {
    pub(crate) fib: Fib,
    pub(crate) kernel: Kernel,
    pub(crate) config: FibConfig,
    pub(crate) now: Duration,
    pub(crate) queue: VecDeque<FibOut>,
    pub(crate) reports: Vec<Report>,
    pub(crate) costs: Vec<(IpAddr, Option<u32>)>,
    /// What neighbours would be told of pods, and the messages that said so.
    pub(crate) announced: BTreeSet<IpNet>,
    pub(crate) pod_news: Vec<PodNews>,
    pub(crate) applied: Vec<RouteOp>,
    pub(crate) ways: Vec<(Ends, Way)>,
    pub(crate) unanswered: Vec<Ends>,
    pub(crate) dumps: usize,
    pub(crate) audits: Vec<Result<Audit, String>>,
}

impl Rig {
    pub(crate) fn new(kernel: Kernel, config: FibConfig) -> Rig {
        let mut rig = Rig {
            fib: Fib::new(),
            kernel,
            config: config.clone(),
            now: Duration::from_secs(1),
            queue: VecDeque::new(),
            reports: Vec::new(),
            costs: Vec::new(),
            announced: BTreeSet::new(),
            pod_news: Vec::new(),
            applied: Vec::new(),
            ways: Vec::new(),
            unanswered: Vec::new(),
            dumps: 0,
            audits: Vec::new(),
        };
        // What happened before the daemon came is in no event.
        rig.kernel.take_events();
        rig.configure(config);
        rig
    }

    pub(crate) fn configure(&mut self, config: FibConfig) {
        self.config = config.clone();
        self.tell(FibIn::Configure(Box::new(config)));
    }

    pub(crate) fn tell(&mut self, input: FibIn) {
        let mut out = Vec::new();
        self.fib.handle(input, self.now, &mut out);
        self.queue.extend(out);
    }

    pub(crate) fn want(&mut self, prefix: &str, next_hops: &[&str]) {
        self.target(prefix, Target::via(next_hops.iter().map(|hop| ip(hop))));
    }

    pub(crate) fn target(&mut self, prefix: &str, target: Target) {
        self.tell(FibIn::Routes(vec![RouteChange { prefix: net(prefix), target: Some(target) }]));
    }

    pub(crate) fn own(&mut self, prefix: &str) {
        let change = RouteChange { prefix: net(prefix), target: Some(Target::Own) };
        self.tell(FibIn::Routes(vec![change]));
    }

    pub(crate) fn drop(&mut self, prefix: &str) {
        self.tell(FibIn::Routes(vec![RouteChange { prefix: net(prefix), target: None }]));
    }

    /// Does one thing that the Fib asked for; whether there was one.
    pub(crate) fn serve(&mut self) -> bool {
        match self.queue.pop_front() {
            None => return false,
            Some(FibOut::Apply(ops)) => {
                let mut foreign = self.foreign();
                // A replace of IPv6 cannot spare what came under its key a moment ago, unheard of.
                let replaces = |r: &KernelRoute| {
                    ops.iter().any(|op| {
                        matches!(op, RouteOp::Replace { new, .. }
                            if new.key == r.key && matches!(r.key.prefix, IpNet::V6(_)))
                    })
                };
                foreign.retain(|r| {
                    !replaces(r) || self.fib.world.others_at(r.key).any(|other| other == r)
                });
                let failures = self.kernel.apply(&ops);
                let mut after = self.foreign();
                after.retain(|r| foreign.contains(r));
                assert_eq!(foreign, after, "touched a foreign route by {ops:?}");
                self.applied.extend(ops.iter().cloned());
                self.tell(FibIn::Applied(failures));
            }
            Some(FibOut::Objects(ops)) => {
                let routes: Vec<KernelRoute> = self.kernel.routes().cloned().collect();
                let foreign = self.foreign_objects();
                let failures = self.kernel.apply_objects(&ops);
                let after: Vec<KernelRoute> = self.kernel.routes().cloned().collect();
                // One that somebody led through ours a moment ago, unheard of, cannot be spared.
                let unheard = |r: &KernelRoute| {
                    !self.fib.world.knows(r)
                        && ops.iter().any(|op| Some(op.object().id) == r.object)
                };
                let lost = routes.iter().find(|r| !after.contains(r) && !unheard(r));
                assert_eq!(lost, None, "a route went by {ops:?}");
                assert_eq!(foreign, self.foreign_objects(), "touched an object by {ops:?}");
                self.tell(FibIn::ObjectsDone(failures));
            }
            Some(FibOut::Dump) => {
                self.dumps += 1;
                let table = self.config.table;
                let answer = match self.kernel.dump() {
                    Ok(mut dump) => {
                        dump.routes.retain(|r| r.key.table == MAIN || r.key.table == table);
                        FibIn::Dumped(Box::new(dump))
                    }
                    Err(why) => FibIn::DumpFailed(why),
                };
                self.tell(answer);
            }
            Some(FibOut::Read) => {
                let table = self.config.table;
                let answer = self.kernel.dump().map(|mut dump| {
                    dump.routes.retain(|r| r.key.table == MAIN || r.key.table == table);
                    dump
                });
                if let Ok(dump) = &answer {
                    self.tell(FibIn::Part(Box::new(dump.clone())));
                }
                self.tell(FibIn::PartsDone(answer.map(|_| ())));
            }
            Some(FibOut::Audited(audit)) => self.audits.push(audit),
            Some(FibOut::Tunnel(spec)) => {
                let result = self.kernel.tunnel(&spec);
                self.tell(FibIn::TunnelDone(result));
            }
            Some(FibOut::Nexthops(costs)) => {
                self.costs.extend(
                    costs.into_iter().map(|(hop, cost)| (hop.address, cost.map(|c| c.metric))),
                );
            }
            Some(FibOut::Pods(news)) => {
                for prefix in &news.went {
                    assert!(self.announced.remove(prefix), "{prefix} was never told");
                }
                for prefix in &news.came {
                    assert!(self.announced.insert(*prefix), "{prefix} was told already");
                }
                self.pod_news.push(news);
            }
            Some(FibOut::Ways(ways)) => self.ways.extend(ways),
            Some(FibOut::Unanswered(ends)) => self.unanswered.extend(ends),
            Some(FibOut::Report(report)) => self.reports.push(report),
        }
        true
    }

    /// Hands over what the kernel has to say; whether there was something.
    pub(crate) fn hear(&mut self) -> bool {
        let events = self.kernel.take_events();
        if events.is_empty() {
            return false;
        }
        self.tell(FibIn::Events(events));
        true
    }

    /// Until nothing moves at this moment.
    pub(crate) fn run(&mut self) {
        for _ in 0..10_000 {
            if !self.serve() && !self.hear() {
                return;
            }
        }
        panic!("no end at {:?}", self.now);
    }

    /// Lets time pass, with every deadline kept.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        for _ in 0..100_000 {
            match self.fib.next_deadline() {
                Some(deadline) if deadline <= end => {
                    self.now = self.now.max(deadline);
                    self.tell(FibIn::Tick);
                    self.run();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("busy until {:?}", self.now);
    }

    /// Routes of our protocols, whatever their prefix.
    pub(crate) fn ours(&self) -> Vec<KernelRoute> {
        let ours = |route: &&KernelRoute| matches!(route.protocol, 12 | 80);
        self.kernel.routes().filter(ours).cloned().collect()
    }

    /// Objects that are not ours to touch.
    fn foreign_objects(&self) -> Vec<Object> {
        let ours = |object: &&Object| self.fib.world.objects.is_ours(object);
        self.kernel.objects().filter(|object| !ours(object)).cloned().collect()
    }

    fn foreign(&self) -> Vec<KernelRoute> {
        let foreign = |route: &&KernelRoute| !matches!(route.protocol, 12 | 80);
        self.kernel.routes().filter(foreign).cloned().collect()
    }

    /// Our routes as text, in order: `PREFIX words`.
    pub(crate) fn table(&self) -> Vec<String> {
        self.ours()
            .iter()
            .map(|route| format!("{} {}", route.key.prefix, Words::of(route, &self.fib.world)))
            .collect()
    }
}
