//! A Rib, those who listen to it, and what they hear: the same as if all were told everything and
//! chose from it themselves.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use starling_bgp::attrs::AttrSet;
use starling_bgp::msg::{
    Export, NexthopNews, Op, PeerPolicy, PeerUp, RibConfig, RibIn, RibOut, RouteBatch,
};
use starling_bgp::policy::ImportPolicy;
use starling_bgp::rib::Rib;
use starling_bgp::session::Negotiated;
use starling_bgp::types::{Asn, Families, Family, PeerId, PeerKind, Prefix, Time, V4};
use tokio::time::timeout;

use super::*;
use crate::api::{Event, EventQuery, Happening};
use crate::daemon::broadcast::Listener;
use crate::daemon::broadcast::reader::WAITING;

const OWN: Asn = Asn(64512);
const PEERS: u32 = 3;

/// The Rib and its listeners, as the Rib's task has them.
struct Node {
    rib: Rib,
    broadcast: Broadcast,
    watching: Watching,
    /// Changes that were made, whoever they were for.
    made: usize,
}

fn address(peer: u32) -> IpAddr {
    Ipv4Addr::from([10, 0, 0, peer as u8]).into()
}

fn up(peer: u32) -> RibIn {
    let negotiated = Negotiated { asn: OWN, as4: true, ..Negotiated::default() };
    let (kind, local, peer_id) = (PeerKind::Mesh, address(100), PeerId(peer));
    let (scope, role) = (None, None);
    let address = address(peer);
    RibIn::PeerUp(Box::new(PeerUp { peer: peer_id, kind, address, local, scope, role, negotiated }))
}

fn routes(peer: u32, attrs: Option<AttrSet>, nets: &[IpNet]) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    batch.v4.extend(nets.iter().filter_map(|net| V4::from_net(*net)));
    let (family, start, end) = (Family::Ipv4, 0, nets.len() as u32);
    batch.ops.push(match attrs.is_some() {
        true => Op::Announce { family, attrs: 0, start, end },
        false => Op::Withdraw { family, start, end },
    });
    batch.attrs.extend(attrs);
    RibIn::Routes(Box::new(batch))
}

impl Node {
    /// Neighbours "peer1" and so on are up, and whatever they name can be reached.
    fn start() -> Node {
        let within = vec!["0.0.0.0/0".parse().unwrap()];
        let import = Arc::new(ImportPolicy { within, ..ImportPolicy::default() });
        let policy = |peer| {
            let (name, import) = (format!("peer{peer}"), Arc::clone(&import));
            let families = Families::ALL;
            let policy =
                PeerPolicy { name, import, families, export: Export::Own, ..PeerPolicy::default() };
            (PeerId(peer), policy)
        };
        let config = RibConfig {
            asn: OWN,
            peers: (1..=PEERS).map(policy).collect(),
            ..RibConfig::default()
        };
        let (broadcast, watching) = (Broadcast::default(), Watching::default());
        let mut node = Node { rib: Rib::new(), broadcast, watching, made: 0 };
        node.hear(RibIn::Configure(Box::new(config)));
        (1..=PEERS).for_each(|peer| node.hear(up(peer)));
        node
    }

    fn hear(&mut self, input: RibIn) {
        let mut out = Vec::new();
        if let Some(watchers) = self.broadcast.watchers(&mut self.watching) {
            self.rib.handle(Time::ZERO, RibIn::Watch(watchers), &mut out);
        }
        self.rib.handle(Time::ZERO, input, &mut out);
        for message in out {
            match message {
                RibOut::Best(news) => {
                    self.made += news.changes.len();
                    self.broadcast.tell_routes(&news, &self.watching);
                }
                RibOut::Track(hops) => {
                    let reached =
                        |next_hop| NexthopNews { next_hop, metric: Some(1), interface: None };
                    self.hear(RibIn::Nexthops(hops.into_iter().map(reached).collect()));
                }
                _ => {}
            }
        }
    }

    fn listen(&self, pairs: &[(&str, &str)]) -> Listener {
        self.broadcast.listen(query(pairs)).unwrap()
    }
}

fn query(pairs: &[(&str, &str)]) -> EventQuery {
    let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    EventQuery::from_pairs(&pairs).unwrap()
}

/// What waits for a reader now.
async fn heard(reader: &mut Listener) -> Vec<Event> {
    let mut all = Vec::new();
    while let Ok(Some(more)) = timeout(Duration::ZERO, reader.next()).await {
        all.extend(more.iter().map(|event| Event::clone(event)));
    }
    all
}

/// Numbers that look random, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

fn net(third: u64, fourth: u64) -> IpNet {
    format!("10.{third}.{fourth}.0/24").parse().unwrap()
}

