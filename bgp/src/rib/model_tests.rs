//! The Rib against a model written the slow, obvious way, in random interleavings: Fib, counts,
//! next hops to watch, and what every neighbour has been told, fast readers and slow ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;

use super::decision::Candidate;
use super::decision::tests::oracle;
use super::fixture::*;
use crate::attrs::AttrSet;
use crate::msg::{Export, FibBest, NexthopNews, PeerPolicy, PeerUp, RibConfig, RibIn, Via};
use crate::policy::{
    AnyCommunity, Changes, Matches, Policy, PrefixPattern, PrefixSet, Rule, RuleName, Verdict,
};
use crate::types::{Family, PeerId, PeerKind, family_of};
use crate::wire::community::Community;

/// Neighbours 1 to 6: three over iBGP, three over eBGP, two of them in one AS.
const ASNS: [u32; 6] = [64512, 64512, 64512, 65001, 65001, 65002];

#[derive(Clone, Debug)]
enum Act {
    Up(u32),
    Down(u32),
    Announce {
        peer: u32,
        attrs: usize,
        nets: Vec<usize>,
    },
    Withdraw {
        peer: u32,
        nets: Vec<usize>,
    },
    Configure {
        originate: Vec<usize>,
        absent: u32,
        exports: u8,
        imports: u8,
        moved: bool,
        clients: u8,
        rules: u8,
    },
    /// The kernel says what it thinks of everything that is tracked.
    Answer {
        metrics: [Option<u32>; 3],
    },
    /// The kernel says it of one.
    News {
        hop: usize,
        metric: Option<u32>,
    },
    Pull {
        peer: u32,
        room: usize,
    },
    Drain(u32),
    Refresh {
        peer: u32,
        v6: bool,
    },
}

fn nets() -> Vec<IpNet> {
    let v4 = ["10.1.0.0/16", "10.1.1.0/24", "10.2.0.0/16", "10.3.0.0/26", "192.168.0.0/24"];
    let v6 = ["2001:db8:1::/48", "2001:db8:2::/64"];
    v4.iter().chain(&v6).map(|n| net(n)).collect()
}

/// The last two are IPv6's, and our own.
fn hops() -> [IpAddr; 5] {
    ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "10.0.0.100"].map(ip)
}

fn attrs(pick: usize, family: Family) -> AttrSet {
    let v4 = family == Family::Ipv4;
    let hop = match (pick % 7, v4) {
        (6, true) => hops()[4],
        (n, true) => hops()[n % 2],
        (n, false) => hops()[2 + n % 2],
    };
    let paths: [&[u32]; 4] = [&[65001], &[65001, 65009], &[65002], &[65002, 65001]];
    let attrs = Attrs {
        next_hop: hop,
        path: paths[pick % 4].to_vec(),
        local_pref: [None, Some(100), Some(200)][pick % 3],
        med: [None, Some(5), Some(1)][pick / 3 % 3],
        community: [None, None, None, Some(0xffff_ff01), Some(0xffff_ff02)][pick % 5],
    };
    attrs.set()
}

fn act() -> impl Strategy<Value = Act> {
    let peer = 1u32..7;
    let some = || prop::collection::vec(0usize..7, 1..4);
    let metric = || prop_oneof![3 => (0u32..3).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        3 => peer.clone().prop_map(Act::Up),
        1 => peer.clone().prop_map(Act::Down),
        9 => (peer.clone(), 0usize..60, some())
            .prop_map(|(peer, attrs, nets)| Act::Announce { peer, attrs, nets }),
        4 => (peer.clone(), some()).prop_map(|(peer, nets)| Act::Withdraw { peer, nets }),
        1 => (prop::collection::vec(0usize..7, 0..3), 0u32..9, any::<u8>(), any::<u8>(), any::<bool>(), any::<u8>(), any::<u8>())
            .prop_map(|(originate, absent, exports, imports, moved, clients, rules)| Act::Configure {
                originate, absent, exports, imports, moved, clients, rules
            }),
        3 => [metric(), metric(), metric()].prop_map(|metrics| Act::Answer { metrics }),
        3 => (0usize..5, metric()).prop_map(|(hop, metric)| Act::News { hop, metric }),
        6 => (peer.clone(), 0usize..200).prop_map(|(peer, room)| Act::Pull { peer, room }),
        2 => peer.clone().prop_map(Act::Drain),
        1 => (peer, any::<bool>()).prop_map(|(peer, v6)| Act::Refresh { peer, v6 }),
    ]
}

