//! What is encoded reads back as it was, and no bytes make the decoders fail worse than an error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};
use proptest::prelude::*;

use super::decode::{self, Tables};
use super::encode;
use super::socket::{Message, Messages, Verdict};
use crate::types::{Hop, Hops, KernelRoute, Kind, RouteKey, RouteOp};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

fn address(v4: bool) -> BoxedStrategy<IpAddr> {
    if v4 {
        any::<Ipv4Addr>().prop_map(IpAddr::V4).boxed()
    } else {
        any::<Ipv6Addr>().prop_map(IpAddr::V6).boxed()
    }
}

fn hop(v4: bool) -> impl Strategy<Value = Hop> {
    let gateway = prop_oneof![
        Just(None),
        address(v4).prop_map(Some),
        // RFC 8950's case.
        address(!v4).prop_map(Some),
    ];
    (gateway, 1u32.., any::<bool>(), 1u16..=256).prop_map(|(gateway, device, onlink, weight)| Hop {
        gateway,
        device,
        onlink,
        weight,
    })
}

fn kernel_route() -> impl Strategy<Value = KernelRoute> {
    any::<bool>().prop_flat_map(|v4| {
        let prefix = (address(v4), 0..=if v4 { 32u8 } else { 128 })
            .prop_map(|(address, length)| IpNet::new(address, length).unwrap().trunc());
        let shape = prop_oneof![
            1 => Just((Kind::Blackhole, Vec::new())),
            4 => prop::collection::vec(hop(v4), 1..5).prop_map(|hops| (Kind::Unicast, hops)),
        ];
        let source = prop::option::of(address(v4));
        (prefix, any::<[u32; 2]>(), any::<[u8; 3]>(), source, shape).prop_map(
            |(prefix, [table, metric], [protocol, scope, tos], source, (kind, mut hops))| {
                if let [only] = hops.as_mut_slice() {
                    only.weight = 1;
                }
                let key = RouteKey { prefix, table, metric };
                KernelRoute {
                    key,
                    protocol,
                    kind,
                    scope,
                    tos,
                    source,
                    hops: hops.into(),
                    object: None,
                }
            },
        )
    })
}

/// The one message in `batch`.
fn only(batch: &[u8]) -> Message<'_> {
    let mut messages: Vec<_> = Messages(batch).collect::<Result<_, _>>().unwrap();
    assert_eq!(messages.len(), 1);
    messages.pop().unwrap()
}