#[tokio::test]
async fn a_filtered_stream_is_the_stream_filtered_afterwards() {
    let filters: [&[(&str, &str)]; 10] = [
        &[("kind", "route")],
        &[("prefix", "10.1.0.0/16")],
        &[("prefix", "10.1.3.0/24"), ("prefix", "10.2.0.0/15")],
        &[("prefix", "10.1.3.0/25")],
        &[("prefix", "2001:db8::/32")],
        &[("peer", "peer1")],
        &[("peer", "peer2"), ("peer", "local")],
        &[("peer", "peer3"), ("prefix", "10.2.0.0/16"), ("kind", "route,fib")],
        &[("peer", "nobody")],
        &[("kind", "session")],
    ];
    let mut node = Node::start();
    let mut all = node.listen(&[]);
    let mut readers: Vec<Listener> = filters.iter().map(|filter| node.listen(filter)).collect();
    let (mut dice, mut is_up) = (Dice(7), [true; PEERS as usize]);
    let (mut told, mut heard_of) = (Vec::new(), vec![Vec::new(); filters.len()]);
    for _ in 0..400 {
        let peer = 1 + dice.below(PEERS.into()) as u32;
        let nets: BTreeSet<_> = (0..8).map(|_| net(dice.below(4), dice.below(6))).collect();
        let nets: Vec<IpNet> = nets.into_iter().collect();
        let was_up = is_up[peer as usize - 1];
        node.hear(match dice.below(8) {
            0 => {
                is_up[peer as usize - 1] = !was_up;
                match was_up {
                    true => RibIn::PeerDown { peer: PeerId(peer), retain: None, silent: false },
                    false => up(peer),
                }
            }
            1 => RibIn::Originate(nets.into_iter().map(Into::into).collect()),
            2 | 3 => routes(peer, None, &nets),
            // More or less preferred than what there is.
            _ => {
                let local_pref = Some(100 + dice.below(3) as u32);
                routes(peer, Some(AttrSet::originated_at(address(peer), local_pref)), &nets)
            }
        });
        told.extend(heard(&mut all).await);
        for (reader, of) in readers.iter_mut().zip(&mut heard_of) {
            of.extend(heard(reader).await);
        }
    }
    assert!(told.len() > 300, "{}", told.len());
    for (filter, heard) in filters.iter().zip(heard_of) {
        let query = query(filter);
        let chosen: Vec<Event> = told.iter().filter(|e| query.takes(&e.what)).cloned().collect();
        assert_eq!(heard, chosen, "{filter:?}");
        let may_be_empty = ["2001:db8::/32", "10.1.3.0/25", "nobody", "session"];
        let is_empty = filter.iter().any(|(_, value)| may_be_empty.contains(value));
        assert_eq!(heard.is_empty(), is_empty, "{filter:?}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_reading_holds_a_bounded_queue_and_hears_what_it_missed() {
    let mut node = Node::start();
    let mut stopped = node.listen(&[("kind", "route")]);
    let mut narrow = node.listen(&[("prefix", "10.3.7.0/24")]);
    let attrs = |preferred: u32| Some(AttrSet::originated_at(address(1), Some(100 + preferred)));
    let nets: Vec<IpNet> = (0..40).flat_map(|n| (0..250).map(move |m| net(n, m))).collect();
    let rounds = 10;
    for round in 0..rounds {
        for part in nets.chunks(1000) {
            node.hear(routes(1, attrs(round), part));
        }
    }
    let all = nets.len() * rounds as usize;
    // No more was made than there was room for, though the other reader goes on hearing its own.
    assert_eq!(node.made, WAITING + rounds as usize - 1, "the first is told to both at once");
    assert_eq!(heard(&mut narrow).await.len(), rounds as usize);
    let events = heard(&mut stopped).await;
    assert_eq!(events.len(), WAITING + 1);
    let missed = (all - WAITING) as u64;
    assert_eq!(events[WAITING].what, Happening::Lost { count: missed });
    // It reads again, and misses nothing more.
    node.hear(routes(1, None, &nets[..100]));
    let events = heard(&mut stopped).await;
    assert_eq!(events.len(), 100);
    assert!(events.iter().all(|event| matches!(event.what, Happening::Route(_))));
    assert!(events.windows(2).all(|two| two[0].seq < two[1].seq));
}

#[tokio::test]
async fn who_has_gone_is_forgotten_though_nothing_it_wanted_ever_happens() {
    let mut node = Node::start();
    let attrs = AttrSet::originated(address(1));
    let gone = node.listen(&[("prefix", "192.0.2.0/24")]);
    node.hear(routes(1, Some(attrs.clone()), &[net(1, 1)]));
    assert_eq!(node.watching.0.len(), 1);
    drop(gone);
    node.hear(routes(1, None, &[net(1, 1)]));
    assert!(node.watching.0.is_empty());
    let mut next = node.listen(&[]);
    node.hear(routes(1, Some(attrs), &[net(1, 2)]));
    assert_eq!((heard(&mut next).await.len(), node.made), (1, 1));
}
