//! RFC 7606 as one table: each malformation, by its section, and what it costs. The files beside
//! this one say the same in detail (in which words, what else stands).

use super::*;

/// What a malformed UPDATE costs (RFC 7606 §2, the worst first).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cost {
    /// The session, with this code and subcode.
    Session(u8, u8),
    /// The family, for the rest of the session; the other one's routes stand.
    Family(Family),
    /// Its routes: they count as withdrawn.
    Routes,
    /// The attribute of this code; the routes stand.
    Attribute(u8),
    /// Nothing.
    Nothing,
}
use Cost::{Attribute, Nothing, Routes, Session};

/// IPv6 is disabled.
const IPV6: Cost = Cost::Family(Family::Ipv6);

/// Which neighbour says it.
#[derive(Clone, Copy)]
enum By {
    /// An internal one of four-octet AS numbers.
    Ibgp,
    /// An external one.
    Ebgp,
    /// An external one of two-octet AS numbers.
    Ebgp2,
    /// An internal one with which only IPv6 was agreed.
    Only6,
}
use By::{Ebgp, Ebgp2, Ibgp, Only6};

impl By {
    fn context(self) -> Context {
        match self {
            Ibgp => internal(),
            Ebgp => external(),
            Ebgp2 => external2(),
            Only6 => Context { families: Families::from_iter([Family::Ipv6]), ..internal() },
        }
    }

    /// Its route to 10.1.0.0/16: nothing is wrong with it.
    fn good(self) -> Message {
        match self {
            Ebgp2 => Message::good().with(0x40, code::AS_PATH, &[2, 1, 0xfd, 0xe9]),
            _ => Message::good(),
        }
    }
}

/// MP_REACH_NLRI of 2001:db8::/32.
const REACH: [u8; 26] = [
    0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 1, 0x0d,
    0xb8,
];

/// The same with another length of the next hop, and as many octets of it.
fn hop(length: u8) -> Vec<u8> {
    [&[0, 2, 1, length][..], &vec![0x20; usize::from(length)], &[0, 8, 0x20]].concat()
}

