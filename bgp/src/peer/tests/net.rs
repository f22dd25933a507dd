//! A network between two peers in virtual time: connections with latency, order and no loss
//! (TCP's view), cables that can be cut, nodes that can crash or lose their power.

use std::collections::{BTreeMap, VecDeque};

use super::*;

/// What travels on a connection to one end of it.
#[derive(Debug)]
enum Item {
    /// The kernel of the called node sees the attempt.
    Syn,
    /// Its daemon is told.
    Accept,
    /// The caller is told.
    SynAck,
    Refused,
    Data(Vec<u8>),
    Fin(&'static str),
}

/// One way of a connection: which one, and to whom.
type Way = (u32, usize);

pub(super) struct Node {
    pub(super) peer: Option<Peer>,
    pub(super) watch: Watch,
    /// Its power is off: nobody even answers.
    dark: bool,
    conns: [Option<u32>; 2],
    calling: Option<u32>,
    unread: [BytesMut; 2],
    /// Everything the peer ever put out.
    pub(super) log: Vec<(Time, PeerOut)>,
}

pub(super) struct Net {
    pub(super) now: Time,
    pub(super) nodes: [Node; 2],
    pub(super) cut: bool,
    latency: (Duration, Duration),
    random: u64,
    due: BTreeMap<(Time, u64), Way>,
    ways: BTreeMap<Way, (Time, VecDeque<Item>)>,
    callers: Vec<usize>,
    sequence: u64,
}

impl Net {
    pub(super) fn new(latency: (Duration, Duration), seed: u64) -> Net {
        let node = || Node {
            peer: None,
            watch: Watch::default(),
            dark: false,
            conns: [None, None],
            calling: None,
            unread: Default::default(),
            log: Vec::new(),
        };
        Net {
            now: Time::ZERO,
            nodes: [node(), node()],
            cut: false,
            latency,
            random: seed,
            due: BTreeMap::new(),
            ways: BTreeMap::new(),
            callers: Vec::new(),
            sequence: 0,
        }
    }

    /// A fresh daemon on `node`.
    pub(super) fn boot(&mut self, node: usize, config: PeerConfig, seed: u64) {
        let place = &mut self.nodes[node];
        place.dark = false;
        place.peer = Some(Peer::new(config, seed));
        place.watch = Watch::default();
        self.tell(node, PeerIn::Start);
    }

    /// The daemon on `node` dies; its kernel says so to the other end.
    pub(super) fn kill(&mut self, node: usize) {
        for conn in self.forget(node) {
            self.travel((conn, 1 - node), Item::Fin("connection closed"));
        }
    }

    /// The node goes dark: nothing tells the other end.
    pub(super) fn darken(&mut self, node: usize) {
        self.forget(node);
        self.nodes[node].dark = true;
    }

    fn forget(&mut self, node: usize) -> Vec<u32> {
        let place = &mut self.nodes[node];
        place.peer = None;
        place.calling = None;
        std::mem::take(&mut place.conns).into_iter().flatten().collect()
    }

    fn draw(&mut self, from: Duration, to: Duration) -> Duration {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let span = (to - from).as_micros() as u64 + 1;
        from + Duration::from_micros((self.random >> 33) % span)
    }

    fn travel(&mut self, way: Way, item: Item) {
        let delay = match item {
            Item::Accept => self.draw(Duration::ZERO, self.latency.1 * 2),
            _ => self.draw(self.latency.0, self.latency.1),
        };
        let (last, items) = self.ways.entry(way).or_default();
        *last = (*last).max(self.now.after(delay));
        items.push_back(item);
        self.sequence += 1;
        self.due.insert((*last, self.sequence), way);
    }

    /// Tells a peer something and does what it wants.
    pub(super) fn tell(&mut self, node: usize, input: PeerIn<'_>) {
        self.tell_of(node, input, None);
    }

    fn tell_of(&mut self, node: usize, input: PeerIn<'_>, mut arriving: Option<u32>) {
        let place = &mut self.nodes[node];
        let Some(peer) = &mut place.peer else { return };
        let mut out = Vec::new();
        let news = news(&input);
        peer.handle(self.now, input, &mut out);
        place.watch.check(self.now, peer, news, &out);
        for effect in &out {
            match effect {
                PeerOut::Dial => {
                    let conn = self.callers.len() as u32;
                    self.callers.push(node);
                    self.nodes[node].calling = Some(conn);
                    self.travel((conn, 1 - node), Item::Syn);
                }
                PeerOut::Send { slot, bytes } => {
                    if *slot == Slot::Accepted && self.nodes[node].conns[1].is_none() {
                        self.nodes[node].conns[1] = arriving.take();
                    }
                    let conn = self.nodes[node].conns[index(*slot)].expect("checked");
                    self.travel((conn, 1 - node), Item::Data(bytes.to_vec()));
                }
                PeerOut::Refuse(why) => {
                    let conn = arriving.take().expect("checked");
                    self.travel((conn, 1 - node), Item::Data(notification(why)));
                    self.travel((conn, 1 - node), Item::Fin("connection closed"));
                }
                PeerOut::Close { slot } => {
                    let place = &mut self.nodes[node];
                    place.unread[index(*slot)].clear();
                    if let Some(conn) = place.conns[index(*slot)].take() {
                        self.travel((conn, 1 - node), Item::Fin("connection closed"));
                    } else if *slot == Slot::Dialled {
                        place.calling = None;
                    }
                }
                _ => {}
            }
        }
        if let Some(conn) = arriving {
            self.nodes[node].conns[1] = Some(conn);
        }
        let now = self.now;
        self.nodes[node].log.extend(out.into_iter().map(|effect| (now, effect)));
    }

