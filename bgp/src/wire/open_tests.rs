use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::types::Family;

fn body(open: &Open) -> Vec<u8> {
    let mut out = BytesMut::new();
    open.put(&mut out);
    let frame = header::next(&out).unwrap().unwrap();
    assert_eq!((frame.kind, frame.len()), (Kind::Open, out.len()));
    frame.body.to_vec()
}

fn open() -> Open {
    Open {
        asn: Asn(4_200_000_001),
        hold: 90,
        router_id: Ipv4Addr::new(10, 1, 5, 10),
        capabilities: vec![
            Capability::family(Family::Ipv4),
            Capability::RouteRefresh,
            Capability::FourOctetAs(Asn(4_200_000_001)),
        ],
    }
}

#[test]
fn known_bytes() {
    let expected = [
        4, 0x5b, 0xa0, 0, 90, 10, 1, 5, 10, // version, AS_TRANS, hold, identifier
        16, 2, 14, // one parameter of capabilities
        1, 4, 0, 1, 0, 1, 2, 0, 65, 4, 0xfa, 0x56, 0xea, 0x01,
    ];
    assert_eq!(body(&open()), expected);
    assert_eq!(Open::read(&expected), Ok(open()));
}

#[test]
fn without_parameters() {
    let read = Open::read(&[4, 0xfc, 0, 0, 0, 1, 1, 1, 1, 0]).unwrap();
    assert_eq!((read.asn, read.hold), (Asn(64512), 0));
    assert!(read.capabilities.is_empty());
    assert_eq!(body(&read), [4, 0xfc, 0, 0, 0, 1, 1, 1, 1, 0]);
}

/// The body of `open()` with one octet changed.
fn with(at: usize, octet: u8) -> Vec<u8> {
    let mut bytes = body(&open());
    bytes[at] = octet;
    bytes
}

#[test]
fn each_malformed_field_has_its_notification() {
    let cases: Vec<(&str, Vec<u8>, Notification)> = vec![
        ("version 3", with(0, 3), Notification::with(2, 1, vec![0, 4])),
        ("version 5", with(0, 5), Notification::with(2, 1, vec![0, 4])),
        ("hold 1", with(4, 1), Notification::UNACCEPTABLE_HOLD_TIME),
        ("hold 2", with(4, 2), Notification::UNACCEPTABLE_HOLD_TIME),
        ("parameter length", with(9, 15), Notification::OPEN_UNSPECIFIC),
        ("parameter type 1", with(10, 1), Notification::UNSUPPORTED_PARAMETER),
        ("capability length", with(11, 13), Notification::OPEN_UNSPECIFIC),
        ("AS 0", vec![4, 0, 0, 0, 90, 1, 1, 1, 1, 0], Notification::BAD_PEER_AS),
        ("identifier 0", vec![4, 0, 1, 0, 90, 0, 0, 0, 0, 0], Notification::BAD_BGP_IDENTIFIER),
        (
            "four-octet AS 0",
            vec![4, 0x5b, 0xa0, 0, 90, 1, 1, 1, 1, 8, 2, 6, 65, 4, 0, 0, 0, 0],
            Notification::BAD_PEER_AS,
        ),
        ("too short", vec![4, 0, 1, 0, 90, 1, 1], Notification::OPEN_UNSPECIFIC),
        ("no parameter length", vec![4, 0, 1, 0, 90, 1, 1, 1, 1], Notification::OPEN_UNSPECIFIC),
    ];
    for (what, bytes, expected) in cases {
        assert_eq!(Open::read(&bytes), Err(expected), "{what}");
    }
}

#[test]
fn extended_parameter_lengths_are_read_and_used_where_needed() {
    let short = [4, 0xfc, 0, 0, 90, 1, 1, 1, 1, 255, 255, 0, 5, 2, 0, 2, 2, 0];
    let read = Open::read(&short).unwrap();
    assert_eq!(read.capabilities, [Capability::RouteRefresh]);
    // The short length is ignored once the type says "extended".
    let mut odd = short;
    odd[9] = 7;
    assert_eq!(Open::read(&odd).unwrap(), read);
    let mut long = short;
    long[12] = 6;
    assert_eq!(Open::read(&long), Err(Notification::OPEN_UNSPECIFIC));

    let filler = Capability::Unknown { code: 200, value: Bytes::from(vec![7; 250]) };
    let big = Open { capabilities: vec![filler.clone(), filler], ..read };
    let bytes = body(&big);
    assert_eq!(&bytes[9..11], [255, 255]);
    assert_eq!(Open::read(&bytes), Ok(big));
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut framed = vec![4];
        framed.extend(&bytes);
        for body in [bytes, framed] {
            if let Ok(open) = Open::read(&body) {
                let mut out = BytesMut::new();
                open.put(&mut out);
                prop_assert_eq!(Open::read(&out[19..]), Ok(open));
            }
        }
    }
}
