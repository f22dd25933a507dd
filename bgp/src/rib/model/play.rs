//! One act after the other done to the Rib and to the model, and the two compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::acts::{Act, Answer, Knobs, Mark, Wisher, attrs, families, sends_ids, session};
use super::choice::Choice;
use super::state::{Model, Stage};
use super::{Key, PEERS, hops, nets};
use crate::attrs::AttrSet;
use crate::msg::{Export, NexthopNews, Op, PeerPolicy, RibIn, RouteBatch, Wished};
use crate::rib::fixture::{World, path};
use crate::rib::show::{Outward, RouteFilter, RouteView, Waits};
use crate::session::Retain;
use crate::types::{Family, PeerId, family_of};

/// Both, side by side.
struct Game {
    world: World,
    model: Model,
    /// Compared after every message.
    compared: bool,
}

pub(super) fn checked(acts: &[Act]) -> World {
    play(acts, true)
}

/// The same messages, and nobody looks.
pub(super) fn unchecked(acts: &[Act]) -> World {
    play(acts, false)
}

fn play(acts: &[Act], compared: bool) -> World {
    let config = Knobs::plain().config();
    let mut game = Game { world: World::new(config.clone()), model: Model::new(config), compared };
    for act in acts {
        game.act(act);
        game.compare(act);
    }
    for peer in PEERS {
        game.read(peer);
    }
    game.world
}

/// When all is over nothing is left: no destination, no attributes, no next hop, no wait.
pub(super) fn end(world: &mut World) {
    for peer in PEERS {
        world.down(peer);
    }
    world.say(RibIn::Originate(Vec::new()));
    let went = world.rib.pods().collect();
    world.say(RibIn::Pods { came: Vec::new(), went });
    // Who is configured no more is waited for no more.
    let config = crate::msg::RibConfig { peers: Vec::new(), ..Knobs::plain().config() };
    world.say(RibIn::Configure(Box::new(config)));
    assert_eq!(world.rib.destinations(), [0, 0]);
    assert_eq!(world.rib.attribute_sets().0, 0);
    assert!(world.tracked.is_empty() && world.fib.is_empty());
    assert!(world.rib.groups().is_empty());
    world.wait(60);
    assert_eq!(world.rib.next_deadline(), None);
}

impl Game {
    fn is_up(&self, peer: u32) -> bool {
        self.model.up.contains_key(&PeerId(peer))
    }

