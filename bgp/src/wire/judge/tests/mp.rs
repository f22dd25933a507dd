//! Malformed MP attributes (RFC 7606 §5.3, §7.11, §7.12): with another family beside it, theirs
//! is taken out of the session; alone, the session ends.

use std::num::NonZeroU32;

use super::faults::reach;
use super::*;

/// A session of IPv6 alone.
fn only6() -> Context {
    Context { families: Families::from_iter([Family::Ipv6]), ..internal() }
}

/// That `code` with `value` disables IPv6 beside IPv4 whose routes stand, ends a session of IPv6
/// alone, and is ignored where there is no IPv6.
fn disables(flags: u8, code: u8, value: &[u8], expected: &str) {
    let message = Message::good().attr(flags, code, value);
    let (judgement, batch) = message.judged(&internal()).unwrap();
    let (family, why) = judgement.disabled.unwrap();
    assert_eq!((family, why.as_str()), (Family::Ipv6, expected), "{value:?}");
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001]"], "{value:?}");
    assert!(batch.v6.is_empty() && batch.v6_ids.is_empty());
    assert_eq!(message.reset(&only6()), (3, 9), "{value:?}");

    let only4 = Context { families: Families::from_iter([Family::Ipv4]), ..internal() };
    let (judgement, batch) = message.judged(&only4).unwrap();
    assert_eq!(judgement.disabled, None, "{value:?}");
    assert_eq!(said(&batch).len(), 1);
}

#[test]
fn section_5_3_incorrect_prefixes() {
    for nlri in [&[129][..], &[64, 0x20, 1], &[0, 129, 1]] {
        disables(0x80, code::MP_REACH_NLRI, &reach(nlri), "MP_REACH_NLRI: incorrect prefixes");
        let value = [&[0, 2, 1], nlri].concat();
        disables(0x80, code::MP_UNREACH_NLRI, &value, "MP_UNREACH_NLRI: incorrect prefixes");
    }
}

#[test]
fn section_5_3_ipv4_in_mp_attributes() {
    // An IPv4 prefix is too long at 33, in whichever attribute; IPv6 stays.
    let v4 = [&[0, 1, 1, 4, 192, 0, 2, 1, 0][..], &[33, 1, 1, 1, 1, 1]].concat();
    let mut message = Message::good().attr(0x80, code::MP_REACH_NLRI, &v4);
    message.nlri.clear();
    let (judgement, batch) = message.judged(&internal()).unwrap();
    assert_eq!(judgement.disabled.map(|(family, _)| family), Some(Family::Ipv4));
    assert!(batch.ops.is_empty() && batch.v4.is_empty());
}

#[test]
fn section_5_3_what_went_before_in_the_message_is_taken_back_with_its_family() {
    let value = [&[0, 2, 1][..], &[16, 0x20, 1]].concat();
    let message = Message::good().attr(0x80, code::MP_UNREACH_NLRI, &value).attr(
        0x80,
        code::MP_REACH_NLRI,
        &reach(&[129]),
    );
    let (judgement, batch) = message.judged(&internal()).unwrap();
    assert!(judgement.disabled.is_some());
    assert_eq!(said(&batch), ["no 2001::/16", "10.1.0.0/16 via 192.0.2.1 path [65001]"]);
}

#[test]
fn section_3c_flags() {
    disables(0xc0, code::MP_REACH_NLRI, &reach(&[]), "MP_REACH_NLRI: flags 0xc0");
    disables(0x40, code::MP_UNREACH_NLRI, &[0, 2, 1], "MP_UNREACH_NLRI: flags 0x40");
}

#[test]
fn section_7_11_lengths() {
    let long = "MP_REACH_NLRI: the next hop is longer than the attribute";
    for value in [&[0, 2, 1, 0][..], &[0, 2, 1, 255, 1, 1, 1], &reach(&[])[..20]] {
        disables(0x80, code::MP_REACH_NLRI, value, long);
    }
    disables(0x80, code::MP_REACH_NLRI, &[0, 2, 1], "MP_REACH_NLRI: shorter than five octets");
    for length in [0, 4, 15, 17, 48] {
        let mut value = vec![0, 2, 1, length];
        value.extend(vec![1; usize::from(length) + 1]);
        let why = "MP_REACH_NLRI: the length of the next hop is not its family's";
        disables(0x80, code::MP_REACH_NLRI, &value, why);
    }
}

