use super::*;

#[test]
fn ages_have_two_units() {
    for (seconds, text) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m00s"),
        (192, "3m12s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (86399, "23h59m"),
        (187_200, "2d04h"),
        (86400 * 100, "100d"),
        (u64::MAX, "213503982334601d"),
    ] {
        assert_eq!(age(seconds), text);
    }
}

#[test]
fn what_a_terminal_would_obey_is_spelled_out() {
    assert_eq!(clean("plain ä"), "plain ä");
    assert_eq!(clean("a\x1b[2Jb\r\n\u{9b}"), "a\\u{1b}[2Jb\\r\\n\\u{9b}");
}

#[test]
fn lines_keep_to_the_limit_unless_a_word_cannot() {
    let text = "the next hop 2001:db8:ffff:ffff:ffff::1 is far";
    for limit in 1..60 {
        let lines = wrap(text, limit);
        assert_eq!(lines.join(" "), text);
        for line in lines {
            assert!(width(&line) <= limit || !line.contains(' '), "{limit}: {line}");
        }
    }
    assert_eq!(wrap("", 10), [""]);
}

#[test]
fn one_note_speaks_for_all_its_rows_and_their_number_is_bounded() {
    let mut notes = Notes::default();
    for i in 0..100 {
        notes.add(&format!("row{i}"), "the same");
        notes.add(&format!("row{i}"), &format!("differs {i}"));
    }
    let mut out = Vec::new();
    notes.write(&Page { width: None }, &mut out).unwrap();
    let text = anstream::adapter::strip_bytes(&out).into_vec();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("(!) row0 and 99 more: the same\n"), "{text}");
    assert!(text.contains("and 77 more rows"), "{text}");
    assert_eq!(text.lines().count(), 1 + Notes::MOST + 1);
}
