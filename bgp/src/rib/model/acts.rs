//! What may happen: sessions, routes, the kernel's answers, the operator, time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{PEERS, hops, nets};
use crate::attrs::AttrSet;
use crate::msg::{Export, LimitAction, Originated, PeerPolicy, PeerUp, PrefixLimit, RibConfig};
use crate::policy::{
    AnyCommunity, Changes, Glob, Matches, Policy, PrefixPattern, PrefixSet, Rule, RuleName, Verdict,
};
use crate::rib::fixture::{Attrs, config, ip, net, policy, up};
use crate::session::Graceful;
use crate::types::{Families, Family, PeerId};
use crate::wire::community::Community;

/// Who has prefixes originated while the daemon runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Wisher {
    Operator,
    Pods,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A session; `preserved`: families that the neighbour says it kept forwarding, one bit each.
    Up {
        peer: u32,
        preserved: u8,
        other: bool,
    },
    Down(u32),
    /// A session ends, and the routes of some families are to be kept for so many seconds.
    Away {
        peer: u32,
        families: u8,
        seconds: u64,
        long_lived: u64,
    },
    Announce {
        peer: u32,
        path_id: u32,
        attrs: usize,
        nets: Vec<usize>,
    },
    Withdraw {
        peer: u32,
        path_id: u32,
        nets: Vec<usize>,
    },
    Mark {
        peer: u32,
        family: Family,
        mark: Mark,
    },
    Configure(Box<Knobs>),
    Originate {
        by: Wisher,
        nets: Vec<usize>,
    },
    Drain {
        peer: u32,
        on: bool,
    },
    /// The kernel says what it thinks of everything that is tracked.
    Answer {
        answers: [Answer; 3],
    },
    /// The kernel says it of one.
    News {
        hop: usize,
        answer: Answer,
    },
    Pull {
        peer: u32,
        room: usize,
    },
    /// A neighbour reads all there is.
    Read(u32),
    Refresh {
        peer: u32,
        v6: bool,
    },
    /// So many seconds pass.
    Wait(u64),
}

/// What the kernel says of a next hop: metric and interface, if there is a way to it.
pub(super) type Answer = Option<(u32, &'static str)>;

#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    EndOfRib,
    RefreshBegins,
    RefreshEnds,
}

/// A configuration.
#[derive(Clone, Debug)]
pub(super) struct Knobs {
    /// Prefixes, each announced, or a blackhole, or both.
    pub(super) originate: Vec<(usize, u8)>,
    /// Who is not in it.
    pub(super) absent: u32,
    pub(super) moved: bool,
    pub(super) max_paths: u8,
    pub(super) always_compare_med: bool,
    /// One each, of which these bits are set.
    pub(super) exports: u8,
    pub(super) imports: u8,
    pub(super) clients: u8,
    pub(super) rules: u8,
    /// Who has rules of import that ask for the interface.
    pub(super) asks: u8,
    pub(super) drains: u8,
    pub(super) best_externals: u8,
    pub(super) add_path: u16,
    /// For whom, and what.
    pub(super) limits: (u8, u32, u8),
}

impl Act {
    /// A session that kept nothing.
    pub(super) fn up(peer: u32) -> Act {
        Act::Up { peer, preserved: 0, other: false }
    }
}

impl Knobs {
    /// That of the beginning, and where it ends: everybody, with nothing special.
    pub(super) fn plain() -> Knobs {
        Knobs {
            originate: Vec::new(),
            absent: 9,
            moved: false,
            max_paths: 1,
            always_compare_med: false,
            exports: 0xf8,
            imports: 0xff,
            clients: 0,
            rules: 0,
            asks: 0,
            drains: 0,
            best_externals: 0,
            add_path: 2,
            limits: (0, 0, 0),
        }
    }

    pub(super) fn config(&self) -> RibConfig {
        let peers = PEERS.filter(|p| *p != self.absent).map(|peer| self.peer(peer)).collect();
        let mut config = config(&[], peers);
        config.max_paths = self.max_paths;
        config.always_compare_med = self.always_compare_med;
        config.originate = self
            .originate
            .iter()
            .map(|(at, kind)| Originated {
                prefix: nets()[*at],
                announce: *kind != 2,
                blackhole: *kind != 1,
            })
            .collect();
        if self.moved {
            config.addresses = vec![ip("10.0.0.101")];
        }
        config
    }

