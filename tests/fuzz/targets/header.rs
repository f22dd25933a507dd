//! Framing (`wire::header`): a stream of bytes falls into messages, or into an error; in a session
//! of extended messages as well.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::header::{self, Kind, MAX_EXTENDED_LEN, MAX_LEN};

fuzz_target!(|stream: &[u8]| {
    fall(stream, MAX_LEN);
    fall(stream, MAX_EXTENDED_LEN);
});

fn fall(mut rest: &[u8], most: usize) {
    loop {
        match header::next_of(rest, most) {
            Ok(Some(frame)) => {
                let extends = !matches!(frame.kind, Kind::Open | Kind::Keepalive);
                assert!(frame.len() <= if extends { most } else { MAX_LEN });
                let mut again = BytesMut::new();
                header::put(&mut again, frame.kind, |out| out.extend_from_slice(frame.body));
                assert_eq!(again, rest[..frame.len()]);
                rest = &rest[frame.len()..];
            }
            // Waiting for more is only right while a message can still become whole.
            Ok(None) => {
                assert!(rest.len() < most);
                break;
            }
            Err(notification) => {
                assert_eq!(notification.code, 1);
                break;
            }
        }
    }
}
