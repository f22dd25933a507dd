//! What the tests of the Rib and of export share: sessions, attribute sets, and a neighbour that
//! believes what it is sent.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

use super::Rib;
use crate::attrs::AttrSet;
use crate::msg::{
    Export, FibBest, NexthopNews, Op, PeerPolicy, PeerUp, RibConfig, RibIn, RibOut, RouteBatch,
    Said,
};
use crate::policy::ImportPolicy;
use crate::session::{Graceful, Negotiated, Retain};
use crate::types::{Asn, Families, Family, PeerId, PeerKind, Prefix, Time, V4, V6};
use crate::wire::judge::{Context, judge};
use crate::wire::update::Update;

/// Our AS in the tests.
pub(crate) const OWN: Asn = Asn(64512);

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A session: of `asn` 64512 over iBGP, else over eBGP.
pub(crate) fn up(peer: u32, asn: u32) -> PeerUp {
    let last = u8::try_from(peer).unwrap();
    let negotiated = Negotiated {
        asn: Asn(asn),
        router_id: Ipv4Addr::new(10, 0, 0, last),
        families: Families::ALL,
        as4: true,
        refresh: true,
        end_of_rib: true,
        hold: Duration::from_secs(90),
        ..Negotiated::default()
    };
    PeerUp {
        peer: PeerId(peer),
        kind: if Asn(asn) == OWN { PeerKind::Mesh } else { PeerKind::External },
        address: IpAddr::from([10, 0, 0, last]),
        local: ip("10.0.0.100"),
        scope: None,
        role: None,
        negotiated,
    }
}

/// The same with graceful restart, having kept what it forwarded of these families.
pub(crate) fn back(peer: u32, asn: u32, preserved: Families) -> PeerUp {
    let mut up = up(peer, asn);
    up.negotiated.graceful = Some(Graceful {
        families: Families::ALL,
        preserved,
        restarting: true,
        notification: true,
        time: Duration::from_secs(120),
        long_lived: [Duration::ZERO; 2],
    });
    up
}

/// A neighbour of which everything is taken.
pub(crate) fn policy(peer: u32, export: Export) -> (PeerId, PeerPolicy) {
    let import = ImportPolicy {
        within: vec![net("0.0.0.0/0"), net("::/0")],
        except: Vec::new(),
        borrowed: false,
        own_addresses: vec![ip("10.0.0.100")],
    };
    let (name, import) = (format!("peer{peer}"), Arc::new(import));
    (PeerId(peer), PeerPolicy { name, import, export, ..PeerPolicy::default() })
}

pub(crate) fn config(originate: &[&str], peers: Vec<(PeerId, PeerPolicy)>) -> RibConfig {
    RibConfig {
        asn: OWN,
        router_id: Ipv4Addr::new(10, 0, 0, 100),
        originate: originate.iter().map(|n| net(n).into()).collect(),
        addresses: vec![ip("10.0.0.100"), ip("2001:db8::100")],
        peers,
        settle: Duration::from_secs(60),
        ..RibConfig::default()
    }
}

/// Attributes as the tests write them.
#[derive(Clone, Debug)]
pub(crate) struct Attrs {
    pub(crate) next_hop: IpAddr,
    pub(crate) path: Vec<u32>,
    pub(crate) local_pref: Option<u32>,
    pub(crate) med: Option<u32>,
    pub(crate) community: Option<u32>,
}

impl Attrs {
    pub(crate) fn new(next_hop: &str, path: &[u32]) -> Attrs {
        let (next_hop, path) = (ip(next_hop), path.to_vec());
        Attrs { next_hop, path, local_pref: None, med: None, community: None }
    }

    pub(crate) fn set(&self) -> AttrSet {
        let mut bytes = vec![0x40, 1, 1, 0];
        let asns: Vec<u8> = self.path.iter().flat_map(|a| a.to_be_bytes()).collect();
        match self.path.len() as u8 {
            0 => bytes.extend([0x40, 2, 0]),
            n => bytes.extend([0x40, 2, n * 4 + 2, 2, n]),
        }
        bytes.extend(asns);
        let numbers = [(0x80, 4, self.med), (0x40, 5, self.local_pref), (0xc0, 8, self.community)];
        for (flags, code, number) in numbers {
            if let Some(number) = number {
                bytes.extend([flags, code, 4]);
                bytes.extend(number.to_be_bytes());
            }
        }
        AttrSet::from_canonical(self.next_hop, bytes.into())
    }
}