    fn act(&mut self, act: &Act) {
        let id = |peer: &u32| PeerId(*peer);
        match act {
            Act::Configure(knobs) => {
                self.model.configure(knobs.config());
                self.world.say(RibIn::Configure(Box::new(knobs.config())));
            }
            Act::Up { peer, preserved, other } => {
                if !self.is_up(*peer) {
                    self.model.peer_up(session(*peer, *preserved, *other));
                    self.world.up(session(*peer, *preserved, *other));
                }
            }
            Act::Down(peer) => {
                self.model.peer_down(id(peer), None);
                self.world.down(*peer);
            }
            Act::Away { peer, families: bits, seconds, long_lived } => {
                let retain = Retain {
                    families: families(*bits),
                    time: Duration::from_secs(*seconds),
                    long_lived: [Duration::from_secs(*long_lived); 2],
                };
                self.model.peer_down(id(peer), Some(retain));
                self.world.sessions.remove(&id(peer));
                self.world.say(RibIn::PeerDown {
                    peer: id(peer),
                    retain: Some(retain),
                    silent: false,
                });
            }
            Act::Announce { peer, path_id, attrs: pick, nets: picks } => {
                for prefix in picks.iter().map(|n| nets()[*n]) {
                    let set = attrs(*pick, family_of(prefix.addr()));
                    let ids = sends_ids(*peer).then_some(*path_id);
                    self.model.announce((prefix, id(peer), ids.unwrap_or(0)), set.clone());
                    self.world.say(path(*peer, ids, Some(set), prefix));
                    self.look();
                }
            }
            Act::Withdraw { peer, path_id, nets: picks } => {
                for prefix in picks.iter().map(|n| nets()[*n]) {
                    let ids = sends_ids(*peer).then_some(*path_id);
                    self.model.withdraw((prefix, id(peer), ids.unwrap_or(0)));
                    self.world.say(path(*peer, ids, None, prefix));
                    self.look();
                }
            }
            Act::Mark { peer, family, mark } => {
                self.model.mark(id(peer), *family, *mark);
                let mut batch = RouteBatch::new(id(peer));
                batch.ops.push(match mark {
                    Mark::EndOfRib => Op::EndOfRib(*family),
                    Mark::RefreshBegins => Op::RefreshBegins(*family),
                    Mark::RefreshEnds => Op::RefreshEnds(*family),
                });
                self.world.say(RibIn::Routes(Box::new(batch)));
            }
            Act::Originate { by, nets: picks } => {
                let wish: BTreeSet<IpNet> = picks.iter().map(|n| nets()[*n]).collect();
                let before = self.model.wishes.insert(*by, wish.clone()).unwrap_or_default();
                self.world.say(match by {
                    Wisher::Operator => {
                        RibIn::Originate(wish.into_iter().map(Wished::from).collect())
                    }
                    Wisher::Pods => RibIn::Pods {
                        came: wish.difference(&before).copied().collect(),
                        went: before.difference(&wish).copied().collect(),
                    },
                });
            }
            Act::Drain { peer, on } => {
                self.model.drain(id(peer), *on);
                self.world.say(RibIn::Drain { peer: id(peer), on: *on });
            }
            Act::Answer { answers } => {
                let tracked: Vec<IpAddr> = self.world.tracked.clone();
                let said = tracked.into_iter().zip(answers.iter().copied().cycle());
                self.hear(said.collect());
            }
            Act::News { hop, answer } => self.hear(vec![(hops()[*hop], *answer)]),
            Act::Pull { peer, room } => {
                if self.is_up(*peer) && !self.world.drained[&id(peer)] {
                    self.world.say(RibIn::Pull { peer: id(peer), room: *room });
                }
            }
            Act::Read(peer) => self.read(*peer),
            Act::Refresh { peer, v6 } => {
                if self.is_up(*peer) {
                    let family = if *v6 { Family::Ipv6 } else { Family::Ipv4 };
                    self.world.say(RibIn::Refresh { peer: id(peer), family });
                    if *v6 {
                        let told = self.world.told.get_mut(&id(peer)).unwrap();
                        told.ends[1] = 0;
                        self.read(*peer);
                    }
                }
            }
            Act::Wait(seconds) => self.wait(*seconds),
        }
    }

    /// The kernel answers.
    fn hear(&mut self, said: Vec<(IpAddr, Answer)>) {
        let news = |(hop, answer): &(IpAddr, Answer)| NexthopNews {
            next_hop: (*hop).into(),
            metric: answer.map(|(metric, _)| metric),
            interface: answer.map(|(_, name)| name.to_owned()),
        };
        let all = said.iter().map(news).collect();
        // All at once: what one says may be what another is asked for by.
        let tracked = self.model.tracked();
        said.into_iter().filter(|(hop, _)| tracked.contains(hop)).for_each(|(hop, answer)| {
            self.model.answers.insert(hop, answer);
        });
        self.world.say(RibIn::Nexthops(all));
    }

    fn wait(&mut self, seconds: u64) {
        let end = self.world.now.after(Duration::from_secs(seconds));
        while let Some(due) = self.world.rib.next_deadline().filter(|due| *due <= end) {
            (self.world.now, self.model.now) = (due, due);
            self.model.expire();
            self.world.say(RibIn::Tick);
            self.look();
        }
        (self.world.now, self.model.now) = (end, end);
        // Nothing is overdue.
        self.model.expire();
    }

