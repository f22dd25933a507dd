use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn prefix(n: u32) -> IpNet {
    format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap()
}

#[test]
fn a_wave_that_comes_once_is_not_fought_and_told_in_one_line() {
    let mut rivals = Rivals::default();
    let answers: Vec<Answer> =
        (0..10_000).map(|n| rivals.act(None, prefix(n), false, SECOND)).collect();
    assert!(answers.iter().all(|answer| answer.wait.is_none()));
    assert_eq!(answers.iter().filter(|answer| answer.line).count(), 10);
    let example = prefix(9_999);
    let what = words(None, 10_000, 12);
    let report = Report::Rival { who: None, recent: 10_000, example, waits: false, what };
    assert_eq!(rivals.news(12, SECOND), [report]);
    assert_eq!(rivals.news(12, SECOND), []);
}

#[test]
fn a_quarrel_is_slowed_down_and_forgiven_after_a_rest() {
    let mut rivals = Rivals::default();
    let mut now = SECOND;
    let mut waits = Vec::new();
    // Five prefixes, every two seconds.
    for round in 0..60 {
        for n in 0..5 {
            waits.extend(rivals.act(Some(80), prefix(n), round > 0, now).wait);
        }
        now += 2 * SECOND;
    }
    assert_eq!(waits.first(), Some(&SECOND));
    assert!(waits.is_sorted(), "{waits:?}");
    assert_eq!(waits.last(), Some(&LONGEST_WAIT));
    now += 200 * SECOND;
    assert_eq!(rivals.act(Some(80), prefix(1), false, now).wait, None);
    for n in 0..25 {
        waits.extend(rivals.act(Some(80), prefix(n % 5), true, now).wait);
    }
    assert_eq!(waits.last(), Some(&SECOND), "from the beginning");
}

#[test]
fn each_is_counted_and_told_by_itself_once_a_minute() {
    let mut rivals = Rivals::default();
    for n in 0..14 {
        rivals.act(Some(80), prefix(n), false, SECOND);
    }
    rivals.act(Some(186), prefix(3), false, SECOND);
    let news = rivals.news(12, SECOND);
    assert!(
        matches!(news[..], [Report::Rival { who: Some(80), recent: 14, .. }]),
        "one change is no habit: {news:?}"
    );
    for second in 2..150 {
        let now = SECOND * second;
        rivals.act(Some(80), prefix(1), false, now);
        assert_eq!(rivals.news(12, now).len(), usize::from(second == 61 || second == 121));
    }
    let all: Vec<Rival> = rivals.iter(SECOND * 149).collect();
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].who, all[0].recent, all[0].total), (Some(80), 61, 162));
    assert_eq!((all[1].recent, all[1].total, all[1].ago), (0, 1, SECOND * 148));
}

#[test]
fn in_words() {
    assert_eq!(words(Some(80), 14, 12), "proto 80 replaced 14 of our routes in 60 s");
    assert!(
        words(Some(12), 14, 12).starts_with("somebody who writes as proto 12, as we do, changed")
    );
    assert!(words(None, 14, 12).contains("removed 14 of our routes"));
}
