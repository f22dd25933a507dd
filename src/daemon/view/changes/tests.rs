use std::net::IpAddr;

use super::*;

#[test]
fn only_what_differs_is_named_as_it_came_and_as_it_is_used() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let received = AttrSet::originated(address("10.0.0.1"));
    assert_eq!(changes(&received, &received), []);
    // RFC 8326: LOCAL_PREF 0, and the community.
    let used = received.exported_internal(address("10.0.0.2")).drained(true);
    let said: Vec<_> =
        changes(&received, &used).into_iter().map(|c| (c.attribute, c.received, c.used)).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        said,
        [
            ("NEXT_HOP".to_owned(), text("10.0.0.1"), text("10.0.0.2")),
            ("LOCAL_PREF".to_owned(), None, text("0")),
            ("COMMUNITIES".to_owned(), None, text("graceful-shutdown")),
        ]
    );
}