    /// Takes from the Rib which paths are over their limit, and sees that it may be so.
    fn look(&mut self) -> Vec<RouteView> {
        if !self.compared {
            return Vec::new();
        }
        let (views, _) = self.world.rib.routes(&RouteFilter::default(), None, 1000);
        let mut over: BTreeSet<Key> = BTreeSet::new();
        for view in &views {
            for path in &view.paths {
                let filtered = path.filtered.as_deref().unwrap_or_default();
                if filtered.starts_with("over the limit") {
                    over.insert((view.prefix, path.peer, path.path_id));
                }
            }
        }
        for peer in PEERS.map(PeerId) {
            for family in Family::ALL {
                let cap = self.model.cap(peer, family).unwrap_or(u32::MAX) as usize;
                let all = || self.model.of(peer, family);
                let held = all().count();
                let out = all().filter(|(key, _)| over.contains(*key)).count();
                assert_eq!(held - out, held.min(cap), "as many of {peer:?} as may be");
                let was_in: Vec<&Key> =
                    all().filter(|(_, held)| !held.over).map(|(k, _)| k).collect();
                let stayed = was_in.iter().all(|key| !over.contains(*key));
                assert!(was_in.len() > cap || stayed, "who is in stays in");
            }
        }
        for (key, held) in &mut self.model.routes {
            held.over = over.contains(key);
        }
        self.model.forget();
        views
    }

    fn compare(&mut self, act: &Act) {
        let shown = self.look();
        if !self.compared {
            return;
        }
        let Game { world, model, .. } = self;
        let choices = model.choices();
        assert_eq!(world.fib, model.fib(&choices), "after {act:?}");
        let tracked: BTreeSet<IpAddr> = world.tracked.iter().copied().collect();
        assert_eq!((tracked.len(), &tracked), (world.tracked.len(), &model.tracked()));
        assert_eq!(world.over, model.alarms, "after {act:?}");
        let first = model.waits.values().map(|wait| wait.until).min();
        assert!(first.is_none_or(|until| world.rib.next_deadline().is_some_and(|d| d <= until)));
        counts(world, model, &choices);
        views(&shown, model, &choices);
    }

    /// Lets a neighbour read everything and compares what it has with what it should have.
    fn read(&mut self, peer: u32) {
        if !self.is_up(peer) {
            return;
        }
        let told = self.world.drain(peer).clone();
        if !self.compared {
            return;
        }
        let Game { world, model, .. } = self;
        let id = PeerId(peer);
        let mut heard: BTreeMap<IpNet, Vec<AttrSet>> = BTreeMap::new();
        let all = told.routes.iter().map(|(net, set)| (*net, set));
        for (net, set) in all.chain(told.paths.iter().map(|((net, _), set)| (*net, set))) {
            heard.entry(net).or_default().push(set.clone());
        }
        let mut wanted = model.export(id, &model.choices());
        for sets in heard.values_mut().chain(wanted.values_mut()) {
            sets.sort_by_key(|set| (set.next_hop(), set.bytes().to_vec()));
        }
        assert_eq!(heard, wanted, "told to {peer}");
        outward(world, id, &heard);
        let counts = world.rib.peer_counts(id);
        let sent = told.routes.len() + told.paths.len();
        assert_eq!(counts.sent.iter().sum::<u32>() as usize, sent);
        let own_only = |policy: &PeerPolicy| {
            let clients = model.config.peers.iter().any(|(_, p)| p.client);
            policy.export == Export::Own && policy.export_rules.is_empty() && !clients
        };
        let at_once = |policy: &PeerPolicy| own_only(policy) || world.settled > 0;
        if model.policy(id).is_some_and(at_once) {
            assert!(told.ends.iter().all(|n| *n > 0), "{peer} has heard no End-of-RIB");
        }
    }
}