pub(crate) fn announce(peer: u32, attrs: &Attrs, nets: &[IpNet]) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    batch.attrs.push(attrs.set());
    push(&mut batch, nets, Some(0));
    RibIn::Routes(Box::new(batch))
}

/// Announces a prefix with a set that the tests made.
pub(crate) fn announce_set(peer: u32, set: AttrSet, prefix: IpNet) -> RibIn {
    path(peer, None, Some(set), prefix)
}

/// Announces a path to a prefix with a set that the tests made; withdraws it without one.
pub(crate) fn path(peer: u32, path_id: Option<u32>, set: Option<AttrSet>, prefix: IpNet) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    let attrs = set.is_some().then_some(0);
    batch.attrs.extend(set);
    push(&mut batch, &[prefix], attrs);
    batch.v4_ids.extend(path_id.filter(|_| prefix.addr().is_ipv4()));
    batch.v6_ids.extend(path_id.filter(|_| prefix.addr().is_ipv6()));
    RibIn::Routes(Box::new(batch))
}

pub(crate) fn withdraw(peer: u32, nets: &[IpNet]) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    push(&mut batch, nets, None);
    RibIn::Routes(Box::new(batch))
}

pub(crate) fn end_of_rib(peer: u32, family: Family) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    batch.ops.push(Op::EndOfRib(family));
    RibIn::Routes(Box::new(batch))
}

fn push(batch: &mut RouteBatch, nets: &[IpNet], attrs: Option<u32>) {
    batch.v4.extend(nets.iter().filter_map(|n| V4::from_net(*n)));
    batch.v6.extend(nets.iter().filter_map(|n| V6::from_net(*n)));
    for (family, end) in [(Family::Ipv4, batch.v4.len()), (Family::Ipv6, batch.v6.len())] {
        let (start, end) = (0, end as u32);
        batch.ops.push(match attrs {
            Some(attrs) => Op::Announce { family, attrs, start, end },
            None => Op::Withdraw { family, start, end },
        });
    }
}

pub(crate) fn news(address: &str, metric: Option<u32>) -> RibIn {
    RibIn::Nexthops(vec![NexthopNews { next_hop: ip(address).into(), metric, interface: None }])
}

/// What a neighbour has been told: it reads our frames with our own reader, and believes them.
#[derive(Clone, Default, Debug)]
pub(crate) struct Told {
    pub(crate) routes: BTreeMap<IpNet, AttrSet>,
    /// End-of-RIB markers, per family.
    pub(crate) ends: [u32; 2],
    /// Octets of all frames.
    pub(crate) octets: usize,
    /// The marks of RFC 7313: family, subtype, and how many routes there were.
    pub(crate) marks: Vec<(Family, u8, usize)>,
    /// Routes by path identifier, where the session has them (RFC 7911).
    pub(crate) paths: BTreeMap<(IpNet, u32), AttrSet>,
}