proptest! {
    #[test]
    fn a_route_reads_back_as_it_was_written(route in kernel_route(), sequence: u32) {
        let tables = Tables::new(route.key.table);
        for op in [
            RouteOp::Add(route.clone()),
            RouteOp::Replace { old: route.clone(), new: route.clone() },
        ] {
            let mut batch = Vec::new();
            encode::request(&op, sequence, &mut batch).unwrap();
            let message = only(&batch);
            prop_assert_eq!((message.kind, message.sequence), (libc::RTM_NEWROUTE, sequence));
            prop_assert_eq!(decode::route(message.payload, tables).unwrap(), Some(route.clone()));
        }
    }

    #[test]
    fn a_deletion_names_protocol_type_and_key(route in kernel_route()) {
        let mut batch = Vec::new();
        encode::request(&RouteOp::Delete(route.clone()), 7, &mut batch).unwrap();
        let message = only(&batch);
        prop_assert_eq!(message.kind, libc::RTM_DELROUTE);
        let tables = Tables::new(route.key.table);
        let named = decode::route(message.payload, tables).unwrap().unwrap();
        prop_assert_eq!(
            (named.key, named.protocol, named.kind), (route.key, route.protocol, route.kind)
        );
        let siblings = route.hops.len() > 1 && matches!(route.key.prefix, IpNet::V6(_));
        prop_assert_eq!(named.hops, if siblings { Hops::new() } else { route.hops });
    }

    #[test]
    fn a_batch_is_its_requests_in_order(routes in prop::collection::vec(kernel_route(), 0..20)) {
        let mut batch = Vec::new();
        for (sequence, route) in routes.iter().enumerate() {
            encode::request(&RouteOp::Add(route.clone()), sequence as u32, &mut batch).unwrap();
        }
        let sequences: Vec<_> = Messages(&batch).map(|m| m.unwrap().sequence as usize).collect();
        prop_assert_eq!(sequences, (0..routes.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_truncated_route_is_an_error_or_a_shorter_route(route in kernel_route(), cut: usize) {
        let mut batch = Vec::new();
        encode::request(&RouteOp::Add(route.clone()), 0, &mut batch).unwrap();
        let payload = only(&batch).payload;
        let tables = Tables::new(route.key.table);
        let cut = &payload[..cut % payload.len()];
        if let Ok(Some(shorter)) = decode::route(cut, tables) {
            prop_assert!(shorter != route || cut.len() + 4 > payload.len());
        }
    }

    #[test]
    fn no_bytes_break_the_decoders(
        bytes in prop::collection::vec(any::<u8>(), 0..200), flags: u16, kind in 2u16..4,
    ) {
        let tables = Tables::new(254);
        let _ = decode::route(&bytes, tables);
        let _ = decode::link(&bytes);
        let _ = decode::device_address(&bytes);
        let count = Messages(&bytes).count();
        prop_assert!(count <= bytes.len() / 16 + 1);
        let _ = Message { kind, flags, sequence: 0, port: 0, payload: &bytes }.verdict();
    }

    /// The same with a sound header, so that the attributes are reached.
    #[test]
    fn no_attributes_break_the_decoders(
        attributes in prop::collection::vec((0u16..32, prop::collection::vec(any::<u8>(), 0..24)), 0..6),
        family in prop_oneof![Just(2u8), Just(10)],
        length: u8,
    ) {
        let mut bytes = vec![family, length, 0, 0, 254, 12, 0, 1, 0, 0, 0, 0];
        for (kind, value) in attributes {
            bytes.extend(((value.len() + 4) as u16).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(&value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if let Ok(Some(route)) = decode::route(&bytes, Tables::new(254)) {
            prop_assert_eq!(route.key.prefix.prefix_len(), length);
        }
        let _ = decode::device_address(&bytes);
    }
}

#[test]
fn routes_of_no_concern_are_left_out() {
    let tables = Tables::new(1000);
    let header = |kind: u8, table: u8, source_length: u8, flags: u32| {
        let mut bytes = vec![2, 0, source_length, 0, table, 4, 0, kind];
        bytes.extend(flags.to_ne_bytes());
        bytes
    };
    assert!(decode::route(&header(1, 254, 0, 0), tables).unwrap().is_some());
    for (what, bytes) in [
        ("local", header(2, 254, 0, 0)),
        ("broadcast", header(3, 254, 0, 0)),
        ("multicast", header(5, 254, 0, 0)),
        ("another table", header(1, 253, 0, 0)),
        ("from a source", header(1, 254, 8, 0)),
        ("cloned", header(1, 254, 0, 0x200)),
    ] {
        assert_eq!(decode::route(&bytes, tables).unwrap(), None, "{what}");
    }
}

/// The form of kernels before 4.11: a message for each hop.
#[test]
fn an_ipv6_route_dumped_hop_by_hop_is_one_route() {
    let route = |gateway: &str, protocol| KernelRoute {
        key: RouteKey { prefix: "fd00::/64".parse().unwrap(), table: 254, metric: 1024 },
        protocol,
        kind: Kind::Unicast,
        scope: 0,
        tos: 0,
        source: None,
        hops: [Hop {
            gateway: Some(gateway.parse().unwrap()),
            device: 2,
            onlink: false,
            weight: 1,
        }]
        .into(),
        object: None,
    };
    let mut routes = Vec::new();
    for (gateway, protocol) in [("fe80::1", 12), ("fe80::2", 12), ("fe80::3", 4)] {
        decode::collect(&mut routes, route(gateway, protocol));
    }
    let mut both = route("fe80::1", 12);
    both.hops.extend(route("fe80::2", 12).hops);
    assert_eq!(routes, [both, route("fe80::3", 4)]);

    // Connected routes of two interfaces under one key stay two.
    let mut out = route("fe80::1", 2);
    out.hops[0].gateway = None;
    let mut routes = Vec::new();
    decode::collect(&mut routes, out.clone());
    decode::collect(&mut routes, out.clone());
    assert_eq!(routes, [out.clone(), out]);
}

#[test]
fn the_kernels_words_are_found_wherever_they_stand() {
    let words = |text: &str| {
        let mut attribute = Vec::new();
        attribute.extend((text.len() as u16 + 5).to_ne_bytes());
        attribute.extend(1u16.to_ne_bytes());
        attribute.extend(text.as_bytes());
        attribute.push(0);
        attribute
    };
    let verdict = |kind, flags, payload: &[u8]| {
        Message { kind, flags, sequence: 0, port: 0, payload }.verdict()
    };
    let errno = (-101i32).to_ne_bytes();
    let request: Vec<u8> = 36u32.to_ne_bytes().into_iter().chain([0; 32]).collect();
    let said = Some(Verdict { errno: 101, reason: "no way".to_owned() });

    let capped = [&errno[..], &request[..16], &words("no way")].concat();
    assert_eq!(verdict(NLMSG_ERROR, NLM_F_ACK_TLVS | NLM_F_CAPPED, &capped), said);
    let whole = [&errno[..], &request, &words("no way")].concat();
    assert_eq!(verdict(NLMSG_ERROR, NLM_F_ACK_TLVS, &whole), said);
    let done = [&errno[..], &words("no way")].concat();
    assert_eq!(verdict(NLMSG_DONE, NLM_F_ACK_TLVS, &done), said);
    // Without words, errno's.
    assert_eq!(verdict(NLMSG_ERROR, NLM_F_CAPPED, &capped), Some(Verdict::of(101)));
    // An ACK is no error, and other messages are no verdict.
    assert_eq!(verdict(NLMSG_ERROR, 0, &[0; 20]).map(|v| v.errno), Some(0));
    assert_eq!(verdict(libc::RTM_NEWROUTE, 0, &[0; 20]), None);
}

#[test]
fn a_vrf_device_says_its_table() {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::link::{
        InfoData, InfoKind, InfoVrf, LinkAttribute, LinkInfo, LinkMessage,
    };
    let mut message = LinkMessage::default();
    message.header.index = 9;
    message.attributes = vec![
        LinkAttribute::IfName("blue".to_owned()),
        LinkAttribute::Mtu(65536),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vrf),
            LinkInfo::Data(InfoData::Vrf(vec![InfoVrf::TableId(1000)])),
        ]),
    ];
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    let link = decode::link(&bytes).unwrap().unwrap();
    assert_eq!((link.kind.as_deref(), link.vrf, link.master), (Some("vrf"), Some(1000), None));
}

#[test]
fn an_ipip_device_says_where_it_leads_whether_it_forbids_fragments_and_in_what_vrf_it_is() {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::link::{
        InfoData, InfoIpTunnel, InfoKind, LinkAttribute, LinkInfo, LinkMessage,
    };
    let read = |remote: &str, pmtudisc, master| {
        let mut message = LinkMessage::default();
        let data =
            vec![InfoIpTunnel::Remote(remote.parse().unwrap()), InfoIpTunnel::PMtuDisc(pmtudisc)];
        message.attributes = vec![
            LinkAttribute::IfName("tunl0".to_owned()),
            LinkAttribute::Mtu(1480),
            LinkAttribute::Controller(master),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::IpIp),
                LinkInfo::Data(InfoData::IpTunnel(data)),
            ]),
        ];
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let link = decode::link(&bytes).unwrap().unwrap();
        (link.remote, link.pmtudisc, link.master)
    };
    assert_eq!(read("0.0.0.0", false, 0), (None, false, None));
    let far = "192.0.2.1".parse().unwrap();
    assert_eq!(read("192.0.2.1", true, 9), (Some(far), true, Some(9)));
}