#[test]
fn section_7_12_without_a_family_the_session_ends() {
    for value in [&[][..], &[0], &[0, 2]] {
        for code in [code::MP_REACH_NLRI, code::MP_UNREACH_NLRI] {
            let message = Message::good().attr(0x80, code, value);
            assert_eq!(message.reset(&internal()), (3, 9), "{value:?}");
        }
    }
}

#[test]
fn of_two_broken_families_the_second_ends_the_session() {
    let v4 = [0, 1, 1, 4, 192, 0, 2, 1, 0, 33, 1];
    let both = Message::new()
        .attr(0x40, code::ORIGIN, &[0])
        .attr(0x40, code::AS_PATH, &[])
        .attr(0x80, code::MP_REACH_NLRI, &v4)
        .attr(0xc0, code::MP_UNREACH_NLRI, &[0, 2, 1]);
    assert_eq!(both.reset(&internal()), (3, 9));
}

#[test]
fn section_5_1_mp_attributes_may_be_anywhere() {
    let unreach = [0, 2, 1, 16, 0x20, 2];
    let attributes = [
        (0x80, code::MP_REACH_NLRI, reach(&[32, 0x20, 1, 0x0d, 0xb8])),
        (0x80, code::MP_UNREACH_NLRI, unreach.to_vec()),
        (0x40, code::ORIGIN, vec![0]),
        (0x40, code::AS_PATH, vec![]),
        (0x40, code::LOCAL_PREF, vec![0, 0, 0, 100]),
    ];
    let sets: Vec<_> = (0..attributes.len())
        .map(|turn| {
            let mut order = attributes.to_vec();
            order.rotate_left(turn);
            let message = order.iter().fold(Message::new(), |message, (flags, code, value)| {
                message.attr(*flags, *code, value)
            });
            let batch = message.routes(&internal());
            assert_eq!(said(&batch), ["no 2002::/16", "2001:db8::/32 via 2001:db8::1 path []"]);
            batch.attrs[0].bytes().to_vec()
        })
        .collect();
    assert!(sets.windows(2).all(|pair| pair[0] == pair[1]));
}

// ---- Next hops --------------------------------------------------------------------------------

