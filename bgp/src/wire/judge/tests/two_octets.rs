//! Sessions of two-octet AS numbers (RFC 6793).

use super::*;

fn good() -> Message {
    Message::new()
        .attr(0x40, code::ORIGIN, &[0])
        .attr(0x40, code::AS_PATH, &[2, 2, 0xfd, 0xe9, 0x5b, 0xa0])
        .attr(0x40, code::NEXT_HOP, &[192, 0, 2, 1])
        .nlri(&[16, 10, 1])
}

const AS4_PATH: [u8; 6] = [2, 1, 0, 3, 0x0d, 0x40];

#[test]
fn as4_path_completes_the_path() {
    let batch = good().attr(0xc0, code::AS4_PATH, &AS4_PATH).routes(&external2());
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001 200000]"]);
    let set = &batch.attrs[0];
    assert_eq!(set.rank(), &crate::attrs::Rank::of(set.bytes()));
    assert_eq!(set.rank().path_len, 2);
    assert_eq!(set.rank().neighbor_as, Some(PEER));
    assert!(set.iter().all(|attr| attr.code != code::AS4_PATH));
}

#[test]
fn the_same_route_over_either_session_is_the_same_set() {
    let two = good()
        .attr(0xc0, code::AGGREGATOR, &[0x5b, 0xa0, 9, 9, 9, 9])
        .attr(0xc0, code::AS4_PATH, &AS4_PATH)
        .attr(0xc0, code::AS4_AGGREGATOR, &[0, 3, 0x0d, 0x40, 9, 9, 9, 9]);
    let four = Message::good()
        .with(0x40, code::AS_PATH, &[2, 2, 0, 0, 0xfd, 0xe9, 0, 3, 0x0d, 0x40])
        .attr(0xc0, code::AGGREGATOR, &[0, 3, 0x0d, 0x40, 9, 9, 9, 9]);
    assert_eq!(two.routes(&external2()).attrs, four.routes(&external()).attrs);
}

#[test]
fn an_aggregator_of_two_octets_makes_as4_stale() {
    let batch = good()
        .attr(0xc0, code::AGGREGATOR, &[0xfd, 0xe9, 9, 9, 9, 9])
        .attr(0xc0, code::AS4_PATH, &AS4_PATH)
        .attr(0xc0, code::AS4_AGGREGATOR, &[0, 3, 0x0d, 0x40, 9, 9, 9, 9])
        .routes(&external2());
    assert_eq!(batch.attrs[0].as_path().to_string(), "65001 23456");
    assert_eq!(batch.attrs[0].aggregator(), Some((PEER, Ipv4Addr::new(9, 9, 9, 9))));
}

#[test]
fn a_malformed_as4_path_is_discarded() {
    for value in [&[][..], &[2, 1], &[2, 2, 0, 0, 0, 1], &[9, 1, 0, 0, 0, 1], &[2, 1, 0, 0, 0, 0]] {
        let message = good().attr(0xc0, code::AS4_PATH, value);
        let why = message.discarded(&external2(), code::AS4_PATH);
        assert_eq!(why, ["AS4_PATH: it is malformed"], "{value:?}");
    }
    for value in [&[0, 0, 0, 1][..], &[0, 0, 0, 0, 9, 9, 9, 9]] {
        let message = good().attr(0xc0, code::AS4_AGGREGATOR, value);
        assert_eq!(message.discarded(&external2(), code::AS4_AGGREGATOR).len(), 1);
    }
}

#[test]
fn as4_attributes_of_a_four_octet_speaker_are_discarded() {
    for (code, value) in [(code::AS4_PATH, &AS4_PATH[..]), (code::AS4_AGGREGATOR, &[1; 8])] {
        let why = Message::good().attr(0xc0, code, value).discarded(&external(), code);
        assert!(why[0].ends_with("in a session of four-octet AS numbers"), "{why:?}");
    }
}

#[test]
fn our_own_as_hidden_in_as4_path_is_a_loop() {
    let context = Context { local_asn: Asn(200_000), ..external2() };
    let (judgement, batch) = good().attr(0xc0, code::AS4_PATH, &AS4_PATH).judged(&context).unwrap();
    assert_eq!(judgement.unusable, Some("our own AS is in AS_PATH"));
    assert_eq!(said(&batch), ["no 10.1.0.0/16"]);
}

#[test]
fn malformed_paths_of_two_octets_withdraw() {
    for value in [&[2, 2, 0, 1][..], &[2, 0], &[2, 1, 0, 0], &[3, 1, 0, 1], &[2, 1, 0, 1, 7]] {
        let why = good().with(0x40, code::AS_PATH, value).treated_as_withdraw(&external2());
        assert!(why.starts_with("AS_PATH: "), "{why}");
    }
}

#[test]
fn aggregator_has_six_octets() {
    let message = good().attr(0xc0, code::AGGREGATOR, &[0, 0, 0, 1, 9, 9, 9, 9]);
    assert_eq!(message.discarded(&external2(), code::AGGREGATOR), ["AGGREGATOR: length 8"]);
}

#[test]
fn rfc9774_a_set_in_either_path_withdraws() {
    let plain = good().with(0x40, code::AS_PATH, &[2, 1, 0xfd, 0xe9, 1, 1, 0x5b, 0xa0]);
    assert_eq!(plain.treated_as_withdraw(&external2()), "AS_PATH: an AS_SET (RFC 9774)");
    let carried = good().attr(0xc0, code::AS4_PATH, &[1, 1, 0, 3, 0x0d, 0x40]);
    assert_eq!(carried.treated_as_withdraw(&external2()), "AS4_PATH: an AS_SET (RFC 9774)");
}

#[test]
fn confederations_in_as4_path_are_left_out() {
    let carried = [3, 1, 0, 0, 0xfc, 0, 2, 1, 0, 3, 0x0d, 0x40];
    let batch = good().attr(0xc0, code::AS4_PATH, &carried).routes(&external2());
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001 200000]"]);
}

#[test]
fn a_longer_as4_path_is_ignored() {
    let carried = [2, 3, 0, 3, 0x0d, 0x40, 0, 4, 0, 0, 0, 5, 0, 0];
    let batch = good().attr(0xc0, code::AS4_PATH, &carried).routes(&external2());
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001 23456]"]);
}
