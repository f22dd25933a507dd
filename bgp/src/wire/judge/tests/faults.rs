//! RFC 7606 rule by rule: what is malformed, and what becomes of it.

use super::*;

#[test]
fn section_3c_wrong_flags_withdraw() {
    for (flags, code, value) in [
        (0xc0, code::ORIGIN, &[0][..]),
        (0x80, code::AS_PATH, &[2, 1, 0, 0, 0xfd, 0xe9]),
        (0x00, code::NEXT_HOP, &[192, 0, 2, 1]),
        (0xc0, code::MULTI_EXIT_DISC, &[0, 0, 0, 1]),
        (0xc0, code::LOCAL_PREF, &[0, 0, 0, 1]),
        (0xc0, code::ATOMIC_AGGREGATE, &[]),
        (0x80, code::AGGREGATOR, &[0, 0, 0, 1, 1, 1, 1, 1]),
        (0x40, code::COMMUNITIES, &[0, 1, 0, 1]),
        (0xc0, code::ORIGINATOR_ID, &[1, 1, 1, 1]),
        (0x40, code::CLUSTER_LIST, &[1, 1, 1, 1]),
        (0x80, code::LARGE_COMMUNITIES, &[0; 12]),
    ] {
        let why = Message::good().with(flags, code, value).treated_as_withdraw(&internal());
        assert!(why.contains(&format!("flags {flags:#04x}")), "{code}: {why}");
    }
}

#[test]
fn section_3c_the_lower_flags_do_not_matter() {
    let batch = Message::good().with(0x4f, code::ORIGIN, &[1]).routes(&internal());
    assert_eq!(batch.attrs[0].origin(), Origin::Egp);
}

#[test]
fn section_3d_a_missing_well_known_attribute_withdraws() {
    for code in [code::ORIGIN, code::AS_PATH, code::NEXT_HOP] {
        let why = Message::good().without(code).treated_as_withdraw(&internal());
        assert!(why.ends_with("it is missing"), "{why}");
    }
}

#[test]
fn section_3d_without_routes_nothing_is_missing() {
    let batch = Message::new().withdrawn(&[8, 10]).routes(&internal());
    assert_eq!(said(&batch), ["no 10.0.0.0/8"]);
}

#[test]
fn section_3g_a_second_mp_attribute_resets() {
    let unreach = Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 2, 1]).attr(
        0x80,
        code::MP_UNREACH_NLRI,
        &[0, 2, 1],
    );
    assert_eq!(unreach.reset(&internal()), (3, 1));
    let value = reach(&[16]);
    let reach = Message::good().attr(0x80, code::MP_REACH_NLRI, &value).attr(
        0x80,
        code::MP_REACH_NLRI,
        &value,
    );
    assert_eq!(reach.reset(&internal()), (3, 1));
}

#[test]
fn section_3g_of_other_attributes_the_first_counts() {
    let (judgement, batch) = Message::good()
        .attr(0x80, code::MULTI_EXIT_DISC, &[0, 0, 0, 1])
        .attr(0x80, code::MULTI_EXIT_DISC, &[0, 0, 0, 2])
        .attr(0xc0, 77, &[1])
        .attr(0xc0, 77, &[2])
        .judged(&internal())
        .unwrap();
    let expected = ["MULTI_EXIT_DISC: it is there twice", "attribute 77: it is there twice"];
    assert_eq!(judgement.discarded, expected);
    assert_eq!(batch.attrs[0].med(), Some(1));
    let unknown: Vec<_> = batch.attrs[0].iter().filter(|a| a.code == 77).collect();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].value, [1]);
}

#[test]
fn section_3g_a_second_after_a_discarded_one_does_not_count() {
    let why = Message::good()
        .attr(0xc0, code::AGGREGATOR, &[1])
        .attr(0xc0, code::AGGREGATOR, &[0, 0, 0, 1, 1, 1, 1, 1])
        .discarded(&internal(), code::AGGREGATOR);
    assert_eq!(why, ["AGGREGATOR: length 1", "AGGREGATOR: it is there twice"]);
}

#[test]
fn section_3h_the_strongest_consequence_wins() {
    let message = Message::good()
        .attr(0xc0, code::AGGREGATOR, &[1])
        .with(0x40, code::ORIGIN, &[9])
        .attr(0x80, code::MULTI_EXIT_DISC, &[]);
    assert_eq!(message.treated_as_withdraw(&internal()), "ORIGIN: value 9");
    assert_eq!(message.attr(0x80, code::MP_UNREACH_NLRI, &[0]).reset(&internal()), (3, 9));
}

#[test]
fn section_4_an_attribute_that_does_not_fit_withdraws() {
    for tail in [&[0x40][..], &[0x40, 5], &[0x40, 5, 4, 0], &[0x50, 5, 0], &[0xc0, 8, 255]] {
        let why = Message::good().raw(tail).treated_as_withdraw(&internal());
        assert_eq!(why, "the last attribute is longer than the attributes", "{tail:?}");
    }
}