/// The whole state as maps.
struct Model {
    config: RibConfig,
    sessions: BTreeMap<PeerId, PeerUp>,
    routes: BTreeMap<(IpNet, PeerId), AttrSet>,
    answers: BTreeMap<IpAddr, Option<u32>>,
}

impl Model {
    fn policy(&self, peer: PeerId) -> Option<&PeerPolicy> {
        self.config.peers.iter().find(|(id, _)| *id == peer).map(|(_, p)| p)
    }

    fn accepts(&self, peer: PeerId, prefix: IpNet, attrs: &AttrSet) -> bool {
        let Some(policy) = self.policy(peer) else { return false };
        policy.import.within.iter().any(|n| n.contains(&prefix))
            && !policy.import.except.iter().any(|n| n.contains(&prefix))
            && !policy.import.own_addresses.contains(&attrs.next_hop().address)
    }

    fn accepted(&self) -> impl Iterator<Item = (IpNet, PeerId, &AttrSet)> {
        let all = self.routes.iter().map(|((net, peer), attrs)| (*net, *peer, attrs));
        all.filter(|(net, peer, attrs)| self.accepts(*peer, *net, attrs))
    }

    fn used_hops(&self) -> BTreeSet<IpAddr> {
        self.accepted().map(|(_, _, attrs)| attrs.next_hop().address).collect()
    }

    /// What is no longer tracked is forgotten.
    fn forget(&mut self) {
        let used = self.used_hops();
        self.answers.retain(|hop, _| used.contains(hop));
    }

    fn hear(&mut self, hop: IpAddr, metric: Option<u32>) {
        if self.used_hops().contains(&hop) {
            self.answers.insert(hop, metric);
        }
    }

    fn best(&self) -> BTreeMap<IpNet, (PeerId, AttrSet)> {
        let own = |family| {
            AttrSet::originated(if family == Family::Ipv4 { ip("0.0.0.0") } else { ip("::") })
        };
        let mut best = BTreeMap::new();
        for prefix in nets() {
            let family = if prefix.addr().is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
            if self.config.originate.contains(&prefix.into()) {
                best.insert(prefix, (PeerId::LOCAL, own(family)));
                continue;
            }
            let mut candidates = Vec::new();
            for (_, peer, attrs) in self.accepted().filter(|(net, ..)| *net == prefix) {
                let Some(Some(metric)) = self.answers.get(&attrs.next_hop().address) else {
                    continue;
                };
                let session = &self.sessions[&peer];
                candidates.push(Candidate {
                    peer,
                    path_id: 0,
                    rank: attrs.rank(),
                    med_among: attrs.rank().neighbor_as,
                    long_lived_stale: false,
                    internal: session.kind != PeerKind::External,
                    metric: *metric,
                    router_id: session.negotiated.router_id,
                    address: session.address,
                });
            }
            if let Some(winner) = oracle(&candidates) {
                best.insert(prefix, (winner, self.routes[&(prefix, winner)].clone()));
            }
        }
        best
    }

    fn fib(&self) -> BTreeMap<IpNet, FibBest> {
        let fib = |(peer, attrs): (PeerId, AttrSet)| match peer {
            PeerId::LOCAL => FibBest::Own,
            from => FibBest::Via(Arc::new(Via::one(attrs.next_hop(), from))),
        };
        self.best().into_iter().map(|(net, best)| (net, fib(best))).collect()
    }

    fn export(&self, reader: PeerId) -> BTreeMap<IpNet, AttrSet> {
        let (Some(policy), Some(session)) = (self.policy(reader), self.sessions.get(&reader))
        else {
            return BTreeMap::new();
        };
        let internal = session.kind != PeerKind::External;
        let mut export = BTreeMap::new();
        for (prefix, (source, attrs)) in self.best() {
            let from_ibgp =
                self.sessions.get(&source).is_some_and(|s| s.kind != PeerKind::External);
            let has = |community: u32| attrs.communities().iter().any(|c| c.0 == community);
            let is_client = |peer| self.policy(peer).is_some_and(|p| p.client);
            let reflected = from_ibgp && internal;
            let forbidden = source == reader
                || reflected && !is_client(reader) && !is_client(source)
                || has(0xffff_ff02)
                || has(0xffff_ff01) && !internal;
            let by_default = source == PeerId::LOCAL || reflected || policy.export == Export::All;
            let ruled = !policy.export_rules.is_empty() && net("10.1.0.0/16").contains(&prefix);
            if forbidden || !ruled && !by_default {
                continue;
            }
            let addresses = [session.local].into_iter().chain(self.config.addresses.clone());
            let family = family_of(prefix.addr());
            let Some(next_hop) = { addresses }.find(|a| family_of(*a) == family) else { continue };
            let mut attrs = attrs;
            if ruled {
                attrs = marking().apply(&attrs);
            }
            let kept = attrs.next_hop();
            let set = match (internal, reflected) {
                (true, true) => {
                    let originator = self.sessions[&source].negotiated.router_id;
                    attrs.exported_internal(kept).reflected(originator, self.config.router_id)
                }
                (true, false) => attrs.exported_internal(next_hop),
                (false, _) => attrs.exported_external(OWN, next_hop),
            };
            export.insert(prefix, set);
        }
        export
    }
}

