//! ROUTE-REFRESH (`wire::refresh`): what is understood is written back the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::{header, refresh};

fuzz_target!(|body: &[u8]| {
    for enhanced in [false, true] {
        match refresh::read(body, enhanced) {
            Ok(Some(refresh)) => {
                let mut out = BytesMut::new();
                refresh.put(&mut out);
                assert_eq!(header::next(&out).unwrap().unwrap().body, &body[..4]);
            }
            Ok(None) => {}
            Err(notification) => {
                assert!(enhanced);
                assert_eq!((notification.code, notification.subcode), (7, 1));
                assert_eq!(&notification.data[header::HEADER_LEN..], body);
            }
        }
    }
});