#[test]
fn section_4_an_empty_attribute_is_malformed() {
    for (flags, code) in [
        (0x40, code::ORIGIN),
        (0x40, code::NEXT_HOP),
        (0x80, code::MULTI_EXIT_DISC),
        (0x40, code::LOCAL_PREF),
        (0xc0, code::COMMUNITIES),
        (0x80, code::ORIGINATOR_ID),
        (0x80, code::CLUSTER_LIST),
        (0xc0, code::EXTENDED_COMMUNITIES),
        (0xc0, code::IPV6_EXTENDED_COMMUNITIES),
        (0xc0, code::LARGE_COMMUNITIES),
    ] {
        let why = Message::good().with(flags, code, &[]).treated_as_withdraw(&internal());
        assert!(why.ends_with("length 0"), "{why}");
    }
}

#[test]
fn section_5_2_without_reachable_routes_a_fault_resets() {
    let origin = Message::new().withdrawn(&[8, 10]).attr(0x40, code::ORIGIN, &[9]);
    assert_eq!(origin.reset(&internal()), (3, 6));
    let cut = Message::new().withdrawn(&[8, 10]).raw(&[0x40, 1, 9]);
    assert_eq!(cut.reset(&internal()), (3, 1));
    let unreach = Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 2, 1, 0]).attr(
        0x80,
        code::MULTI_EXIT_DISC,
        &[1],
    );
    assert_eq!(unreach.reset(&internal()), (3, 5));
    let reach =
        Message::good().with(0x40, code::ORIGIN, &[9]).attr(0x80, code::MP_REACH_NLRI, &reach(&[]));
    assert_eq!(Message { nlri: Vec::new(), ..reach }.reset(&internal()), (3, 6));
    // What is merely discarded changes nothing.
    let discard = Message::new().withdrawn(&[8, 10]).attr(0xc0, code::AGGREGATOR, &[1]);
    let (_, batch) = discard.judged(&internal()).unwrap();
    assert_eq!(said(&batch), ["no 10.0.0.0/8"]);
}

#[test]
fn section_5_3_incorrect_prefixes_reset() {
    for field in [&[33, 10, 0, 0, 0, 0][..], &[24, 10, 0], &[8, 10, 32], &[255]] {
        let mut message = Message::good();
        message.nlri = field.to_vec();
        assert_eq!(message.reset(&internal()), (3, 10), "{field:?}");
        assert_eq!(Message::new().withdrawn(field).reset(&internal()), (3, 10), "{field:?}");
    }
}