/// MP_REACH_NLRI of one prefix with this next hop.
fn via(family: Family, next_hop: &[&str]) -> Message {
    let mut value = vec![0, family.afi() as u8, 1, 16 * next_hop.len() as u8];
    for address in next_hop {
        value.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    value.extend([0, 8, 0x20]);
    Message::good().attr(0x80, code::MP_REACH_NLRI, &value).nlri_none()
}

impl Message {
    fn nlri_none(mut self) -> Message {
        self.nlri.clear();
        self
    }
}

#[test]
fn rfc2545_section_3_next_hops() {
    let scoped = Context { scope: NonZeroU32::new(3), ..internal() };
    for (context, next_hop, expected) in [
        (internal(), &["2001:db8::1"][..], "2001:db8::1"),
        (internal(), &["2001:db8::1", "fe80::1"], "2001:db8::1"),
        (scoped, &["2001:db8::1", "fe80::1"], "2001:db8::1"),
        (scoped, &["2001:db8::1"], "2001:db8::1"),
        (scoped, &["fe80::1"], "fe80::1%3"),
        (scoped, &["::", "fe80::1"], "fe80::1%3"),
        (scoped, &["fe80::1", "fe80::2"], "fe80::2%3"),
    ] {
        let batch = via(Family::Ipv6, next_hop).routes(&context);
        assert_eq!(said(&batch), [format!("2000::/8 via {expected} path [65001]")]);
    }
}

#[test]
fn link_local_next_hops_need_a_link() {
    for next_hop in [&["fe80::1"][..], &["::", "fe80::1"], &["fe80::1", "fe80::1"]] {
        let why = via(Family::Ipv6, next_hop).treated_as_withdraw(&internal());
        assert_eq!(
            why,
            "MP_REACH_NLRI: fe80::1 is link-local, but the session is not: it is no next hop"
        );
    }
}

#[test]
fn next_hops_that_are_no_host_withdraw() {
    for next_hop in [&["::"][..], &["::1"], &["ff02::1"], &["::", "::"]] {
        let why = via(Family::Ipv6, next_hop).treated_as_withdraw(&internal());
        assert!(why.starts_with("MP_REACH_NLRI") && why.ends_with("is no next hop"), "{why}");
    }
}

#[test]
fn rfc8950_ipv6_next_hops_of_ipv4_have_to_be_agreed() {
    let why = via(Family::Ipv4, &["2001:db8::1"]).treated_as_withdraw(&internal());
    assert!(why.ends_with("was not negotiated (RFC 8950)"), "{why}");
    let agreed = Context { extended_next_hop: true, ..internal() };
    for next_hop in [&["2001:db8::1"][..], &["2001:db8::1", "fe80::1"]] {
        let batch = via(Family::Ipv4, next_hop).routes(&agreed);
        assert_eq!(said(&batch), ["32.0.0.0/8 via 2001:db8::1 path [65001]"]);
    }
    let scoped = Context { scope: NonZeroU32::new(3), ..agreed };
    let batch = via(Family::Ipv4, &["fe80::1"]).routes(&scoped);
    assert_eq!(said(&batch), ["32.0.0.0/8 via fe80::1%3 path [65001]"]);
}

// ---- Path identifiers (RFC 7911) ----------------------------------------------------------------

#[test]
fn rfc7911_identifiers_in_all_four_places() {
    let context = Context { add_path: Families::ALL, ..internal() };
    let prefix6 = [0, 0, 0, 5, 16, 0x20, 1];
    let batch = Message::good()
        .nlri_none()
        .nlri(&[0, 0, 0, 1, 16, 10, 1, 0, 0, 0, 2, 16, 10, 1])
        .withdrawn(&[0, 0, 0, 3, 8, 9])
        .attr(0x80, code::MP_REACH_NLRI, &reach(&prefix6))
        .attr(0x80, code::MP_UNREACH_NLRI, &[0, 2, 1, 0, 0, 0, 4, 0])
        .routes(&context);
    let expected = [
        "no 9.0.0.0/8",
        "no ::/0",
        "10.1.0.0/16 10.1.0.0/16 via 192.0.2.1 path [65001]",
        "2001::/16 via 2001:db8::1 path [65001]",
    ];
    assert_eq!(said(&batch), expected);
    assert_eq!((&batch.v4_ids[..], &batch.v6_ids[..]), (&[3, 1, 2][..], &[4, 5][..]));
}

#[test]
fn rfc7911_identifiers_are_per_family() {
    let add_path = Families::from_iter([Family::Ipv6]);
    let batch = Message::good()
        .attr(0x80, code::MP_REACH_NLRI, &reach(&[0, 0, 0, 5, 16, 0x20, 1]))
        .routes(&Context { add_path, ..internal() });
    assert_eq!((batch.v4.len(), batch.v4_ids.len()), (1, 0));
    assert_eq!(batch.v6_ids, [5]);
}

#[test]
fn rfc7911_prefixes_without_identifiers_are_incorrect() {
    let context = Context { add_path: Families::ALL, ..internal() };
    assert_eq!(Message::good().reset(&context), (3, 10));
    assert_eq!(Message::new().withdrawn(&[8, 10]).reset(&context), (3, 10));
}

#[test]
fn end_of_rib_is_the_same_with_identifiers() {
    let context = Context { add_path: Families::ALL, ..internal() };
    assert_eq!(said(&Message::new().routes(&context)), ["end of ipv4"]);
    let v6 = Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 2, 1]);
    assert_eq!(said(&v6.routes(&context)), ["end of ipv6"]);
}
