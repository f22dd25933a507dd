//! RFC 7606 §3 to §5 as one table: what is malformed in the message as a whole, by its section, and
//! what it costs; and of §7 what `table`, which has the attributes that this speaker understands,
//! has not: the sections of those that it does not, and sessions of one family.

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
    /// Nothing.
    Nothing,
}
use Cost::{Nothing, Routes, Session};

/// IPv6 is disabled.
const IPV6: Cost = Cost::Family(Family::Ipv6);

/// Which neighbour says it.
#[derive(Clone, Copy)]
enum By {
    /// An internal one.
    Ibgp,
    /// An internal one with which only IPv6 was agreed.
    Only6,
}
use By::{Ibgp, Only6};

impl By {
    fn context(self) -> Context {
        match self {
            Ibgp => internal(),
            Only6 => Context { families: Families::from_iter([Family::Ipv6]), ..internal() },
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
    (section, by, body(&Message::good().with(flags, code, value)), cost)
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
    // The unused bits are ignored (RFC 4271 §4.3), and so is Partial.
    rows.push(value("3 c", Ibgp, 0x6f, code::ORIGIN, &[0], Nothing));
    rows
}

/// §7: what `table` has not.
fn attributes() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut all = |section, by, flags, code, values: &[&[u8]], cost| {
        rows.extend(values.iter().map(|v| value(section, by, flags, code, v, cost)));
    };
    let (reach, unreach) = (code::MP_REACH_NLRI, code::MP_UNREACH_NLRI);
    all("7.11, next hop", Ibgp, 0x80, reach, &[&hop(0), &hop(4), &hop(15), &hop(48)], IPV6);
    all("7.11, no family", Ibgp, 0x80, reach, &[&[], &[0], &[0, 2]], Session(3, 9));
    all("7.11, no other family", Only6, 0x80, reach, &[&hop(0), &REACH[..20]], Session(3, 9));
    all("7.12, no family", Ibgp, 0x80, unreach, &[&[], &[0], &[0, 2]], Session(3, 9));
    // Traffic Engineering (RFC 5543) is not understood here, so it is not looked into, and goes no
    // further than to us; ATTR_SET (RFC 6368) likewise, but that it is carried on.
    all("7.13, not ours", Ibgp, 0x80, 24, &[&[], &[1, 2, 3]], Nothing);
    all("7.16, not ours", Ibgp, 0xc0, 128, &[&[], &[1, 2, 3]], Nothing);
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
    assert!(judgement.discarded.is_empty(), "{:?}", judgement.discarded);
    Nothing
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
}