    fn arrive(&mut self, (conn, node): Way) {
        if self.cut {
            // The sender's kernel tries again.
            self.sequence += 1;
            self.due.insert((self.now.after(200 * MS), self.sequence), (conn, node));
            return;
        }
        let queued = self.ways.get_mut(&(conn, node)).and_then(|(_, items)| items.pop_front());
        let Some(item) = queued else { return };
        let caller = self.callers[conn as usize];
        let slot = if caller == node { Slot::Dialled } else { Slot::Accepted };
        let (us, them) = (node as u8 + 1, 2 - node as u8);
        let local = format!("10.0.0.{us}:179").parse().unwrap();
        let remote = format!("10.0.0.{them}:179").parse().unwrap();
        let place = &mut self.nodes[node];
        if place.dark {
            return;
        }
        let holds = place.conns[index(slot)] == Some(conn);
        match item {
            Item::Syn if place.peer.is_none() => self.travel((conn, caller), Item::Refused),
            Item::Syn => {
                self.travel((conn, caller), Item::SynAck);
                self.travel((conn, node), Item::Accept);
            }
            Item::Accept => {
                self.tell_of(node, PeerIn::Accepted { local, remote }, Some(conn));
            }
            Item::SynAck if place.calling == Some(conn) => {
                place.calling = None;
                place.conns[0] = Some(conn);
                self.tell(node, PeerIn::Connected { local, remote });
            }
            Item::SynAck => self.travel((conn, 1 - node), Item::Fin("connection reset")),
            Item::Refused if place.calling == Some(conn) => {
                place.calling = None;
                self.tell(node, PeerIn::ConnectFailed { reason: "connection refused".into() });
            }
            Item::Data(bytes) if holds => {
                let mut unread = std::mem::take(&mut place.unread[index(slot)]);
                unread.extend_from_slice(&bytes);
                self.tell(node, PeerIn::Received { slot, bytes: &mut unread });
                if self.nodes[node].conns[index(slot)] == Some(conn) {
                    self.nodes[node].unread[index(slot)] = unread;
                }
            }
            Item::Data(_) => self.travel((conn, 1 - node), Item::Fin("connection reset")),
            Item::Fin(why) if holds => {
                place.conns[index(slot)] = None;
                place.unread[index(slot)].clear();
                self.tell(node, PeerIn::Closed { slot, reason: why.into() });
            }
            Item::Refused | Item::Fin(_) => {}
        }
    }

    /// Lets `time` pass, or less if `done`. How long it took.
    pub(super) fn run_until(&mut self, time: Duration, done: fn(&Net) -> bool) -> Duration {
        let (start, end) = (self.now, self.now.after(time));
        while !done(self) {
            let deadline = |n: usize| self.nodes[n].peer.as_ref().and_then(Peer::next_deadline);
            let tick = [0, 1].into_iter().filter_map(|n| Some((deadline(n)?, n))).min();
            let travel = self.due.first_key_value().map(|((at, _), _)| *at);
            match (tick, travel) {
                (Some((at, node)), travel) if at <= end && travel.is_none_or(|t| at < t) => {
                    self.now = at;
                    self.tell(node, super::tick(false));
                }
                (_, Some(at)) if at <= end => {
                    self.now = at;
                    let (_, way) = self.due.pop_first().unwrap();
                    self.arrive(way);
                }
                _ => {
                    self.now = end;
                    break;
                }
            }
        }
        self.now.since(start)
    }

    pub(super) fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Both ends are Established, on the same connection.
    pub(super) fn agreed(&self) -> bool {
        let [a, b] = [0, 1].map(|n| {
            let node = &self.nodes[n];
            node.watch.up.and_then(|slot| node.conns[index(slot)])
        });
        a.is_some() && a == b
    }

    pub(super) fn status(&self, node: usize) -> crate::session::PeerStatus {
        self.nodes[node].peer.as_ref().expect("alive").status()
    }

    /// Why attempts and sessions ended, as `node` told it.
    pub(super) fn ends(&self, node: usize) -> Vec<DownReason> {
        let end = |(_, out): &(Time, PeerOut)| match out {
            PeerOut::Event(PeerEvent::Down(reason)) => Some(reason.clone()),
            _ => None,
        };
        self.nodes[node].log.iter().filter_map(end).collect()
    }

    pub(super) fn dials(&self, node: usize) -> usize {
        self.nodes[node].log.iter().filter(|(_, out)| matches!(out, PeerOut::Dial)).count()
    }
}
