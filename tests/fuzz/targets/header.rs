//! Framing (`wire::header`): a stream of bytes falls into messages, or into an error.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::header::{self, MAX_LEN};

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    loop {
        match header::next(rest) {
            Ok(Some(frame)) => {
                assert!(frame.len() <= MAX_LEN);
                let mut again = BytesMut::new();
                header::put(&mut again, frame.kind, |out| out.extend_from_slice(frame.body));
                assert_eq!(again, rest[..frame.len()]);
                rest = &rest[frame.len()..];
            }
            // Waiting for more is only right while a message can still become whole.
            Ok(None) => {
                assert!(rest.len() < MAX_LEN);
                break;
            }
            Err(notification) => {
                assert_eq!(notification.code, 1);
                break;
            }
        }
    }
});
