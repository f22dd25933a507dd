use proptest::prelude::*;

use super::*;

fn message(len: u16, code: u8) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(len.to_be_bytes());
    bytes.push(code);
    bytes.resize(usize::from(len).max(HEADER_LEN), 0);
    bytes
}

#[test]
fn lends_the_first_whole_message() {
    let mut bytes = KEEPALIVE.to_vec();
    bytes.extend(message(30, 2));
    let first = next(&bytes).unwrap().unwrap();
    assert_eq!((first.kind, first.len()), (Kind::Keepalive, 19));
    let second = next(&bytes[19..]).unwrap().unwrap();
    assert_eq!((second.kind, second.body), (Kind::Update, &[0; 11][..]));
    assert_eq!(next(&bytes[19..48]), Ok(None), "one octet is missing");
    assert_eq!(next(&[]), Ok(None));
}

#[test]
fn each_type_has_its_own_shortest_length() {
    for (code, shortest) in [(1, 29), (2, 23), (3, 21), (4, 19), (5, 23)] {
        assert!(next(&message(shortest, code)).unwrap().is_some(), "type {code}");
        let short = shortest - 1;
        let error = Notification::with(1, 2, short.to_be_bytes().to_vec());
        assert_eq!(next(&message(short, code)), Err(error), "type {code}");
    }
    assert_eq!(next(&message(20, 4)), Err(Notification::with(1, 2, vec![0, 20])));
    assert!(next(&message(4096, 2)).unwrap().is_some());
    assert_eq!(next(&message(4097, 2)), Err(Notification::with(1, 2, vec![0x10, 1])));
    assert_eq!(next(&message(65535, 2)), Err(Notification::with(1, 2, vec![0xff, 0xff])));
}

#[test]
fn an_unknown_type_is_named() {
    for code in [0, 6, 255] {
        assert_eq!(next(&message(19, code)), Err(Notification::with(1, 3, vec![code])));
    }
}

#[test]
fn a_bad_marker_is_seen_before_the_header_is_whole() {
    assert_eq!(next(b"GET /"), Err(Notification::NOT_SYNCHRONIZED));
    assert_eq!(next(&[0xff; 18]), Ok(None));
    let mut bytes = KEEPALIVE.to_vec();
    bytes[15] = 0;
    assert_eq!(next(&bytes), Err(Notification::NOT_SYNCHRONIZED));
}

proptest! {
    #[test]
    fn never_panics_and_never_reads_past_the_end(bytes in prop::collection::vec(any::<u8>(), 0..64),
                                                 marked in any::<bool>()) {
        let bytes = if marked { [&[0xff; 16][..], &bytes].concat() } else { bytes };
        if let Ok(Some(frame)) = next(&bytes) {
            prop_assert!(frame.len() <= bytes.len());
        }
    }

    #[test]
    fn what_is_put_is_framed(body in prop::collection::vec(any::<u8>(), 10..200)) {
        let mut out = BytesMut::from(&KEEPALIVE[..]);
        put(&mut out, Kind::Open, |out| out.put_slice(&body));
        let frame = next(&out[19..]).unwrap().unwrap();
        prop_assert_eq!((frame.kind, frame.body), (Kind::Open, &body[..]));
        prop_assert_eq!(frame.len() + 19, out.len());
    }
}
