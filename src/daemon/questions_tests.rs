//! How long questions wait while routes come, and that they do not while few do.

use std::sync::mpsc;

use super::*;

#[test]
fn while_routes_wait_only_part_of_the_time_is_spent_on_answers() {
    let (clock, rib) = (Clock::start(), Rib::new());
    let (tell, told) = mpsc::channel();
    let mut questions = Questions::default();
    for n in 0..2 {
        let tell = tell.clone();
        questions.push(Box::new(move |_| {
            std::thread::sleep(Duration::from_millis(2));
            tell.send(n).unwrap();
        }));
    }
    questions.busy(clock.now().after(Duration::from_secs(9)));
    assert!(questions.are_due(clock.now()), "the first is answered at once");
    questions.answer(clock, &rib);
    let next = questions.next_deadline().unwrap();
    assert!(!questions.are_due(Time(next.0 - 1)), "then routes have their turn");
    assert!(questions.are_due(next));
    assert!(next.since(clock.now()) <= LONGEST);
    questions.busy(clock.now());
    assert!(questions.next_deadline().unwrap() < next, "unless no more of them come");
    questions.answer(clock, &rib);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1], "in order");
    assert_eq!(questions.next_deadline(), None);
}

#[test]
fn a_change_now_and_then_makes_nobody_wait() {
    let mut questions = Questions { rest: Time(1_000_000_000), ..Questions::default() };
    questions.push(Box::new(|_| {}));
    let at = |n: u64| Time(10_000_000).after(CALM * n as u32 / 100);
    for n in 0..1000 {
        questions.came(at(n), 2);
        assert!(questions.are_due(at(n)), "200 of them in such a time");
    }
    questions.came(at(1000), MANY);
    assert!(!questions.are_due(at(1099)) && questions.are_due(at(1100)));
}