/// What the rule of export adds to routes in 10.1.0.0/16, which it lets pass.
fn marking() -> Changes {
    Changes { add: vec![AnyCommunity::Standard(Community(64512 << 16 | 7))], ..Changes::default() }
}

fn rules() -> Arc<Policy> {
    let prefix = PrefixSet::new(&[PrefixPattern::or_longer(net("10.1.0.0/16"))]);
    Arc::new(Policy::new(vec![Rule {
        name: RuleName { policy: "mark".into(), number: 1, name: None },
        when: Matches { prefix: Some(prefix), ..Matches::default() },
        unless: None,
        verdict: Verdict::Accept(marking()),
    }]))
}

fn configuration(act: &Act) -> RibConfig {
    let Act::Configure { originate, absent, exports, imports, moved, clients, rules: ruled } = act
    else {
        unreachable!()
    };
    let mut peers = Vec::new();
    for peer in (1..7).filter(|p| p != absent) {
        let export = if exports >> peer & 1 == 1 { Export::All } else { Export::Own };
        let (id, mut one) = policy(peer, export);
        let import = Arc::make_mut(&mut one.import);
        match imports >> peer & 3 {
            0 => import.within = vec![net("10.0.0.0/8"), net("2001:db8:1::/48")],
            1 => import.except = vec![net("10.1.1.0/24")],
            _ => {}
        }
        one.client = peer < 4 && clients >> peer & 1 == 1;
        if ruled >> peer & 1 == 1 {
            one.export_rules = rules();
        }
        peers.push((id, one));
    }
    let mut config = config(&[], peers);
    config.originate = originate.iter().map(|n| nets()[*n].into()).collect();
    if *moved {
        config.addresses = vec![ip("10.0.0.101")];
    }
    config
}

fn session(peer: u32) -> PeerUp {
    let mut up = up(peer, ASNS[peer as usize - 1]);
    up.negotiated.router_id = Ipv4Addr::new(1, 1, 1, (peer % 3) as u8);
    // Six sessions over two of our addresses, one of them IPv6.
    if peer == 2 {
        up.local = ip("2001:db8::100");
    }
    up
}

fn first() -> Act {
    Act::Configure {
        originate: vec![0],
        absent: 9,
        exports: 0xf8,
        imports: 0xff,
        moved: false,
        clients: 0,
        rules: 0,
    }
}

fn run(acts: &[Act]) -> World {
    let config = configuration(&first());
    let mut world = World::new(config.clone());
    let (routes, answers) = (BTreeMap::new(), BTreeMap::new());
    let mut model = Model { config, sessions: BTreeMap::new(), routes, answers };
    for act in acts {
        step(&mut world, &mut model, act);
        model.forget();
        assert_eq!(world.fib, model.fib(), "after {act:?}");
        let tracked: BTreeSet<IpAddr> = world.tracked.iter().copied().collect();
        assert_eq!((tracked.len(), &tracked), (world.tracked.len(), &model.used_hops()));
    }
    for peer in 1..7 {
        if model.sessions.contains_key(&PeerId(peer)) {
            check_reader(&mut world, &model, peer);
        }
    }
    world
}

