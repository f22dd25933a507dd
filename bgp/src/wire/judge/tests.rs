//! One test per rule of RFC 7606, and the messages of other implementations in golden bytes.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::attrs::Origin;
use crate::types::{PeerId, Prefix, V4, V6};
use crate::wire::attr::{Attrs, code};

mod faults;
mod golden;
mod mp;
mod optional;
mod round_trip;
mod sections;
mod table;
mod two_octets;

const OWN: Asn = Asn(64512);
const PEER: Asn = Asn(65001);

fn internal() -> Context {
    Context {
        kind: PeerKind::Mesh,
        as4: true,
        families: Families::ALL,
        local_asn: OWN,
        peer_asn: OWN,
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        ..Context::default()
    }
}

fn external() -> Context {
    Context { kind: PeerKind::External, peer_asn: PEER, ..internal() }
}

fn external2() -> Context {
    Context { as4: false, ..external() }
}

/// An UPDATE in the making.
#[derive(Clone, Default)]
struct Message {
    withdrawn: Vec<u8>,
    attributes: Vec<u8>,
    nlri: Vec<u8>,
}

impl Message {
    fn new() -> Message {
        Message::default()
    }

    /// What an internal neighbour says of 10.1.0.0/16: nothing is wrong with it.
    fn good() -> Message {
        Message::new()
            .attr(0x40, code::ORIGIN, &[0])
            .attr(0x40, code::AS_PATH, &[2, 1, 0, 0, 0xfd, 0xe9])
            .attr(0x40, code::NEXT_HOP, &[192, 0, 2, 1])
            .nlri(&[16, 10, 1])
    }

    fn attr(mut self, flags: u8, code: u8, value: &[u8]) -> Message {
        match u8::try_from(value.len()) {
            Ok(len) => self.attributes.extend([flags, code, len]),
            Err(_) => {
                self.attributes.extend([flags | 0x10, code]);
                self.attributes.extend((value.len() as u16).to_be_bytes());
            }
        }
        self.attributes.extend(value);
        self
    }

    /// The same without one attribute.
    fn without(mut self, code: u8) -> Message {
        let rest: Vec<_> = Attrs::new(&self.attributes).filter(|a| a.code != code).collect();
        let mut kept = Message::new();
        for attr in rest {
            kept = kept.attr(attr.flags, attr.code, attr.value);
        }
        self.attributes = kept.attributes;
        self
    }

    /// The same with another value, at the end.
    fn with(self, flags: u8, code: u8, value: &[u8]) -> Message {
        self.without(code).attr(flags, code, value)
    }

    fn raw(mut self, octets: &[u8]) -> Message {
        self.attributes.extend(octets);
        self
    }

    fn nlri(mut self, octets: &[u8]) -> Message {
        self.nlri.extend(octets);
        self
    }

    fn withdrawn(mut self, octets: &[u8]) -> Message {
        self.withdrawn.extend(octets);
        self
    }

    fn judged(&self, context: &Context) -> Result<(Judgement, RouteBatch), Notification> {
        let mut batch = RouteBatch::new(PeerId(1));
        let Message { withdrawn, attributes, nlri } = self;
        judge(&Update { withdrawn, attributes, nlri }, context, &mut batch).map(|j| (j, batch))
    }

    /// The batch of a message with which nothing is wrong.
    fn routes(&self, context: &Context) -> RouteBatch {
        let (judgement, batch) = self.judged(context).unwrap();
        assert_eq!(judgement, Judgement::default());
        batch
    }

    /// Why the routes count as withdrawn, having checked that they do.
    fn treated_as_withdraw(&self, context: &Context) -> String {
        let (judgement, batch) = self.judged(context).unwrap();
        assert!(!batch.ops.is_empty());
        assert!(batch.ops.iter().all(|op| matches!(op, Op::Withdraw { .. })), "{:?}", batch.ops);
        assert!(batch.attrs.is_empty());
        judgement.treat_as_withdraw.unwrap()
    }

    /// Which attributes were ignored, having checked that the route stands without `code`.
    fn discarded(&self, context: &Context, code: u8) -> Vec<String> {
        let (judgement, batch) = self.judged(context).unwrap();
        assert_eq!(judgement.treat_as_withdraw, None);
        assert!(matches!(batch.ops[..], [Op::Announce { .. }]), "{:?}", batch.ops);
        assert!(batch.attrs[0].iter().all(|attr| attr.code != code));
        judgement.discarded
    }

