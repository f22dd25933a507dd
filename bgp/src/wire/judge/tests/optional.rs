//! Loops that settings move, and the attributes of RFC 7311 and RFC 9234.

use super::*;

#[test]
fn our_own_as_may_come_as_often_as_allowed() {
    let twice = Message::good().with(
        0x40,
        code::AS_PATH,
        &[2, 3, 0, 0, 0xfd, 0xe9, 0, 0, 0xfc, 0, 0, 0, 0xfc, 0],
    );
    for allow_own_as in [0, 1] {
        let context = Context { allow_own_as, ..external() };
        let (judgement, batch) = twice.judged(&context).unwrap();
        assert_eq!(judgement.unusable, Some("our own AS is in AS_PATH"));
        assert_eq!(said(&batch), ["no 10.1.0.0/16"]);
    }
    for allow_own_as in [2, 255] {
        let batch = twice.routes(&Context { allow_own_as, ..external() });
        assert_eq!(batch.attrs.len(), 1);
    }
}

#[test]
fn rfc4456_section_8_our_own_cluster_is_a_loop() {
    let own = Ipv4Addr::new(9, 9, 9, 9);
    let message = |list: &[u8]| Message::good().attr(0x80, code::CLUSTER_LIST, list);
    let context = Context { cluster_id: Some(own), ..internal() };
    for list in [&[9; 4][..], &[1, 1, 1, 1, 9, 9, 9, 9]] {
        let (judgement, batch) = message(list).judged(&context).unwrap();
        assert_eq!(judgement.unusable, Some("our own CLUSTER_ID is in CLUSTER_LIST"));
        assert_eq!(said(&batch), ["no 10.1.0.0/16"]);
    }
    // The same octets across two of them are none, and without reflection nothing is.
    message(&[1, 1, 9, 9, 9, 9, 1, 1]).routes(&context);
    message(&[9; 4]).routes(&internal());
}

#[test]
fn rfc7311_aigp() {
    let metric = [1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7];
    let more = [&metric[..], &[2, 0, 4, 9]].concat();
    for value in [&metric[..], &more, &[2, 0, 3]] {
        let batch = Message::good().attr(0x80, code::AIGP, value).routes(&internal());
        let kept: Vec<_> = batch.attrs[0].iter().filter(|a| a.code == code::AIGP).collect();
        assert_eq!((kept.len(), kept[0].value), (1, value));
        let why = Message::good().attr(0x80, code::AIGP, value).discarded(&external(), code::AIGP);
        assert_eq!(why, ["AIGP: from an external neighbour"]);
    }
    for value in [&[1, 0, 3][..], &metric[..10], &[2, 0, 2], &[2, 0, 3, 1], &[2, 0, 9, 0]] {
        let why = Message::good().attr(0x80, code::AIGP, value).discarded(&internal(), code::AIGP);
        assert_eq!(why, ["AIGP: a TLV of a wrong length"], "{value:?}");
    }
}

#[test]
fn rfc9234_section_5_only_to_customer() {
    let batch = Message::good().attr(0xc0, code::OTC, &[0, 0, 0xfd, 0xe9]).routes(&external());
    assert!(batch.attrs[0].iter().any(|a| a.code == code::OTC && a.u32() == Some(65001)));
    for value in [&[][..], &[0, 0, 1], &[0; 5]] {
        let why = Message::good().attr(0xc0, code::OTC, value).treated_as_withdraw(&external());
        assert_eq!(why, format!("OTC: length {}", value.len()));
    }
    let why = Message::good().attr(0x80, code::OTC, &[0; 4]).treated_as_withdraw(&external());
    assert_eq!(why, "OTC: flags 0x80");
}