/// What is counted of every neighbour.
fn counts(world: &World, model: &Model, choices: &BTreeMap<IpNet, Choice>) {
    for peer in PEERS.map(PeerId) {
        let counts = world.rib.peer_counts(peer);
        for (family, at) in Family::ALL.into_iter().zip(0..) {
            let count = |keep: &dyn Fn(&Key) -> bool| {
                model.of(peer, family).filter(|(key, _)| keep(key)).count() as u32
            };
            let held = |key: &Key| &model.routes[key];
            assert_eq!(counts.received[at], count(&|_| true));
            assert_eq!(counts.accepted[at], count(&|key| model.accepts(*key, held(key))));
            assert_eq!(counts.stale[at], count(&|key| held(key).stale), "stale of {peer:?}");
            assert_eq!(counts.over[at], count(&|key| held(key).over));
            let best = |key: &Key| choices[&key.0].best() == Some((key.1, key.2));
            assert_eq!(counts.best[at], count(&best));
        }
        assert_eq!(counts.draining, model.is_draining(peer));
    }
}

/// What is shown of what a neighbour is told that has read all there is, and of the rest.
fn outward(world: &World, peer: PeerId, heard: &BTreeMap<IpNet, Vec<AttrSet>>) {
    let ask = |outward| {
        let filter = RouteFilter { to: Some((peer, outward)), ..RouteFilter::default() };
        world.rib.routes(&filter, None, 1000).0
    };
    let mut shown: BTreeMap<IpNet, Vec<AttrSet>> = BTreeMap::new();
    for view in ask(Outward::Told) {
        for path in view.paths {
            let sent = path.sent.unwrap().unwrap();
            assert!(!sent.pending && path.peer != peer && path.filtered.is_none());
            shown.entry(view.prefix).or_default().push(sent.attrs);
        }
    }
    for sets in shown.values_mut() {
        sets.sort_by_key(|set| (set.next_hop(), set.bytes().to_vec()));
    }
    assert_eq!(&shown, heard, "shown of what {peer:?} is told");
    let all = ask(Outward::Any);
    let told =
        |view: &RouteView| view.paths.iter().filter(|p| matches!(p.sent, Some(Ok(_)))).count();
    assert_eq!(all.iter().map(told).sum::<usize>(), shown.values().map(Vec::len).sum::<usize>());
    for view in ask(Outward::Withheld) {
        assert!(view.paths.len() == 1 && view.paths[0].best && view.paths[0].sent.is_some());
        assert!(matches!(&view.paths[0].sent, Some(Err(why)) if !why.is_empty()));
    }
}

/// What is shown of every path.
fn views(views: &[RouteView], model: &Model, choices: &BTreeMap<IpNet, Choice>) {
    let mut shown = BTreeSet::new();
    for view in views {
        for path in view.paths.iter().filter(|path| path.wish.is_none()) {
            let key = (view.prefix, path.peer, path.path_id);
            assert!(shown.insert(key), "{key:?} is shown twice");
            let held = &model.routes[&key];
            assert_eq!(path.attrs, held.attrs);
            let accepted = model.accepts(key, held);
            assert_eq!(path.filtered.is_none(), accepted, "{key:?}");
            let used = model.used(key, held);
            assert_eq!(path.used, (accepted && used != held.attrs).then_some(used), "{key:?}");
            assert_eq!(path.best, choices[&key.0].best() == Some((key.1, key.2)), "{key:?}");
            let wait = model.waits.get(&(key.1, family_of(key.0.addr())));
            let stale = path.stale.map(|stale| (stale.waits, stale.until, stale.long_lived));
            let wanted = wait.filter(|_| held.stale).map(|wait| {
                let waits = match wait.stage {
                    Stage::Session(_) => Waits::Session,
                    Stage::EndOfRib => Waits::EndOfRib,
                    Stage::Refresh => Waits::Refresh,
                };
                (waits, wait.until, wait.long_lived)
            });
            assert_eq!(stale, wanted, "{key:?}");
        }
    }
    assert_eq!(shown, model.routes.keys().copied().collect());
}
