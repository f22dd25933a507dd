//! Established: UPDATEs become batches, complaints and, at worst, the end; ROUTE-REFRESH.

use super::alone::{Alone, update};
use super::*;
use crate::msg::Op;
use crate::types::{Family, Prefix, V4};

#[test]
fn one_call_gives_one_batch_in_order() {
    let mut peer = Alone::established(Slot::Dialled);
    let mut stream: Vec<u8> = (0..100).flat_map(update).collect();
    stream.extend_from_slice(&header::KEEPALIVE);
    stream.extend(update(100));
    stream.extend_from_slice(&update(101)[..20]);
    let mut bytes = BytesMut::from(&stream[..]);
    let out = peer.give(PeerIn::Received { slot: Slot::Dialled, bytes: &mut bytes });
    let [PeerOut::Routes(batch)] = &out[..] else { panic!("{out:?}") };
    assert_eq!((batch.peer, batch.ops.len()), (PeerId(2), 101));
    let expected: Vec<V4> = (0..=100).filter_map(|n| V4::from_wire(16, &[10, n])).collect();
    assert_eq!(batch.v4, expected);
    assert!(matches!(batch.ops[0], Op::Announce { family: Family::Ipv4, start: 0, end: 1, .. }));
    assert_eq!(bytes.len(), 20, "a partial message is left");
    bytes.extend_from_slice(&update(101)[20..]);
    let out = peer.give(PeerIn::Received { slot: Slot::Dialled, bytes: &mut bytes });
    assert!(matches!(&out[..], [PeerOut::Routes(batch)] if batch.ops.len() == 1));
    assert_eq!(peer.peer.status().received.updates, 102);
}

#[test]
fn a_huge_read_is_split() {
    let mut peer = Alone::established(Slot::Dialled);
    let mut withdrawn = vec![0, 0];
    for n in 0..1000u16 {
        withdrawn.push(24);
        withdrawn.extend([10, (n >> 8) as u8, n as u8]);
    }
    let len = (withdrawn.len() - 2) as u16;
    withdrawn[..2].copy_from_slice(&len.to_be_bytes());
    withdrawn.extend([0, 0]);
    let stream = message(Kind::Update, &withdrawn).repeat(150);
    let out = peer.receive(Slot::Dialled, &stream);
    let sizes: Vec<usize> = out
        .iter()
        .filter_map(|o| match o {
            PeerOut::Routes(batch) => Some(batch.v4.len()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [66_000, 66_000, 18_000]);
}

#[test]
fn routes_come_before_the_down_that_ends_them() {
    let endings = [
        notification(&Notification::CEASE_SHUTDOWN),
        message(Kind::Update, &[0, 9, 0, 0]),
        message(Kind::Open, &[0; 10]),
        vec![0; 19],
    ];
    for ending in endings {
        let mut peer = Alone::established(Slot::Accepted);
        let out = peer.receive(Slot::Accepted, &[update(1), update(2), ending].concat());
        let routes = out.iter().position(|o| matches!(o, PeerOut::Routes(b) if b.ops.len() == 2));
        let down = out.iter().position(|o| matches!(o, PeerOut::Down { .. }));
        assert!(routes.unwrap() < down.unwrap(), "{out:?}");
        assert_eq!(peer.peer.status().flaps, 1);
    }
}

#[test]
fn what_follows_the_last_message_of_a_connection_is_dropped() {
    let mut peer = Alone::established(Slot::Accepted);
    let end = notification(&Notification::CEASE_SHUTDOWN);
    let out = peer.receive(Slot::Accepted, &[end, update(1), update(2)].concat());
    assert!(!out.iter().any(|o| matches!(o, PeerOut::Routes(_))));
    assert_eq!(peer.peer.status().received.updates, 0);
}

#[test]
fn malformed_updates_are_told_once() {
    let mut peer = Alone::established(Slot::Accepted);
    let mut bad = update(1);
    let origin = bad.iter().position(|octet| *octet == 0x40).unwrap() + 3;
    bad[origin] = 9;
    let out = peer.receive(Slot::Accepted, &bad.repeat(3));
    let told = events(&out).iter().filter(|e| matches!(e, PeerEvent::Malformed(_))).count();
    assert_eq!(told, 1, "{out:?}");
    assert_eq!(peer.state(), State::Established, "RFC 7606: the session stays");
    assert!(events(&peer.receive(Slot::Accepted, &bad)).is_empty());
}

#[test]
fn refresh_both_ways() {
    let mut peer = Alone::established(Slot::Dialled);
    let v6 = message(Kind::RouteRefresh, &[0, 2, 0, 1]);
    let out = peer.receive(Slot::Dialled, &v6);
    assert!(matches!(out[..], [PeerOut::Refresh(Family::Ipv6)]), "{out:?}");
    let unknown = message(Kind::RouteRefresh, &[0, 25, 0, 70]);
    assert!(peer.receive(Slot::Dialled, &unknown).is_empty());
    let out = peer.give(PeerIn::RequestRefresh);
    let bodies: Vec<Vec<u8>> = sent(&out, Slot::Dialled).into_iter().map(|(_, b)| b).collect();
    assert_eq!(bodies, [[0, 1, 0, 1], [0, 2, 0, 1]]);
    let status = peer.peer.status();
    assert_eq!((status.received.refreshes, status.sent.refreshes), (2, 2));
}

/// An announcement of 10.`n`.0.0/16 over iBGP, with our own AS in its path if `looped`.
fn announcement(n: u8, looped: bool) -> Vec<u8> {
    let path: &[u8] = if looped { &[2, 1, 0, 0, 0xfc, 0] } else { &[] };
    let mut attrs = vec![0x40, 1, 1, 0, 0x40, 2, path.len() as u8];
    attrs.extend(path);
    attrs.extend([0x40, 3, 4, 192, 0, 2, 1, 0x40, 5, 4, 0, 0, 0, 100]);
    let mut body = vec![0, 0, 0, attrs.len() as u8];
    body.extend(attrs);
    body.extend([16, 10, n]);
    message(Kind::Update, &body)
}

#[test]
fn what_counts_as_withdrawn_is_remembered_until_it_is_said_anew() {
    let mut peer = Alone::established(Slot::Dialled);
    let refused = |peer: &Alone| -> Vec<String> {
        let all = peer.peer.status().refused;
        all.iter().map(|unusable| format!("{} {}", unusable.prefix, unusable.why)).collect()
    };
    let stream = [announcement(1, true), announcement(2, true), announcement(3, false)].concat();
    peer.receive(Slot::Dialled, &stream);
    let why = "our own AS is in AS_PATH";
    assert_eq!(refused(&peer), [format!("10.1.0.0/16 {why}"), format!("10.2.0.0/16 {why}")]);
    assert_eq!(peer.peer.status().refused[0].at, peer.now);
    peer.receive(Slot::Dialled, &announcement(1, false));
    assert_eq!(refused(&peer), [format!("10.2.0.0/16 {why}")]);
    // A real withdrawal.
    peer.receive(Slot::Dialled, &message(Kind::Update, &[0, 3, 16, 10, 2, 0, 0]));
    assert_eq!(refused(&peer), [""; 0]);
    // Who loops for ever is remembered as far as anybody would read.
    for n in 0..=255 {
        peer.receive(Slot::Dialled, &announcement(n, true));
        peer.now = peer.now.after(SEC);
    }
    let last = refused(&peer);
    assert_eq!((last.len(), last[0].as_str()), (64, format!("10.192.0.0/16 {why}").as_str()));
}
