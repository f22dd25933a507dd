use super::{full, since};

#[test]
fn today_is_a_time_and_before_that_a_day() {
    let now: jiff::Zoned = "2026-11-22T10:20:30[UTC]".parse().unwrap();
    assert_eq!(since(&now, 0), "10:20:30");
    assert_eq!(since(&now, 20 * 3600 - 1), "14:20:31");
    assert_eq!(since(&now, 20 * 3600), "2026-11-21");
    assert_eq!(full(&now, 86400), "2026-11-21 10:20:30");
    assert_eq!(full(&now, u64::MAX), "2026-11-22 10:20:30");
}