/// Section, who, the body of the UPDATE, what it costs.
type Row = (&'static str, By, Vec<u8>, Cost);

fn body(Message { withdrawn, attributes, nlri }: &Message) -> Vec<u8> {
    let length = |field: &[u8]| (field.len() as u16).to_be_bytes();
    [&length(withdrawn)[..], withdrawn, &length(attributes), attributes, nlri].concat()
}

/// A good route, but that this attribute has this value.
fn value(section: &'static str, by: By, flags: u8, code: u8, value: &[u8], cost: Cost) -> Row {
    (section, by, body(&by.good().with(flags, code, value)), cost)
}

fn without_routes(mut message: Message) -> Message {
    message.nlri.clear();
    message
}

/// §3: the message, and all attributes alike.
fn message() -> Vec<Row> {
    let good = Message::good;
    let twice = |code, value: &[u8]| good().attr(0x80, code, value).attr(0x80, code, value);
    let mut rows = vec![
        ("3 b, Withdrawn Routes Length", Ibgp, vec![0xff, 0xff, 0, 0], Session(3, 1)),
        ("3 b, Total Attribute Length", Ibgp, vec![0, 0, 0, 9, 0x40, 1, 1, 0], Session(3, 1)),
        ("3 b, neither length", Ibgp, vec![0], Session(3, 1)),
        ("3 d, no ORIGIN", Ibgp, body(&good().without(code::ORIGIN)), Routes),
        ("3 d, no AS_PATH", Ibgp, body(&good().without(code::AS_PATH)), Routes),
        ("3 d, no NEXT_HOP", Ibgp, body(&good().without(code::NEXT_HOP)), Routes),
        ("3 g, MP_REACH_NLRI twice", Ibgp, body(&twice(14, &REACH)), Session(3, 1)),
        ("3 g, MP_UNREACH_NLRI twice", Ibgp, body(&twice(15, &[0, 2, 1])), Session(3, 1)),
        (
            "3 h, of several the worst",
            Ibgp,
            {
                let less = good().with(0x40, code::ORIGIN, &[9]).attr(0x40, 6, &[1]);
                body(&less)
            },
            Routes,
        ),
        (
            "3 h, of several the worst",
            Ibgp,
            { body(&twice(15, &[0, 2, 1]).with(0x40, code::ORIGIN, &[9])) },
            Session(3, 1),
        ),
        (
            "3 i, 5.3, withdrawn prefixes",
            Ibgp,
            body(&good().withdrawn(&[33, 1, 1, 1, 1, 1])),
            Session(3, 10),
        ),
        ("3 j, 5.3, prefixes", Ibgp, body(&good().nlri(&[33, 1, 1, 1, 1, 1])), Session(3, 10)),
        ("3 j, 5.3, half a prefix", Ibgp, body(&good().nlri(&[24, 10])), Session(3, 10)),
        ("4, longer than the attributes", Ibgp, body(&good().raw(&[0x80, 4, 9, 0])), Routes),
        ("4, half a header", Ibgp, body(&good().raw(&[0x80, 4])), Routes),
        (
            "4, 5.2, the same without routes",
            Ibgp,
            { body(&without_routes(good().raw(&[0x80, 4, 9, 0]))) },
            Session(3, 1),
        ),
        (
            "5.2, malformed without routes",
            Ibgp,
            { body(&without_routes(good().with(0x40, code::ORIGIN, &[9]))) },
            Session(3, 6),
        ),
        (
            "5.1, MP_REACH_NLRI first",
            Ibgp,
            {
                let rest = good().attributes;
                body(&Message::new().attr(0x80, 14, &REACH).raw(&rest).nlri(&[16, 10, 1]))
            },
            Nothing,
        ),
        // Erratum: the receiver takes it wherever it is.
        ("5.1, MP_REACH_NLRI last", Ibgp, body(&good().attr(0x80, 14, &REACH)), Nothing),
        (
            "5.3, prefixes of MP_REACH_NLRI",
            Ibgp,
            { body(&good().attr(0x80, 14, &[&REACH[..21], &[129, 0x20]].concat())) },
            IPV6,
        ),
        (
            "5.3, prefixes of MP_UNREACH_NLRI",
            Ibgp,
            { body(&good().attr(0x80, 15, &[0, 2, 1, 129, 0x20])) },
            IPV6,
        ),
        (
            "5.3, with no other family",
            Only6,
            { body(&without_routes(good().attr(0x80, 15, &[0, 2, 1, 129, 0x20]))) },
            Session(3, 9),
        ),
        (
            "RFC 4271 6.3, well-known and unknown",
            Ibgp,
            body(&good().attr(0x40, 99, &[])),
            Session(3, 2),
        ),
    ];
    // Flags that conflict with the attribute's, its value being right.
    for (by, flags, code, right) in [
        (Ibgp, 0xc0, code::ORIGIN, &[0][..]),
        (Ibgp, 0x00, code::AS_PATH, &[]),
        (Ibgp, 0x80, code::NEXT_HOP, &[192, 0, 2, 1]),
        (Ibgp, 0xc0, code::MULTI_EXIT_DISC, &[0; 4]),
        (Ibgp, 0xc0, code::LOCAL_PREF, &[0; 4]),
        (Ibgp, 0xc0, code::ATOMIC_AGGREGATE, &[]),
        (Ibgp, 0x80, code::AGGREGATOR, &[0, 0, 0, 1, 1, 1, 1, 1]),
        (Ibgp, 0x40, code::COMMUNITIES, &[0; 4]),
        (Ibgp, 0xc0, code::ORIGINATOR_ID, &[1; 4]),
        (Ibgp, 0xc0, code::CLUSTER_LIST, &[1; 4]),
        (Ibgp, 0x80, code::EXTENDED_COMMUNITIES, &[0; 8]),
        (Ebgp2, 0x80, code::AS4_PATH, &[2, 1, 0, 0, 0xfd, 0xe9]),
        (Ebgp2, 0x80, code::AS4_AGGREGATOR, &[0, 0, 0, 1, 1, 1, 1, 1]),
        (Ibgp, 0x80, code::IPV6_EXTENDED_COMMUNITIES, &[0; 20]),
        (Ibgp, 0xc0, code::AIGP, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7]),
        (Ibgp, 0x80, code::LARGE_COMMUNITIES, &[0; 12]),
        (Ibgp, 0x80, code::OTC, &[0, 0, 0xfd, 0xe9]),
    ] {
        rows.push(value("3 c", by, flags, code, right, Routes));
    }
    rows.push(value("3 c", Ibgp, 0xc0, code::MP_REACH_NLRI, &REACH, IPV6));
    rows.push(value("3 c", Ibgp, 0x40, code::MP_UNREACH_NLRI, &[0, 2, 1], IPV6));
    // The unused bits are ignored (RFC 4271 §4.3), and so is Partial.
    rows.push(value("3 c", Ibgp, 0x6f, code::ORIGIN, &[0], Nothing));
    // All others: the first counts.
    for (by, flags, code, right) in [
        (Ibgp, 0x40, code::ORIGIN, &[0][..]),
        (Ibgp, 0x40, code::AS_PATH, &[2, 1, 0, 0, 0xfd, 0xe9]),
        (Ibgp, 0x40, code::NEXT_HOP, &[192, 0, 2, 1]),
        (Ibgp, 0x80, code::MULTI_EXIT_DISC, &[0; 4]),
        (Ibgp, 0xc0, code::COMMUNITIES, &[0; 4]),
        (Ibgp, 0xc0, 77, &[1]),
    ] {
        let twice = by.good().with(flags, code, right).attr(flags, code, right);
        rows.push(("3 g, twice", by, body(&twice), Nothing));
    }
    rows
}

