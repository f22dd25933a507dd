//! ROUTE-REFRESH (`wire::refresh`): what is understood is written back the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::{header, refresh};

fuzz_target!(|body: &[u8]| {
    if let Some(family) = refresh::read(body) {
        let mut out = BytesMut::new();
        refresh::put(family, &mut out);
        assert_eq!(header::next(&out).unwrap().unwrap().body, &body[..4]);
    }
});
