//! RFC 7606 §7 and its successors in one table: every attribute that this speaker understands, in
//! every kind of session, and what becomes of an UPDATE in which it is malformed.

use super::*;
use crate::wire::attr::spec;

/// What becomes of an UPDATE, one letter for each session: inside the AS, outside, and outside
/// with two-octet AS numbers. `-`: nothing, `D`: the attribute is discarded, `W`: the routes count
/// as withdrawn, `F`: the family is disabled, `R`: the session is reset.
type Fate = &'static str;

struct Row {
    /// Where the consequence is laid down.
    section: &'static str,
    code: u8,
    flags: u8,
    /// With nothing wrong, and the values of the three sessions.
    right: (Fate, [&'static [u8]; 3]),
    /// Malformed values.
    wrong: &'static [(&'static [u8], Fate)],
    /// With the optional and the transitive bit turned over (§3 c).
    flipped: Fate,
    /// There twice (§3 g).
    twice: Fate,
    /// Missing (§3 d).
    missing: Fate,
}

const fn row(section: &'static str, code: u8, flags: u8, value: &'static [u8]) -> Row {
    let right = ("---", [value; 3]);
    Row { section, code, flags, right, wrong: &[], flipped: "WWW", twice: "DDD", missing: "---" }
}

/// IPv6 2001:db8::/32 through 2001:db8::1, and withdrawn.
const REACH: &[u8] = &[
    0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 1, 0x0d,
    0xb8,
];
const UNREACH: &[u8] = &[0, 2, 1, 32, 0x20, 1, 0x0d, 0xb8];
const PATH: [&[u8]; 3] =
    [&[2, 1, 0, 0, 0xfd, 0xe9], &[2, 1, 0, 0, 0xfd, 0xe9], &[2, 1, 0xfd, 0xe9]];
const WIDE: &[u8] = &[0, 0, 0xfd, 0xe9, 10, 0, 0, 7];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row {
        wrong: &[(&[], "WWW"), (&[3], "WWW"), (&[0, 0], "WWW")], missing: "WWW",
        ..row("RFC 7606 §7.1", code::ORIGIN, 0x40, &[0])
    },
    Row {
        right: ("---", PATH), missing: "WWW",
        wrong: &[(&[2], "WWW"), (&[2, 0], "WWW"), (&[5, 1, 0, 0, 0, 1], "WWW"), (&[2, 9, 0, 0, 0, 1], "WWW")],
        ..row("RFC 7606 §7.2", code::AS_PATH, 0x40, &[])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[10, 0, 0], "WWW"), (&[10, 0, 0, 1, 0], "WWW"), (&[224, 0, 0, 5], "WWW")],
        missing: "WWW",
        ..row("RFC 7606 §7.3", code::NEXT_HOP, 0x40, &[192, 0, 2, 1])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0, 0, 1], "WWW"), (&[0, 0, 0, 0, 1], "WWW")],
        ..row("RFC 7606 §7.4", code::MULTI_EXIT_DISC, 0x80, &[0, 0, 0, 1])
    },
    Row {
        right: ("-DD", [&[0, 0, 0, 1]; 3]), flipped: "WDD",
        wrong: &[(&[], "WDD"), (&[0, 0, 1], "WDD"), (&[0, 0, 0, 0, 1], "WDD")],
        ..row("RFC 7606 §7.5", code::LOCAL_PREF, 0x40, &[])
    },
    Row {
        wrong: &[(&[1], "DDD")],
        ..row("RFC 7606 §7.6", code::ATOMIC_AGGREGATE, 0x40, &[])
    },
    Row {
        right: ("---", [WIDE, WIDE, &[0xfd, 0xe9, 10, 0, 0, 7]]),
        wrong: &[(&[], "DDD"), (&[0, 0, 0, 1, 1, 1, 1], "DDD"), (&[0; 8], "DDD"), (&[0; 6], "DDD")],
        ..row("RFC 7606 §7.7", code::AGGREGATOR, 0xc0, &[])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0, 1, 0], "WWW"), (&[0, 1, 0, 1, 0], "WWW")],
        ..row("RFC 7606 §7.8", code::COMMUNITIES, 0xc0, &[0, 1, 0, 1])
    },
    Row {
        right: ("-DD", [&[1, 1, 1, 1]; 3]), flipped: "WDD",
        wrong: &[(&[], "WDD"), (&[1, 1, 1], "WDD"), (&[1; 8], "WDD")],
        ..row("RFC 7606 §7.9", code::ORIGINATOR_ID, 0x80, &[])
    },
    Row {
        right: ("-DD", [&[1, 1, 1, 1]; 3]), flipped: "WDD",
        wrong: &[(&[], "WDD"), (&[1, 1, 1], "WDD"), (&[1; 7], "WDD")],
        ..row("RFC 7606 §7.10", code::CLUSTER_LIST, 0x80, &[])
    },
    Row {
        wrong: &[(&[], "RRR"), (&[0, 2], "RRR"), (&[0, 2, 1, 5], "FFF"), (&[0, 2, 1, 4, 1, 1, 1, 1, 0], "FFF")],
        flipped: "FFF", twice: "RRR",
        ..row("RFC 7606 §7.11", code::MP_REACH_NLRI, 0x80, REACH)
    },
    Row {
        wrong: &[(&[], "RRR"), (&[0, 2], "RRR"), (&[0, 2, 1, 129], "FFF"), (&[0, 2, 1, 32, 1], "FFF")],
        flipped: "FFF", twice: "RRR",
        ..row("RFC 7606 §7.12", code::MP_UNREACH_NLRI, 0x80, UNREACH)
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0; 7], "WWW"), (&[0; 9], "WWW")],
        ..row("RFC 7606 §7.14", code::EXTENDED_COMMUNITIES, 0xc0, &[0; 8])
    },
    Row {
        right: ("DD-", [&[2, 1, 0, 0, 0xfd, 0xe9]; 3]), flipped: "DDW",
        wrong: &[(&[2], "DDD"), (&[2, 2, 0, 0, 0, 1], "DDD")],
        ..row("RFC 6793 §6", code::AS4_PATH, 0xc0, &[])
    },
    Row {
        right: ("DD-", [WIDE; 3]), flipped: "DDW",
        wrong: &[(&[], "DDD"), (&[0; 6], "DDD"), (&[0; 8], "DDD")],
        ..row("RFC 6793 §6", code::AS4_AGGREGATOR, 0xc0, &[])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0; 19], "WWW"), (&[0; 21], "WWW")],
        ..row("RFC 7606 §7.15", code::IPV6_EXTENDED_COMMUNITIES, 0xc0, &[0; 20])
    },
    Row {
        right: ("-DD", [&[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7]; 3]), flipped: "WDD",
        wrong: &[(&[1, 0, 3], "DDD"), (&[1, 0], "DDD"), (&[2, 0, 9, 0], "DDD")],
        ..row("RFC 7311 §3.2", code::AIGP, 0x80, &[])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0; 11], "WWW"), (&[0; 13], "WWW")],
        ..row("RFC 8092 §6", code::LARGE_COMMUNITIES, 0xc0, &[0; 12])
    },
    Row {
        wrong: &[(&[], "WWW"), (&[0, 0, 1], "WWW"), (&[0, 0, 0, 0, 1], "WWW")],
        ..row("RFC 9234 §5", code::OTC, 0xc0, &[0, 0, 0, 1])
    },
];

