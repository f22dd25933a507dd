//! How long reading waits: after failures, and when it repeats.

use std::time::Duration;

use super::Reading;

const MS: Duration = Duration::from_millis(1);

/// Reads as soon as it may after `now`; when that is.
fn read(reading: &mut Reading, now: Duration) -> Duration {
    reading.soon(now);
    let at = reading.deadline().unwrap().max(now);
    assert!(reading.begin(at));
    at
}

#[test]
fn the_pause_doubles_with_each_failure_and_ends_with_the_first_success() {
    let mut reading = Reading::default();
    let mut now = read(&mut reading, Duration::ZERO);
    for pause in [100, 200, 400, 800] {
        reading.failed(now);
        let again = reading.deadline().unwrap();
        assert_eq!(again - now, pause * MS);
        assert!(reading.begin(again));
        now = again;
    }
    reading.succeeded(now);
    // One refused write after that must not hold up all others for as long.
    assert_eq!(read(&mut reading, now + MS), now + MS);
}

#[test]
fn reading_often_is_slowed_down_and_forgiven_after_a_rest() {
    let mut reading = Reading::default();
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let at = read(&mut reading, now);
        reading.succeeded(at + 1000 * MS);
        pauses.push((at - now).as_millis());
        now = at;
    }
    assert_eq!(pauses, [0, 0, 100, 200, 400, 800]);
    now += Duration::from_secs(60);
    assert_eq!(read(&mut reading, now), now);
}

/// Nothing is written before it is read: what is read in 2 ms is not waited for longer than 100.
#[test]
fn what_costs_little_is_read_as_often_as_it_is_wanted() {
    let mut reading = Reading::default();
    let mut now = Duration::ZERO;
    for _ in 0..100 {
        let at = read(&mut reading, now);
        assert!(at - now <= 100 * MS, "{:?}", at - now);
        now = at + 2 * MS;
        reading.succeeded(now);
    }
}

#[test]
fn failures_never_make_the_pause_endless() {
    let mut reading = Reading::default();
    let mut now = read(&mut reading, Duration::ZERO);
    for _ in 0..100 {
        reading.failed(now);
        let again = reading.deadline().unwrap();
        assert!(again - now <= Duration::from_secs(30));
        assert!(reading.begin(again));
        now = again;
    }
}