    /// Code and subcode of what ends the session.
    fn reset(&self, context: &Context) -> (u8, u8) {
        let mut batch = RouteBatch::new(PeerId(1));
        let Message { withdrawn, attributes, nlri } = self;
        let update = Update { withdrawn, attributes, nlri };
        let notification = judge(&update, context, &mut batch).unwrap_err();
        assert!(batch.is_empty() && batch.attrs.is_empty());
        assert!(batch.v4.is_empty() && batch.v6.is_empty());
        (notification.code, notification.subcode)
    }
}

/// Every op of a batch in words.
fn said(batch: &RouteBatch) -> Vec<String> {
    fn nets<P: Prefix>(arena: &[P], start: u32, end: u32) -> String {
        let nets: Vec<_> = arena[start as usize..end as usize].iter().map(P::to_string).collect();
        nets.join(" ")
    }
    let of = |family: Family, start, end| match family {
        Family::Ipv4 => nets::<V4>(&batch.v4, start, end),
        Family::Ipv6 => nets::<V6>(&batch.v6, start, end),
    };
    batch
        .ops
        .iter()
        .map(|op| match *op {
            Op::Announce { family, attrs, start, end } => {
                let set = &batch.attrs[attrs as usize];
                format!(
                    "{} via {} path {:?}",
                    of(family, start, end),
                    set.next_hop(),
                    set.as_path()
                )
            }
            Op::Withdraw { family, start, end } => format!("no {}", of(family, start, end)),
            Op::EndOfRib(family) => format!("end of {family}"),
            Op::RefreshBegins(family) => format!("{family} again"),
            Op::RefreshEnds(family) => format!("{family} again, all of it"),
        })
        .collect()
}

#[test]
fn a_route_and_its_attributes() {
    let batch = Message::good()
        .attr(0x80, code::MULTI_EXIT_DISC, &[0, 0, 0, 7])
        .attr(0x40, code::LOCAL_PREF, &[0, 0, 0, 200])
        .routes(&internal());
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001]"]);
    let set = &batch.attrs[0];
    assert_eq!(set.origin(), Origin::Igp);
    assert_eq!((set.med(), set.local_pref()), (Some(7), Some(200)));
    assert_eq!(set.rank(), &crate::attrs::Rank::of(set.bytes()));
    assert_eq!(set.rank().neighbor_as, Some(PEER));
}

#[test]
fn withdrawals_go_before_announcements() {
    let batch = Message::good()
        .withdrawn(&[16, 10, 1, 24, 10, 2, 3])
        .raw(&[0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0x0d, 0xb8])
        .routes(&internal());
    let expected = [
        "no 10.1.0.0/16 10.2.3.0/24",
        "no 2001:db8::/32",
        "10.1.0.0/16 via 192.0.2.1 path [65001]",
    ];
    assert_eq!(said(&batch), expected);
}

#[test]
fn the_same_attributes_again_are_the_same_set() {
    let mut batch = RouteBatch::new(PeerId(1));
    let one = Message::good();
    let two = Message { nlri: vec![8, 11], ..one.clone() };
    let three = two.clone().with(0x40, code::NEXT_HOP, &[192, 0, 2, 2]);
    for Message { withdrawn, attributes, nlri } in [&one, &two, &three] {
        judge(&Update { withdrawn, attributes, nlri }, &internal(), &mut batch).unwrap();
    }
    assert_eq!(batch.attrs.len(), 2);
    let sets: Vec<_> =
        batch.ops.iter().map(|op| matches!(op, Op::Announce { attrs: 0, .. })).collect();
    assert_eq!(sets, [true, true, false]);
}

#[test]
fn attributes_in_any_order_and_dress_are_the_same_set() {
    let plain = Message::good().attr(0xc0, code::COMMUNITIES, &[0, 1, 0, 2]);
    let dressed = Message::new()
        .raw(&[0xdf, code::COMMUNITIES, 0, 4, 0, 1, 0, 2])
        .attr(0x4f, code::NEXT_HOP, &[192, 0, 2, 1])
        .raw(&[0x50, code::AS_PATH, 0, 6, 2, 1, 0, 0, 0xfd, 0xe9])
        .attr(0x60, code::ORIGIN, &[0])
        .nlri(&[16, 10, 1]);
    assert_eq!(plain.routes(&internal()).attrs, dressed.routes(&internal()).attrs);
}

