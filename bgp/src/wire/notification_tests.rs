use super::*;
use crate::types::Family;

#[test]
fn every_cease_has_a_name() {
    // RFC 4486 §2, RFC 8538 §3, RFC 9384 §3.
    let names = [
        "cease (6/0)",
        "maximum number of prefixes reached (6/1)",
        "administrative shutdown (6/2)",
        "peer de-configured (6/3)",
        "administrative reset (6/4)",
        "connection rejected (6/5)",
        "other configuration change (6/6)",
        "connection collision resolution (6/7)",
        "out of resources (6/8)",
        "hard reset (6/9)",
        "BFD down (6/10)",
    ];
    for (subcode, name) in names.into_iter().enumerate() {
        assert_eq!(Notification::new(6, subcode as u8).to_string(), name);
    }
    assert_eq!(Notification::new(6, 11).to_string(), "code 6 subcode 11");
}

#[test]
fn rfc9003_words_go_there_and_back() {
    for subcode in [2, 4] {
        let why = Notification::new(6, subcode).saying("back at noon");
        assert_eq!(why.data.first(), Some(&12));
        assert_eq!(why.text().as_deref(), Some("back at noon"));
        assert!(why.to_string().ends_with(": \"back at noon\""), "{why}");
        assert_eq!(why.hard().text().as_deref(), Some("back at noon"));
    }
    assert_eq!(Notification::CEASE_RESOURCES.saying("no"), Notification::CEASE_RESOURCES);
    assert_eq!(Notification::CEASE_SHUTDOWN.saying(""), Notification::CEASE_SHUTDOWN);
}

#[test]
fn rfc9003_a_long_text_is_cut_between_characters() {
    let why = Notification::CEASE_SHUTDOWN.saying(&"ü".repeat(200));
    assert_eq!(why.data.len(), 255, "127 of two octets, and the length");
    assert_eq!(why.text(), Some("ü".repeat(127)));
}

#[test]
fn rfc9003_odd_texts_are_shown_harmlessly() {
    let text = |data: &[u8]| Notification::with(6, 2, data.to_vec()).text();
    assert_eq!(text(&[]), None);
    assert_eq!(text(&[0]), None);
    assert_eq!(text(&[5, b'a']), None, "shorter than it says");
    assert_eq!(text(&[1, b'a', b'b']).as_deref(), Some("a"), "what follows is no text");
    assert_eq!(text(&[3, 0xff, b'a', 0x1b]).as_deref(), Some("\u{fffd}a"));
    assert_eq!(text(b"\x09two\nlines").as_deref(), Some("two lines"));
    assert_eq!(Notification::with(6, 3, &b"\x01a"[..]).text(), None);
}

#[test]
fn rfc4486_the_limit_is_said() {
    let why = Notification::over_limit(Family::Ipv6, 1000);
    assert_eq!(why.data[..], [0, 2, 1, 0, 0, 3, 0xe8]);
    let words = "maximum number of prefixes reached (6/1): ipv6, at most 1000";
    assert_eq!(why.to_string(), words);
    assert_eq!(why.hard().to_string(), format!("hard reset (6/9): {words}"));
}

#[test]
fn rfc8538_a_hard_reset_wraps_its_reason() {
    let why = Notification::CEASE_DECONFIGURED.hard();
    assert_eq!((why.code, why.subcode, &why.data[..]), (6, 9, &[6, 3][..]));
    assert_eq!(why.to_string(), "hard reset (6/9): peer de-configured (6/3)");
    assert_eq!(why.hard().to_string(), "hard reset (6/9)");
    assert_eq!(Notification::with(6, 9, &[6][..]).to_string(), "hard reset (6/9)");
}