fn fate(message: impl Fn(usize) -> Message) -> String {
    let sessions = [internal(), external(), external2()];
    let one = |(at, context): (usize, &Context)| match message(at).judged(context) {
        Err(_) => 'R',
        Ok((judgement, _)) if judgement.disabled.is_some() => 'F',
        Ok((judgement, _)) if judgement.treat_as_withdraw.is_some() => 'W',
        Ok((judgement, _)) if !judgement.discarded.is_empty() => 'D',
        Ok((judgement, batch)) => {
            assert!(judgement == Judgement::default() && !batch.attrs.is_empty());
            '-'
        }
    };
    sessions.iter().enumerate().map(one).collect()
}

#[test]
fn every_attribute_in_every_session() {
    let good = |at: usize| Message::good().with(0x40, code::AS_PATH, PATH[at]);
    let mut said = Vec::new();
    let mut see = |section: &str, what: String, is: String, should: &str| {
        if is != should {
            said.push(format!("{section}: {what}: {is}, not {should}"));
        }
    };
    for Row { section, code, flags, right, wrong, flipped, twice, missing } in TABLE {
        let (whole, values) = right;
        let with = |at, flags, value: &[u8]| good(at).with(flags, *code, value);
        see(section, "right".into(), fate(|at| with(at, *flags, values[at])), whole);
        for (value, consequence) in *wrong {
            see(section, format!("{value:?}"), fate(|at| with(at, *flags, value)), consequence);
        }
        let turned = flags ^ 0xc0;
        see(section, "flags".into(), fate(|at| with(at, turned, values[at])), flipped);
        let again = |at: usize| with(at, *flags, values[at]).attr(*flags, *code, values[at]);
        see(section, "twice".into(), fate(again), twice);
        see(section, "missing".into(), fate(|at| good(at).without(*code)), missing);
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn the_table_has_every_attribute_that_is_understood() {
    let known: Vec<u8> = (0..=255).filter(|code| spec(*code).is_some()).collect();
    assert_eq!(known, TABLE.iter().map(|row| row.code).collect::<Vec<_>>());
    // Of any other: kept if it is optional and transitive, dropped if it is not, and the end of
    // the session if whoever sent it holds it for well-known.
    for code in (0..=255).filter(|code| spec(*code).is_none()) {
        for (flags, consequence) in [(0xc0, "---"), (0x80, "---"), (0x40, "RRR"), (0x00, "RRR")] {
            let with = |at: usize| {
                Message::good().with(0x40, code::AS_PATH, PATH[at]).attr(flags, code, &[1, 2, 3])
            };
            assert_eq!(fate(with), consequence, "{code} with {flags:#04x}");
        }
    }
}