impl Told {
    /// Returns how much was in it.
    pub(crate) fn believe(&mut self, frame: &Bytes, session: &PeerUp) -> Said {
        let mut said = Said { octets: frame.len() as u64, ..Said::default() };
        // An AS number that no test uses: the neighbour refuses nothing.
        let context = Context {
            kind: session.kind,
            as4: session.negotiated.as4,
            families: session.negotiated.families,
            local_asn: Asn(4_000_000_000),
            peer_asn: OWN,
            router_id: Ipv4Addr::new(1, 2, 3, 4),
            // What the neighbour receives with is what we send with.
            add_path: session.negotiated.add_path_send,
            extended_next_hop: session.negotiated.extended_next_hop,
            scope: session.scope,
            ..Context::default()
        };
        self.octets += frame.len();
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes([rest[16], rest[17]]));
            let (message, later) = rest.split_at(length);
            rest = later;
            if let [.., 5, high, low, subtype, 1] = message {
                let family = Family::from_wire(u16::from_be_bytes([*high, *low]), 1).unwrap();
                said.refreshes += 1;
                self.marks.push((family, *subtype, self.routes.len()));
                continue;
            }
            said.updates += 1;
            let mut batch = RouteBatch::new(session.peer);
            let judgement = judge(&Update::read(&message[19..]).unwrap(), &context, &mut batch);
            assert_eq!(judgement.unwrap(), Default::default());
            for op in &batch.ops {
                let count = batch.prefixes(op).count() as u64;
                match op {
                    Op::Announce { .. } => said.prefixes.announced += count,
                    _ => said.prefixes.withdrawn += count,
                }
                self.apply(op, &batch);
            }
        }
        said
    }

    fn apply(&mut self, op: &Op, batch: &RouteBatch) {
        let nets = |family, start, end| -> Vec<IpNet> {
            let range = start as usize..end as usize;
            match family {
                Family::Ipv4 => batch.v4[range].iter().map(|p| p.net()).collect(),
                Family::Ipv6 => batch.v6[range].iter().map(|p| p.net()).collect(),
            }
        };
        let ids = |family| match family {
            Family::Ipv4 => &batch.v4_ids,
            Family::Ipv6 => &batch.v6_ids,
        };
        match *op {
            Op::Announce { family, attrs, start, end } if !ids(family).is_empty() => {
                let ids = &ids(family)[start as usize..end as usize];
                for (net, id) in nets(family, start, end).into_iter().zip(ids) {
                    self.paths.insert((net, *id), batch.attrs[attrs as usize].clone());
                }
            }
            Op::Withdraw { family, start, end } if !ids(family).is_empty() => {
                let ids = &ids(family)[start as usize..end as usize];
                for (net, id) in nets(family, start, end).into_iter().zip(ids) {
                    self.paths.remove(&(net, *id));
                }
            }
            Op::Announce { family, attrs, start, end } => {
                for net in nets(family, start, end) {
                    self.routes.insert(net, batch.attrs[attrs as usize].clone());
                }
            }
            Op::Withdraw { family, start, end } => {
                for net in nets(family, start, end) {
                    self.routes.remove(&net);
                }
            }
            Op::EndOfRib(family) => self.ends[crate::table::slot_of(family)] += 1,
            Op::RefreshBegins(_) | Op::RefreshEnds(_) => {}
        }
    }
}

/// A Rib with its surroundings: the Fib as it was told, and the neighbours.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) rib: Rib,
    pub(crate) now: Time,
    pub(crate) fib: BTreeMap<IpNet, FibBest>,
    pub(crate) tracked: Vec<IpAddr>,
    pub(crate) sessions: BTreeMap<PeerId, PeerUp>,
    pub(crate) told: BTreeMap<PeerId, Told>,
    /// Who was told to wait for `Wake`.
    pub(crate) drained: BTreeMap<PeerId, bool>,
    pub(crate) settled: u32,
    /// Who was said to be over which limit.
    pub(crate) over: Vec<(u32, u32)>,
    /// Everything that came out, as text.
    pub(crate) trace: Vec<String>,
}

impl World {
    pub(crate) fn new(config: RibConfig) -> World {
        let mut world = World::default();
        world.say(RibIn::Configure(Box::new(config)));
        world
    }

    pub(crate) fn up(&mut self, up: PeerUp) {
        self.sessions.insert(up.peer, up.clone());
        self.told.insert(up.peer, Told::default());
        self.drained.insert(up.peer, false);
        self.say(RibIn::PeerUp(Box::new(up)));
    }

    pub(crate) fn down(&mut self, peer: u32) {
        self.sessions.remove(&PeerId(peer));
        self.say(RibIn::PeerDown { peer: PeerId(peer), retain: None, silent: false });
    }

    /// Nothing was heard of it any more.
    pub(crate) fn silent(&mut self, peer: u32) {
        self.sessions.remove(&PeerId(peer));
        self.say(RibIn::PeerDown { peer: PeerId(peer), retain: None, silent: true });
    }

