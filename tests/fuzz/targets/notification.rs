//! NOTIFICATION (`wire::notification`): any codes survive being read, shown and written.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::wire::{Notification, header};

fuzz_target!(|body: &[u8]| {
    let notification = Notification::read(body);
    assert!(!notification.to_string().is_empty());
    assert!(notification.text().is_none_or(|text| !text.chars().any(char::is_control)));
    assert_eq!(notification.hard().text(), notification.text().filter(|_| !body.starts_with(&[6, 9])));
    let mut out = BytesMut::new();
    notification.put(&mut out);
    let frame = header::next(&out).unwrap().unwrap();
    if (2..4000).contains(&body.len()) {
        assert_eq!(frame.body, body);
    }
});