    fn peer(&self, peer: u32) -> (PeerId, PeerPolicy) {
        let has = |bits: u8| bits >> peer & 1 == 1;
        let export = if has(self.exports) { Export::All } else { Export::Own };
        let (id, mut one) = policy(peer, export);
        let import = Arc::make_mut(&mut one.import);
        match self.imports >> peer & 3 {
            0 => import.within = vec![net("10.0.0.0/8"), net("2001:db8:1::/48")],
            1 => import.except = vec![net("10.1.1.0/24")],
            _ => {}
        }
        one.client = peer < 4 && has(self.clients);
        if has(self.rules) {
            one.export_rules = rules();
        }
        if has(self.asks) {
            one.import_rules = by_interface();
        }
        one.drain = has(self.drains);
        one.best_external = has(self.best_externals);
        one.add_path = self.add_path;
        let (whose, max, action) = self.limits;
        if has(whose) {
            let restart = Some(Duration::from_secs(60));
            let actions = [LimitAction::Warn, LimitAction::Drop, LimitAction::Close { restart }];
            one.limits = [Some(PrefixLimit { max, action: actions[usize::from(action)] }), None];
        }
        (id, one)
    }
}

/// What the rule of export adds to routes in 10.1.0.0/16, which it lets pass.
pub(super) fn marking() -> Changes {
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

/// LOCAL_PREF of what comes with a next hop on eth1; but for 10.1.0.0/16, which is rejected then.
pub(super) const ON_ETH1: u32 = 150;

fn by_interface() -> Arc<Policy> {
    let eth1 = Some(vec![Glob("eth1".to_owned())]);
    let prefix = Some(PrefixSet::new(&[PrefixPattern::or_longer(net("10.1.0.0/16"))]));
    let changes = Changes { local_pref: Some(ON_ETH1), ..Changes::default() };
    let rule = |number, prefix, verdict| Rule {
        name: RuleName { policy: "by-interface".into(), number, name: None },
        when: Matches { prefix, interfaces: eth1.clone(), ..Matches::default() },
        unless: None,
        verdict,
    };
    let rules = vec![rule(1, prefix, Verdict::Reject), rule(2, None, Verdict::Accept(changes))];
    Arc::new(Policy::new(rules))
}

/// Whose routes have path identifiers (RFC 7911).
pub(super) fn sends_ids(peer: u32) -> bool {
    matches!(peer, 3 | 6)
}

/// Families in one bit each.
pub(super) fn families(bits: u8) -> Families {
    Family::ALL.into_iter().zip(0..).filter(|(_, n)| bits >> n & 1 == 1).map(|(f, _)| f).collect()
}

/// Three neighbours over iBGP, three over eBGP, two of these in one AS. 2 and 4 take several
/// paths; 1, 4 and 5 know what long-lived stale routes are.
pub(super) fn session(peer: u32, preserved: u8, other: bool) -> PeerUp {
    let asns = [64512, 64512, 64512, 65001, 65001, 65002];
    let mut up = up(peer, asns[peer as usize - 1]);
    let negotiated = &mut up.negotiated;
    negotiated.router_id = Ipv4Addr::new(1, 1, 1, (peer % 3) as u8);
    if other {
        negotiated.router_id = Ipv4Addr::new(1, 1, 2, 1);
    }
    negotiated.add_path_send = match peer {
        2 => Families::from_iter([Family::Ipv4]),
        4 => Families::ALL,
        _ => Families::NONE,
    };
    let hour = Duration::from_secs(3600);
    let preserved = families(preserved);
    negotiated.graceful = Some(Graceful {
        families: Families::ALL,
        preserved,
        restarting: !preserved.is_empty(),
        notification: true,
        time: Duration::from_secs(120),
        long_lived: match peer {
            1 | 5 => [hour; 2],
            4 => [hour, Duration::ZERO],
            _ => [Duration::ZERO; 2],
        },
    });
    // Six sessions over two of our addresses, one of them IPv6.
    if peer == 2 {
        up.local = ip("2001:db8::100");
    }
    up
}

pub(super) fn attrs(pick: usize, family: Family) -> AttrSet {
    let v4 = family == Family::Ipv4;
    let hop: IpAddr = match (pick % 7, v4) {
        (6, true) => hops()[4],
        (n, true) => hops()[n % 2],
        (n, false) => hops()[2 + n % 2],
    };
    let paths: [&[u32]; 4] = [&[65001], &[65001, 65009], &[65002], &[65002, 65001]];
    let communities = [
        None,
        None,
        None,
        None,
        Some(Community::NO_EXPORT.0),
        Some(Community::NO_ADVERTISE.0),
        Some(Community::GRACEFUL_SHUTDOWN.0),
        Some(Community::NO_LLGR.0),
    ];
    let attrs = Attrs {
        next_hop: hop,
        path: paths[pick % 4].to_vec(),
        local_pref: [None, Some(100), Some(200)][pick % 3],
        med: [None, Some(5), Some(1)][pick / 3 % 3],
        community: communities[pick / 4 % 8],
    };
    attrs.set()
}

fn knobs() -> impl Strategy<Value = Knobs> {
    let originate = prop::collection::btree_map(0usize..7, 0u8..3, 0..3);
    let bits = || any::<u8>();
    (
        (originate, 0u32..9, prop::bool::weighted(0.2), 1u8..4, any::<bool>()),
        (bits(), bits(), bits(), bits()),
        // Seldom: these change everything.
        (bits(), bits(), bits()).prop_map(|(a, b, c)| a & b & c),
        (bits(), 1u16..4, bits()),
        (bits(), 0u32..4, 0u8..3),
    )
        .prop_map(|(general, (exports, imports, clients, rules), drains, paths, limits)| {
            let (originate, absent, moved, max_paths, always_compare_med) = general;
            let (best_externals, add_path, asks) = paths;
            Knobs {
                originate: originate.into_iter().collect(),
                absent,
                moved,
                max_paths,
                always_compare_med,
                exports,
                imports,
                clients,
                rules,
                asks,
                drains,
                best_externals,
                add_path,
                limits,
            }
        })
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let peer = || PEERS;
    let some = || prop::collection::vec(0usize..7, 1..4);
    let way = || (0u32..3, prop_oneof![Just("eth0"), Just("eth1")]);
    let answer = || prop_oneof![3 => way().prop_map(Some), 1 => Just(None)];
    let family = || prop_oneof![2 => Just(Family::Ipv4), 1 => Just(Family::Ipv6)];
    let mark = prop_oneof![
        2 => Just(Mark::EndOfRib),
        1 => Just(Mark::RefreshBegins),
        1 => Just(Mark::RefreshEnds),
    ];
    let by = prop_oneof![Just(Wisher::Operator), Just(Wisher::Pods)];
    prop_oneof![
        4 => (peer(), 0u8..4, prop::bool::weighted(0.1))
            .prop_map(|(peer, preserved, other)| Act::Up { peer, preserved, other }),
        1 => peer().prop_map(Act::Down),
        2 => (peer(), 1u8..4, 10u64..150, prop_oneof![Just(0u64), Just(300)])
            .prop_map(|(peer, families, seconds, long_lived)| Act::Away {
                peer, families, seconds, long_lived
            }),
        12 => (peer(), 1u32..3, 0usize..96, some())
            .prop_map(|(peer, path_id, attrs, nets)| Act::Announce { peer, path_id, attrs, nets }),
        4 => (peer(), 1u32..3, some())
            .prop_map(|(peer, path_id, nets)| Act::Withdraw { peer, path_id, nets }),
        2 => (peer(), family(), mark)
            .prop_map(|(peer, family, mark)| Act::Mark { peer, family, mark }),
        2 => knobs().prop_map(|knobs| Act::Configure(Box::new(knobs))),
        1 => (by, prop::collection::vec(0usize..7, 0..3))
            .prop_map(|(by, nets)| Act::Originate { by, nets }),
        1 => (peer(), any::<bool>()).prop_map(|(peer, on)| Act::Drain { peer, on }),
        3 => [answer(), answer(), answer()].prop_map(|answers| Act::Answer { answers }),
        3 => (0usize..5, answer()).prop_map(|(hop, answer)| Act::News { hop, answer }),
        6 => (peer(), 0usize..200).prop_map(|(peer, room)| Act::Pull { peer, room }),
        2 => peer().prop_map(Act::Read),
        1 => (peer(), any::<bool>()).prop_map(|(peer, v6)| Act::Refresh { peer, v6 }),
        2 => (1u64..200).prop_map(Act::Wait),
    ]
}