fn step(world: &mut World, model: &mut Model, act: &Act) {
    let is_up = |model: &Model, peer: u32| model.sessions.contains_key(&PeerId(peer));
    match act {
        Act::Configure { .. } => {
            model.config = configuration(act);
            world.say(RibIn::Configure(Box::new(model.config.clone())));
        }
        Act::Up(peer) => {
            if !is_up(model, *peer) {
                model.sessions.insert(PeerId(*peer), session(*peer));
                world.up(session(*peer));
            }
        }
        Act::Down(peer) => {
            model.sessions.remove(&PeerId(*peer));
            model.routes.retain(|(_, from), _| *from != PeerId(*peer));
            world.down(*peer);
        }
        Act::Announce { peer, attrs: pick, nets: picks } => {
            for n in picks {
                let prefix = nets()[*n];
                let set = attrs(*pick, family_of(prefix.addr()));
                if is_up(model, *peer) {
                    model.routes.insert((prefix, PeerId(*peer)), set.clone());
                }
                world.say(announce_set(*peer, set, prefix));
                model.forget();
            }
        }
        Act::Withdraw { peer, nets: picks } => {
            let gone: Vec<IpNet> = picks.iter().map(|n| nets()[*n]).collect();
            if is_up(model, *peer) {
                model.routes.retain(|(n, from), _| *from != PeerId(*peer) || !gone.contains(n));
            }
            world.say(withdraw(*peer, &gone));
        }
        Act::Answer { metrics } => {
            let hops: Vec<IpAddr> = world.tracked.clone();
            let metric = metrics.iter().cycle();
            let answer = |(address, metric): (&IpAddr, &Option<u32>)| NexthopNews {
                next_hop: (*address).into(),
                metric: *metric,
                interface: None,
            };
            let answers: Vec<NexthopNews> = hops.iter().zip(metric).map(answer).collect();
            for NexthopNews { next_hop, metric, .. } in &answers {
                model.hear(next_hop.address, *metric);
            }
            world.say(RibIn::Nexthops(answers));
        }
        Act::News { hop, metric } => {
            model.hear(hops()[*hop], *metric);
            world.say(news(&hops()[*hop].to_string(), *metric));
        }
        Act::Pull { peer, room } => {
            if is_up(model, *peer) && !world.drained[&PeerId(*peer)] {
                world.say(RibIn::Pull { peer: PeerId(*peer), room: *room });
            }
        }
        Act::Drain(peer) => {
            if is_up(model, *peer) {
                check_reader(world, model, *peer);
            }
        }
        Act::Refresh { peer, v6 } => {
            if is_up(model, *peer) {
                let family = if *v6 { Family::Ipv6 } else { Family::Ipv4 };
                world.say(RibIn::Refresh { peer: PeerId(*peer), family });
                if *v6 {
                    let told = world.told.get_mut(&PeerId(*peer)).unwrap();
                    told.ends[1] = 0;
                    check_reader(world, model, *peer);
                }
            }
        }
    }
}

/// Lets a neighbour read everything and compares what it has with what it should have.
fn check_reader(world: &mut World, model: &Model, peer: u32) {
    let id = PeerId(peer);
    let told = world.drain(peer).clone();
    assert_eq!(told.routes, model.export(id), "told to {peer}");
    let counts = world.rib.peer_counts(id);
    assert_eq!(counts.sent.iter().sum::<u32>() as usize, told.routes.len());
    let mine = |(_, from, _): &(IpNet, PeerId, &AttrSet)| *from == id;
    let received = model.routes.keys().filter(|(_, from)| *from == id).count();
    assert_eq!(counts.received.iter().sum::<u32>() as usize, received);
    assert_eq!(counts.accepted.iter().sum::<u32>() as usize, model.accepted().filter(mine).count());
    let best = model.best().into_values().filter(|(from, _)| *from == id).count();
    assert_eq!(counts.best.iter().sum::<u32>() as usize, best);
    let own_only = |policy: &PeerPolicy| {
        let clients = model.config.peers.iter().any(|(_, p)| p.client);
        policy.export == Export::Own && policy.export_rules.is_empty() && !clients
    };
    let at_once = |policy: &PeerPolicy| own_only(policy) || world.settled > 0;
    if model.policy(id).is_some_and(at_once) {
        assert!(told.ends.iter().all(|n| *n > 0), "{peer} has heard no End-of-RIB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn agrees_with_the_model(acts in prop::collection::vec(act(), 1..80)) {
        let mut acts = acts;
        // Begin with most sessions up: interesting at once.
        acts.splice(0..0, [1, 2, 4, 5].map(Act::Up));
        let mut world = run(&acts);
        prop_assert_eq!(&run(&acts).trace, &world.trace, "the same input, the same output");

        // And when all is over nothing is left: no destination, no attributes, no next hop.
        for peer in 1..7 {
            world.down(peer);
        }
        let empty = Act::Configure { originate: vec![], absent: 9, exports: 0, imports: 0, moved: false, clients: 0, rules: 0 };
        world.say(RibIn::Configure(Box::new(configuration(&empty))));
        prop_assert_eq!(world.rib.destinations(), [0, 0]);
        prop_assert_eq!(world.rib.attribute_sets().0, 0);
        prop_assert!(world.tracked.is_empty() && world.fib.is_empty());
        prop_assert!(world.rib.groups().is_empty());
    }
}
