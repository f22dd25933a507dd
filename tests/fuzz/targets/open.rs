//! OPEN (`wire::open`, `wire::capability`): what is read is written and read again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::header;
use starling_bgp::wire::open::Open;

fuzz_target!(|body: &[u8]| {
    match Open::read(body) {
        Ok(open) => {
            let mut out = BytesMut::new();
            open.put(&mut out);
            // Capabilities that only fit into several optional parameters are not written back
            // whole: this speaker puts its own few into one.
            if body.len() < 128 {
                let frame = header::next(&out).unwrap().unwrap();
                assert_eq!(Open::read(frame.body), Ok(open));
            }
        }
        Err(notification) => assert_eq!(notification.code, 2),
    }
});