/// §7: attribute by attribute.
fn attributes() -> Vec<Row> {
    let mut rows = Vec::new();
    // Section, who, flags, code, values, what each costs.
    let mut all = |section, by, flags, code, values: &[&[u8]], cost| {
        rows.extend(values.iter().map(|v| value(section, by, flags, code, v, cost)));
    };
    all("7.1", Ibgp, 0x40, code::ORIGIN, &[&[], &[0, 0], &[3], &[255]], Routes);
    // An unknown segment, one that is too long, a rest of one octet, an empty one.
    let paths: [&[u8]; 5] =
        [&[9, 1, 0, 0, 0, 1], &[2, 2, 0, 0, 0, 1], &[2, 1, 0, 0, 0, 1, 2], &[2, 0], &[2]];
    all("7.2", Ibgp, 0x40, code::AS_PATH, &paths, Routes);
    all("7.2", Ebgp2, 0x40, code::AS_PATH, &[&[2, 1, 0, 0, 0, 1], &[9, 1, 0, 1]], Routes);
    all("7.3", Ibgp, 0x40, code::NEXT_HOP, &[&[], &[192, 0, 2], &[1; 5], &[1; 16]], Routes);
    all("7.4", Ibgp, 0x80, code::MULTI_EXIT_DISC, &[&[], &[0; 3], &[0; 5]], Routes);
    let numbers: [&[u8]; 3] = [&[], &[0; 3], &[0; 5]];
    let pref = code::LOCAL_PREF;
    all("7.5", Ibgp, 0x40, pref, &numbers, Routes);
    all("7.5, external", Ebgp, 0x40, pref, &[&[], &[0; 4], &[0; 5]], Attribute(pref));
    let atomic = code::ATOMIC_AGGREGATE;
    all("7.6", Ibgp, 0x40, atomic, &[&[0], &[0; 4]], Attribute(atomic));
    let aggregator = code::AGGREGATOR;
    all("7.7", Ibgp, 0xc0, aggregator, &[&[], &[1; 6], &[1; 9]], Attribute(aggregator));
    all("7.7", Ebgp2, 0xc0, aggregator, &[&[], &[1; 8], &[1; 5]], Attribute(aggregator));
    all("7.8", Ibgp, 0xc0, code::COMMUNITIES, &[&[], &[0; 3], &[0; 6]], Routes);
    let originator = code::ORIGINATOR_ID;
    all("7.9", Ibgp, 0x80, originator, &numbers, Routes);
    all("7.9, external", Ebgp, 0x80, originator, &[&[], &[1; 4], &[1; 5]], Attribute(originator));
    let clusters = code::CLUSTER_LIST;
    all("7.10", Ibgp, 0x80, clusters, &[&[], &[0; 3], &[0; 6]], Routes);
    all("7.10, external", Ebgp, 0x80, clusters, &[&[], &[1; 4], &[1; 5]], Attribute(clusters));
    let (reach, unreach) = (code::MP_REACH_NLRI, code::MP_UNREACH_NLRI);
    all("7.11, next hop", Ibgp, 0x80, reach, &[&hop(0), &hop(4), &hop(15), &hop(48)], IPV6);
    all("7.11, length", Ibgp, 0x80, reach, &[&[0, 2, 1], &REACH[..4], &REACH[..20]], IPV6);
    all("7.11, no family", Ibgp, 0x80, reach, &[&[], &[0], &[0, 2]], Session(3, 9));
    all("7.11, no other family", Only6, 0x80, reach, &[&hop(0), &REACH[..20]], Session(3, 9));
    all("7.12, no family", Ibgp, 0x80, unreach, &[&[], &[0], &[0, 2]], Session(3, 9));
    // Traffic Engineering (RFC 5543): not understood here, so it is not looked into, and goes no
    // further than to us.
    all("7.13, not ours", Ibgp, 0x80, 24, &[&[], &[1, 2, 3]], Nothing);
    all("7.14", Ibgp, 0xc0, code::EXTENDED_COMMUNITIES, &[&[], &[0; 7], &[0; 12]], Routes);
    all("7.15", Ibgp, 0xc0, code::IPV6_EXTENDED_COMMUNITIES, &[&[], &[0; 19], &[0; 24]], Routes);
    // ATTR_SET (RFC 6368): likewise, but that it is carried on.
    all("7.16, not ours", Ibgp, 0xc0, 128, &[&[], &[1, 2, 3]], Nothing);
    // Those of later documents, which name their own cost as RFC 7606 §8 asks.
    let path4 = code::AS4_PATH;
    all("RFC 6793 6", Ebgp2, 0xc0, path4, &[&[2], &[2, 2, 0, 0, 0, 1], &[9, 0]], Attribute(path4));
    all("RFC 6793 4.1", Ibgp, 0xc0, path4, &[&[2, 1, 0, 0, 0, 1]], Attribute(path4));
    let aggregator4 = code::AS4_AGGREGATOR;
    all("RFC 6793 6", Ebgp2, 0xc0, aggregator4, &[&[], &[1; 6]], Attribute(aggregator4));
    let aigp = code::AIGP;
    all("RFC 7311 3.4", Ibgp, 0x80, aigp, &[&[1, 0, 3], &[1, 0, 11, 0]], Attribute(aigp));
    all("RFC 7311 3.4", Ebgp, 0x80, aigp, &[&[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7]], Attribute(aigp));
    all("RFC 8092 6", Ibgp, 0xc0, code::LARGE_COMMUNITIES, &[&[], &[0; 11], &[0; 16]], Routes);
    all("RFC 9234 5", Ebgp, 0xc0, code::OTC, &[&[], &[0; 3], &[0; 5]], Routes);
    rows
}

