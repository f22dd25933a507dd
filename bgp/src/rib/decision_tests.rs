use proptest::prelude::*;

use super::*;
use crate::attrs::Origin;
use crate::types::Asn;

fn rank() -> Rank {
    Rank {
        local_pref: 100,
        path_len: 1,
        origin: Origin::Igp,
        med: 0,
        neighbor_as: Some(Asn(65001)),
        originator: None,
        cluster_len: 0,
    }
}

fn candidate(rank: &Rank, peer: u32) -> Candidate<'_> {
    Candidate {
        peer: PeerId(peer),
        path_id: 0,
        rank,
        med_among: rank.neighbor_as,
        long_lived_stale: false,
        internal: false,
        metric: 0,
        router_id: Ipv4Addr::new(1, 1, 1, 1),
        address: IpAddr::from([10, 0, 0, peer as u8]),
    }
}

/// What a path must have to win (or lose) at a step, all else being as it is.
fn set(step: Why, wins: bool, rank: &mut Rank, facts: &mut Facts) {
    let n = u32::from(!wins);
    match step {
        Why::Local => facts.local = wins,
        Why::LongLivedStale => facts.stale = !wins,
        Why::LocalPref => rank.local_pref = 101 - n,
        Why::PathLength => rank.path_len = 1 + n,
        Why::Origin => rank.origin = if wins { Origin::Igp } else { Origin::Incomplete },
        Why::Med => rank.med = n,
        Why::External => facts.internal = !wins,
        Why::Metric => facts.metric = n,
        Why::Identifier => rank.originator = Some(Ipv4Addr::from(n)),
        Why::ClusterLength => rank.cluster_len = 1 - u16::from(wins),
        Why::PeerAddress => facts.last_octet = 1 - u8::from(wins),
    }
}

#[derive(Clone, Copy, Default)]
struct Facts {
    local: bool,
    stale: bool,
    internal: bool,
    metric: u32,
    last_octet: u8,
}

fn with(rank: &Rank, facts: Facts, peer: u32) -> Candidate<'_> {
    Candidate {
        peer: if facts.local { PeerId::LOCAL } else { PeerId(peer) },
        long_lived_stale: facts.stale,
        internal: facts.internal,
        metric: facts.metric,
        address: IpAddr::from([10, 0, 0, facts.last_octet]),
        ..candidate(rank, peer)
    }
}

/// Each step decides when all before it are equal, even if all after it say the contrary.
#[test]
fn every_step_in_its_place() {
    for (at, step) in Why::STEPS.into_iter().enumerate() {
        let (mut a_rank, mut b_rank) = (rank(), rank());
        let (mut a_facts, mut b_facts) = (Facts::default(), Facts::default());
        set(step, true, &mut a_rank, &mut a_facts);
        set(step, false, &mut b_rank, &mut b_facts);
        for later in &Why::STEPS[at + 1..] {
            set(*later, false, &mut a_rank, &mut a_facts);
            set(*later, true, &mut b_rank, &mut b_facts);
        }
        let (a, b) = (with(&a_rank, a_facts, 1), with(&b_rank, b_facts, 2));
        assert_eq!(decide(&a, &b), (Ordering::Greater, step));
        assert_eq!(decide(&b, &a), (Ordering::Less, step));
        assert_eq!(select(&[b, a]), Some(1));
        assert_eq!(explain(&[b, a]), [Some(Loss { why: step, to: 1 }), None]);
    }
}

#[test]
fn med_counts_among_the_same_neighbour_only() {
    let a_rank = Rank { med: 10, ..rank() };
    let b_rank = Rank { med: 0, neighbor_as: Some(Asn(65002)), ..rank() };
    let (a, b) = (candidate(&a_rank, 1), candidate(&b_rank, 2));
    assert_eq!(decide(&a, &b), (Ordering::Greater, Why::PeerAddress));
}

/// The classic: of three routes each pair has a winner, but the duels run in a circle.
#[test]
fn a_circle_of_duels_has_one_winner() {
    let a_rank = Rank { med: 10, ..rank() };
    let b_rank = Rank { med: 5, ..rank() };
    let c_rank = Rank { neighbor_as: Some(Asn(65002)), ..rank() };
    let (a, c) = (candidate(&a_rank, 1), candidate(&c_rank, 2));
    let b = candidate(&b_rank, 3);
    assert!(decide(&a, &c).0.is_gt() && decide(&c, &b).0.is_gt() && decide(&b, &a).0.is_gt());
    for order in [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
        let best = select(&order).unwrap();
        assert_eq!(order[best].peer, PeerId(2));
        let losses = explain(&order);
        assert_eq!(losses[best], None);
        let of = |peer| order.iter().position(|c| c.peer == PeerId(peer)).unwrap();
        assert_eq!(losses[of(1)], Some(Loss { why: Why::Med, to: of(3) }));
        assert_eq!(losses[of(3)], Some(Loss { why: Why::PeerAddress, to: of(2) }));
    }
}

#[test]
fn reasons_read_well() {
    let (a_rank, b_rank) = (Rank { local_pref: 200, ..rank() }, rank());
    let (a, b) = (candidate(&a_rank, 1), candidate(&b_rank, 2));
    assert_eq!(Why::LocalPref.words(&a, &b), "LOCAL_PREF 200 against 100");
    assert_eq!(Why::LocalPref.words(&b, &a), "LOCAL_PREF 100 against 200");
    assert_eq!(Why::Origin.words(&a, &b), "ORIGIN Igp against Igp");
}