#[test]
fn end_of_rib_in_both_forms() {
    assert_eq!(said(&Message::new().routes(&internal())), ["end of ipv4"]);
    let v6 = Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 2, 1]);
    assert_eq!(said(&v6.routes(&internal())), ["end of ipv6"]);
    let v4 = Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 1, 1]);
    assert_eq!(said(&v4.routes(&internal())), ["end of ipv4"]);
    // With anything beside it, it is none.
    let more = v6.attr(0x40, code::ORIGIN, &[0]);
    assert!(more.routes(&internal()).is_empty());
}

#[test]
fn families_that_were_not_negotiated_are_ignored() {
    let only6 = Context { families: Families::from_iter([Family::Ipv6]), ..internal() };
    let (judgement, batch) = Message::good().withdrawn(&[8, 9]).judged(&only6).unwrap();
    assert_eq!(judgement.discarded, ["NLRI: ipv4 was not negotiated"]);
    assert!(batch.is_empty() && batch.attrs.is_empty());
    assert!(Message::new().routes(&only6).is_empty());

    let vpn = [0, 1, 128, 12, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 99, 99];
    let (judgement, batch) =
        Message::good().attr(0x80, code::MP_REACH_NLRI, &vpn).judged(&internal()).unwrap();
    assert_eq!(judgement.discarded, ["MP_REACH_NLRI: AFI 1 SAFI 128 was not negotiated"]);
    assert_eq!(said(&batch), ["10.1.0.0/16 via 192.0.2.1 path [65001]"]);
    let (judgement, batch) =
        Message::new().attr(0x80, code::MP_UNREACH_NLRI, &[0, 25, 70]).judged(&internal()).unwrap();
    assert_eq!(judgement.discarded, ["MP_UNREACH_NLRI: AFI 25 SAFI 70 was not negotiated"]);
    assert!(batch.is_empty());
}

#[test]
fn routes_that_loop_are_withdrawn_without_a_fault() {
    let (judgement, batch) = Message::good()
        .with(0x40, code::AS_PATH, &[2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfc, 0])
        .judged(&external())
        .unwrap();
    assert_eq!(said(&batch), ["no 10.1.0.0/16"]);
    let refused = vec!["10.1.0.0/16".parse().unwrap()];
    let unusable = Some("our own AS is in AS_PATH");
    let expected = Judgement { unusable, refused: refused.clone(), ..Judgement::default() };
    assert_eq!(judgement, expected);

    let (judgement, batch) = Message::good()
        .attr(0x80, code::ORIGINATOR_ID, &[10, 0, 0, 1])
        .judged(&internal())
        .unwrap();
    assert_eq!(said(&batch), ["no 10.1.0.0/16"]);
    let unusable = Some("we are its ORIGINATOR_ID");
    let expected = Judgement { unusable, refused, ..Judgement::default() };
    assert_eq!(judgement, expected);
}

#[test]
fn reflected_routes_keep_what_the_decision_needs() {
    let batch = Message::good()
        .attr(0x80, code::ORIGINATOR_ID, &[10, 0, 0, 9])
        .attr(0x80, code::CLUSTER_LIST, &[1, 1, 1, 1, 2, 2, 2, 2])
        .routes(&internal());
    let set = &batch.attrs[0];
    assert_eq!(set.rank().originator, Some(Ipv4Addr::new(10, 0, 0, 9)));
    assert_eq!(set.rank().cluster_len, 2);
    let clusters: Vec<_> = set.cluster_list().collect();
    assert_eq!(clusters, [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(2, 2, 2, 2)]);
}

#[test]
fn an_unknown_attribute_is_kept_if_transitive() {
    let batch = Message::good()
        .attr(0xc0, 99, &[1, 2, 3])
        .attr(0x80, 98, &[4])
        .attr(0xc0, 31, &[])
        .routes(&internal());
    let unknown: Vec<_> =
        batch.attrs[0].iter().filter(|a| a.code > 16).map(|a| (a.flags, a.code, a.value)).collect();
    assert_eq!(unknown, [(0xe0, 31, &[][..]), (0xe0, 99, &[1, 2, 3][..])]);
}