/// What the judge makes a message cost, and that nothing else is left of what it costs.
fn cost(body: &[u8], context: &Context) -> Cost {
    let mut batch = RouteBatch::new(PeerId(1));
    let judged = Update::read(body).and_then(|update| judge(&update, context, &mut batch));
    let judgement = match judged {
        Ok(judgement) => judgement,
        Err(why) => {
            assert!(batch.is_empty() && batch.attrs.is_empty() && batch.v4.is_empty());
            return Session(why.code, why.subcode);
        }
    };
    let stands = batch.ops.iter().any(|op| matches!(op, Op::Announce { .. }));
    if let Some((family, _)) = judgement.disabled {
        assert!(batch.v6.is_empty() && stands, "{:?}", batch.ops);
        return Cost::Family(family);
    }
    if judgement.treat_as_withdraw.is_some() {
        assert!(!stands && !batch.ops.is_empty() && batch.attrs.is_empty(), "{:?}", batch.ops);
        return Routes;
    }
    assert!(stands, "{:?}", batch.ops);
    // An attribute that was there twice is there once.
    let lost = judgement.discarded.iter().find(|why| !why.ends_with("it is there twice"));
    let Some(why) = lost else { return Nothing };
    let code = (0..=255).find(|code| {
        let spec = crate::wire::attr::spec(*code);
        spec.is_some_and(|spec| why.starts_with(&format!("{}: ", spec.name)))
    });
    let code = code.unwrap_or_else(|| panic!("{why}"));
    assert!(batch.attrs[0].iter().all(|attr| attr.code != code), "{why}, but it is there");
    Attribute(code)
}

#[test]
fn every_malformation_costs_what_its_section_says() {
    let rows = [message(), attributes()].concat();
    let mut wrong = Vec::new();
    for (section, by, body, wanted) in &rows {
        let got = cost(body, &by.context());
        if got != *wanted {
            wrong.push(format!("{section}: {got:?}, not {wanted:?}: {body:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // No section of §7 is missing.
    for section in 1..=16 {
        let this = format!("7.{section}");
        let is = |name: &str| name.split([',', ' ']).next() == Some(&this);
        assert!(rows.iter().any(|(name, ..)| is(name)), "nothing of §{this}");
    }
}