fn any_rank() -> impl Strategy<Value = Rank> {
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp)];
    let identifier = prop::option::of((1u8..3).prop_map(|n| Ipv4Addr::new(1, 1, 1, n)));
    (99u32..101, 1u32..3, origin, 0u32..3, prop::option::of(1u32..3), identifier, 0u16..2).prop_map(
        |(local_pref, path_len, origin, med, neighbor, originator, cluster_len)| Rank {
            local_pref,
            path_len,
            origin,
            med,
            neighbor_as: neighbor.map(Asn),
            originator,
            cluster_len,
        },
    )
}

/// The RFC's text, one sentence a line.
pub(in crate::rib) fn oracle(all: &[Candidate<'_>]) -> Option<(PeerId, u32)> {
    let mut left: Vec<&Candidate<'_>> = all.iter().collect();
    fn keep_lowest<K: Ord>(left: &mut Vec<&Candidate<'_>>, key: impl Fn(&Candidate<'_>) -> K) {
        if let Some(low) = left.iter().map(|c| key(c)).min() {
            left.retain(|c| key(c) == low);
        }
    }
    keep_lowest(&mut left, |c| c.peer != PeerId::LOCAL);
    keep_lowest(&mut left, |c| c.long_lived_stale);
    keep_lowest(&mut left, |c| u32::MAX - c.rank.local_pref);
    keep_lowest(&mut left, |c| c.rank.path_len);
    keep_lowest(&mut left, |c| c.rank.origin);
    let before = left.clone();
    left.retain(|n| !before.iter().any(|m| m.med_among == n.med_among && m.rank.med < n.rank.med));
    keep_lowest(&mut left, |c| c.internal);
    keep_lowest(&mut left, |c| c.metric);
    keep_lowest(&mut left, |c| c.rank.originator.unwrap_or(c.router_id));
    keep_lowest(&mut left, |c| c.rank.cluster_len);
    keep_lowest(&mut left, |c| c.address);
    keep_lowest(&mut left, |c| (c.peer, c.path_id));
    left.first().map(|c| (c.peer, c.path_id))
}

/// Those that are left behind the interior cost, likewise.
pub(in crate::rib) fn equals_oracle<'a>(all: &[Candidate<'a>]) -> Vec<Candidate<'a>> {
    // What comes after it is made the same for all.
    let blind = |c: &Candidate<'a>| Candidate { router_id: Ipv4Addr::UNSPECIFIED, ..*c };
    let mut equal = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let rank = Rank { originator: Some(Ipv4Addr::UNSPECIFIED), cluster_len: 0, ..*one.rank };
        let address = IpAddr::from([0, 0, 0, 0]);
        let favoured = Candidate { rank: &rank, address, ..blind(one) };
        let mut others: Vec<Candidate<'_>> = all.to_vec();
        others[at] = favoured;
        if oracle(&others) == Some((one.peer, one.path_id)) {
            equal.push(*one);
        }
    }
    equal
}

proptest! {
    #[test]
    fn agrees_with_the_text_in_any_order(
        ranks in prop::collection::vec(any_rank(), 0..7),
        facts in prop::collection::vec((any::<bool>(), 0u32..2, 1u8..3, prop::bool::weighted(0.2)), 7),
        always in any::<bool>(),
        first in 0u32..2,
        turn in 0usize..7,
    ) {
        let mut candidates: Vec<Candidate<'_>> = ranks
            .iter()
            .zip(&facts)
            .zip(first..)
            .map(|((rank, (internal, metric, id, stale)), peer)| Candidate {
                med_among: rank.neighbor_as.filter(|_| !always),
                long_lived_stale: *stale,
                internal: *internal,
                metric: *metric,
                router_id: Ipv4Addr::new(1, 1, 1, *id),
                ..candidate(rank, peer)
            })
            .collect();
        let best = oracle(&candidates).map(|(peer, _)| peer);
        prop_assert_eq!(select(&candidates).map(|at| candidates[at].peer), best);
        let turn = turn.min(candidates.len());
        candidates.rotate_left(turn);
        prop_assert_eq!(select(&candidates).map(|at| candidates[at].peer), best);
        let order = in_order(&candidates);
        prop_assert_eq!(order.first().copied(), select(&candidates));
        let mut all = order;
        all.sort_unstable();
        prop_assert_eq!(all, (0..candidates.len()).collect::<Vec<_>>());
        if let Some(best) = select(&candidates) {
            let mut equal: Vec<PeerId> =
                equal(&candidates, best).into_iter().map(|at| candidates[at].peer).collect();
            equal.push(candidates[best].peer);
            equal.sort_unstable();
            let mut wanted: Vec<PeerId> =
                equals_oracle(&candidates).into_iter().map(|c| c.peer).collect();
            wanted.sort_unstable();
            prop_assert_eq!(equal, wanted);
        }
        let losses = explain(&candidates);
        let winners: Vec<PeerId> =
            losses.iter().zip(&candidates).filter(|(l, _)| l.is_none()).map(|(_, c)| c.peer).collect();
        prop_assert_eq!(winners, best.into_iter().collect::<Vec<_>>());
        for (loss, loser) in losses.iter().zip(&candidates) {
            if let Some(Loss { why, to }) = loss {
                prop_assert!(why.compare(&candidates[*to], loser).is_gt());
            }
        }
    }
}
