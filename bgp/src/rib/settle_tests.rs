//! Who is waited for.

use super::*;

#[test]
fn whoever_is_not_done_is_found_wherever_one_begins_to_look() {
    let expected = [1, 3, 5, 7].map(PeerId);
    for last in [None, Some(1), Some(4), Some(5), Some(7), Some(9)] {
        for undone in expected {
            let mut holdout = Holdout(last.map(PeerId));
            assert!(!holdout.is_none(&expected, |id| id != undone), "{last:?} {undone:?}");
            assert_eq!(holdout.0, Some(undone));
        }
        assert!(Holdout(last.map(PeerId)).is_none(&expected, |_| true));
        assert!(Holdout(last.map(PeerId)).is_none(&[], |_| false), "nobody is expected");
    }
}

#[test]
fn who_was_found_last_is_looked_at_first_and_one_that_is_undone_again_is_noticed() {
    let expected: Vec<PeerId> = (1..=100).map(PeerId).collect();
    let mut holdout = Holdout::default();
    let looks = |holdout: &mut Holdout, done: &dyn Fn(PeerId) -> bool| {
        let count = std::cell::Cell::new(0);
        let none = holdout.is_none(&expected, |id| {
            count.set(count.get() + 1);
            done(id)
        });
        (none, count.get())
    };
    assert_eq!(looks(&mut holdout, &|id| id.0 < 60), (false, 60));
    assert_eq!(looks(&mut holdout, &|id| id.0 < 60), (false, 1));
    assert_eq!(looks(&mut holdout, &|id| id.0 < 61), (false, 2));
    // 5 has gone away meanwhile: it is come to once the others are done.
    assert_eq!(looks(&mut holdout, &|id| id.0 != 5), (false, 45));
    assert_eq!(looks(&mut holdout, &|_| true), (true, 100));
}