/// MP_REACH_NLRI of IPv6 through 2001:db8::1 with these prefixes.
pub(super) fn reach(nlri: &[u8]) -> Vec<u8> {
    let mut value = vec![0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    value.extend(nlri);
    value
}

#[test]
fn section_7_1_origin() {
    for value in [&[3][..], &[255], &[0, 0]] {
        let why = Message::good().with(0x40, code::ORIGIN, value).treated_as_withdraw(&internal());
        assert!(why.starts_with("ORIGIN"), "{why}");
    }
}

#[test]
fn section_7_2_as_path() {
    for (value, why) in [
        (&[2, 2, 0, 0, 0, 1][..], "a segment is longer than the attribute"),
        (&[2, 1, 0, 0, 0, 1, 2], "a single octet after the last segment"),
        (&[2, 0], "an empty segment"),
        (&[2, 1, 0, 0, 0, 1, 1, 0], "an empty segment"),
        (&[5, 1, 0, 0, 0, 1], "an unknown segment type"),
        (&[0, 1, 0, 0, 0, 1], "an unknown segment type"),
        (&[3, 1, 0, 0, 0, 1], "a segment of a confederation"),
        (&[4, 1, 0, 0, 0, 1], "a segment of a confederation"),
        (&[2, 1, 0, 0, 0, 0], "AS 0"),
        // RFC 9774 §3, wherever it is.
        (&[1, 1, 0, 0, 0, 1], "an AS_SET (RFC 9774)"),
        (&[2, 1, 0, 0, 0, 1, 1, 2, 0, 0, 0, 2, 0, 0, 0, 3], "an AS_SET (RFC 9774)"),
    ] {
        let said =
            Message::good().with(0x40, code::AS_PATH, value).treated_as_withdraw(&internal());
        assert_eq!(said, format!("AS_PATH: {why}"));
    }
    let empty = Message::good().with(0x40, code::AS_PATH, &[]).routes(&internal());
    assert_eq!(empty.attrs[0].rank().path_len, 0);
}

#[test]
fn an_external_path_begins_with_the_neighbour() {
    assert_eq!(said(&Message::good().routes(&external())).len(), 1);
    for value in [&[][..], &[2, 1, 0, 0, 0, 9], &[2, 2, 0, 0, 0, 9, 0, 0, 0xfd, 0xe9]] {
        let why = Message::good().with(0x40, code::AS_PATH, value).treated_as_withdraw(&external());
        assert_eq!(why, "AS_PATH: it does not begin with the neighbour's AS 65001");
        // A route server leaves its own AS out (RFC 7947 §2.2.2.1).
        let any = Context { first_as: false, ..external() };
        assert_eq!(Message::good().with(0x40, code::AS_PATH, value).routes(&any).attrs.len(), 1);
    }
}

#[test]
fn section_7_3_next_hop() {
    for value in [
        &[10, 0, 0][..],
        &[10, 0, 0, 1, 0],
        &[0, 0, 0, 0],
        &[127, 0, 0, 1],
        &[224, 0, 0, 5],
        &[240, 0, 0, 1],
        &[255, 255, 255, 255],
    ] {
        let why =
            Message::good().with(0x40, code::NEXT_HOP, value).treated_as_withdraw(&internal());
        assert!(why.starts_with("NEXT_HOP"), "{why}");
    }
}

#[test]
fn next_hop_is_ignored_beside_mp_reach_alone() {
    let mut message = Message::good().with(0x40, code::NEXT_HOP, &[0, 0]).attr(
        0x80,
        code::MP_REACH_NLRI,
        &reach(&[32, 0x20, 1, 0x0d, 0xb8]),
    );
    message.nlri.clear();
    let batch = message.routes(&internal());
    assert_eq!(said(&batch), ["2001:db8::/32 via 2001:db8::1 path [65001]"]);
}

#[test]
fn section_7_4_and_7_5_four_octets() {
    for (flags, code) in [(0x80, code::MULTI_EXIT_DISC), (0x40, code::LOCAL_PREF)] {
        for value in [&[0, 0, 1][..], &[0, 0, 0, 0, 1]] {
            let why = Message::good().attr(flags, code, value).treated_as_withdraw(&internal());
            assert!(why.ends_with(&format!("length {}", value.len())), "{why}");
        }
    }
}

#[test]
fn section_7_5_7_9_7_10_internal_attributes_from_outside_are_discarded() {
    for (flags, code) in
        [(0x40, code::LOCAL_PREF), (0x80, code::ORIGINATOR_ID), (0x80, code::CLUSTER_LIST)]
    {
        // Not even their length is looked at.
        for value in [&[10, 0, 0, 1][..], &[1]] {
            let why = Message::good().attr(flags, code, value).discarded(&external(), code);
            assert_eq!(why.len(), 1);
            assert!(why[0].ends_with("from an external neighbour"), "{why:?}");
        }
    }
}

#[test]
fn section_7_6_and_7_7_aggregation_is_discarded() {
    let atomic = Message::good().attr(0x40, code::ATOMIC_AGGREGATE, &[1]);
    let why = atomic.discarded(&internal(), code::ATOMIC_AGGREGATE);
    assert_eq!(why, ["ATOMIC_AGGREGATE: length 1"]);
    for value in [&[0, 1, 1, 1, 1, 1][..], &[0, 0, 0, 1, 1, 1, 1], &[0, 0, 0, 0, 1, 1, 1, 1]] {
        let why = Message::good()
            .attr(0xc0, code::AGGREGATOR, value)
            .discarded(&internal(), code::AGGREGATOR);
        assert_eq!(why.len(), 1);
    }
    let batch = Message::good()
        .attr(0x40, code::ATOMIC_AGGREGATE, &[])
        .attr(0xc0, code::AGGREGATOR, &[0, 3, 0x0d, 0x40, 10, 0, 0, 7])
        .routes(&internal());
    assert!(batch.attrs[0].atomic_aggregate());
    let aggregator = batch.attrs[0].aggregator();
    assert_eq!(aggregator, Some((Asn(200_000), Ipv4Addr::new(10, 0, 0, 7))));
}

#[test]
fn section_7_8_to_7_15_runs_of_whole_things() {
    for (flags, code, size) in [
        (0xc0, code::COMMUNITIES, 4),
        (0x80, code::ORIGINATOR_ID, 4),
        (0x80, code::CLUSTER_LIST, 4),
        (0xc0, code::EXTENDED_COMMUNITIES, 8),
        (0xc0, code::IPV6_EXTENDED_COMMUNITIES, 20),
        (0xc0, code::LARGE_COMMUNITIES, 12),
    ] {
        for surplus in [-1, 1] {
            let value = vec![7; (size + surplus) as usize];
            let why = Message::good().attr(flags, code, &value).treated_as_withdraw(&internal());
            assert!(why.contains("length"), "{why}");
        }
        Message::good().attr(flags, code, &vec![7; size as usize]).routes(&internal());
    }
}

#[test]
fn an_unrecognised_well_known_attribute_resets_with_its_bytes() {
    let message = Message::good().attr(0x40, 99, &[1, 2]);
    assert_eq!(message.reset(&internal()), (3, 2));
    let notification = message.judged(&internal()).unwrap_err();
    assert_eq!(notification.data[..], [0x40, 99, 2, 1, 2]);
}