    /// A session ends, and its routes may stay for so many seconds, and then for so many more.
    pub(crate) fn away(&mut self, peer: u32, seconds: u64, long_lived: u64) {
        self.sessions.remove(&PeerId(peer));
        let time = Duration::from_secs(seconds);
        let long_lived = [Duration::from_secs(long_lived); 2];
        let retain = Some(Retain { families: Families::ALL, time, long_lived });
        self.say(RibIn::PeerDown { peer: PeerId(peer), retain, silent: false });
    }

    /// Time passes, with a tick at each deadline.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let end = self.now.after(Duration::from_secs(seconds));
        while let Some(due) = self.rib.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.say(RibIn::Tick);
        }
        self.now = end;
    }

    /// Sends one message and takes in what follows; returns how many Fib routes changed.
    pub(crate) fn say(&mut self, input: RibIn) -> usize {
        let mut out = Vec::new();
        self.rib.handle(self.now, input, &mut out);
        let mut changed = 0;
        for out in out {
            self.trace.push(format!("{out:?}"));
            match out {
                RibOut::Fib(batch) => {
                    assert!(!batch.routes.is_empty());
                    changed += batch.routes.len();
                    let mut seen = std::collections::BTreeSet::new();
                    for route in batch.routes {
                        assert!(seen.insert(route.prefix), "{} twice in a batch", route.prefix);
                        match route.best {
                            Some(best) => assert_ne!(
                                self.fib.insert(route.prefix, best.clone()),
                                Some(best),
                                "no news"
                            ),
                            None => assert!(self.fib.remove(&route.prefix).is_some()),
                        }
                    }
                }
                RibOut::Wake(peer) => {
                    assert_eq!(self.drained.insert(peer, false), Some(true), "{peer:?} was awake");
                }
                RibOut::Frames { peer, frames, said, drained } => {
                    self.drained.insert(peer, drained);
                    let (told, session) = (self.told.get_mut(&peer), self.sessions.get(&peer));
                    let (told, session) = (told.unwrap(), session.unwrap());
                    let mut read = Said::default();
                    frames.iter().for_each(|frame| read += told.believe(frame, session));
                    assert_eq!(said, read, "what is said to be in it");
                }
                RibOut::Track(hops) => self.tracked.extend(hops.iter().map(|hop| hop.address)),
                RibOut::Untrack(hops) => {
                    for hop in hops {
                        let at = self.tracked.iter().position(|a| *a == hop.address);
                        self.tracked.remove(at.expect("tracked before"));
                    }
                }
                RibOut::Settled => self.settled += 1,
                RibOut::CutOff(_) | RibOut::Rejoined(_) | RibOut::Best(_) => {}
                RibOut::OverLimit { peer, limit, .. } => self.over.push((peer.0, limit.max)),
            }
        }
        changed
    }

    /// Announces, and lets the kernel answer for the next hop at once.
    pub(crate) fn learn(&mut self, peer: u32, attrs: &Attrs, nets: &[IpNet]) {
        self.say(announce(peer, attrs, nets));
        self.say(news(&attrs.next_hop.to_string(), Some(0)));
    }

    /// The time to wait for End-of-RIB is over.
    pub(crate) fn settle(&mut self) {
        self.now = self.now.after(Duration::from_secs(60));
        self.say(RibIn::Tick);
        assert_eq!(self.settled, 1);
    }

    /// Lets a neighbour read all there is; one that waits for `Wake` does not ask.
    pub(crate) fn drain(&mut self, peer: u32) -> &Told {
        let id = PeerId(peer);
        for _ in 0..10_000 {
            if self.drained.get(&id) != Some(&false) {
                break;
            }
            self.say(RibIn::Pull { peer: id, room: 1 << 16 });
        }
        assert_eq!(self.drained.get(&id), Some(&true), "{peer} never ends");
        &self.told[&id]
    }

    /// What a neighbour has been told of a prefix once it has read all.
    pub(crate) fn heard(&mut self, peer: u32, prefix: &str) -> Option<AttrSet> {
        self.drain(peer).routes.get(&net(prefix)).cloned()
    }
}
