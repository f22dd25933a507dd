//! The store against a plain map of what it should hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn set(number: u8) -> AttrSet {
    AttrSet::originated(IpAddr::from([10, 0, 0, number]))
}

#[test]
fn equal_sets_share_a_number() {
    let mut store = AttrStore::new();
    let (a, b, again) = (store.intern(set(1)), store.intern(set(2)), store.intern(set(1)));
    assert_eq!(a, again);
    assert_ne!(a, b);
    assert_eq!((store.len(), store.uses(a), store.uses(b)), (2, 2, 1));
}

#[test]
fn numbers_come_again_when_nobody_uses_them() {
    let mut store = AttrStore::new();
    let a = store.intern(set(1));
    let held = store.bytes();
    store.retain(a, 2);
    store.release(a, 2);
    assert_eq!(store.get(a), Some(&set(1)));
    store.release(a, 1);
    assert_eq!((store.get(a), store.len()), (None, 0));
    assert!(store.bytes() < held);
    assert_eq!(store.intern(set(2)), a);
}

#[test]
fn a_number_that_is_not_in_use_does_nothing() {
    let mut store = AttrStore::new();
    store.retain(AttrId(7), 1);
    store.release(AttrId(7), 1);
    let a = store.intern(set(1));
    store.release(a, 1);
    store.release(a, 1);
    store.retain(a, 1);
    assert!(store.is_empty());
    assert_eq!(store.get(a), None);
}

#[derive(Clone, Debug)]
enum Step {
    Intern(u8),
    Retain(u8, u32),
    Release(u8, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..20u8).prop_map(Step::Intern),
        (0..20u8, 0..4u32).prop_map(|(set, n)| Step::Retain(set, n)),
        (0..20u8, 0..6u32).prop_map(|(set, n)| Step::Release(set, n)),
    ];
    vec(step, 0..300)
}

proptest! {
    #[test]
    fn behaves_like_a_map_of_counts(steps in steps()) {
        let mut store = AttrStore::new();
        // Which set has which number, and how many uses.
        let mut model: BTreeMap<u8, (AttrId, u32)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Intern(number) => {
                    let id = store.intern(set(number));
                    let (known, uses) = model.entry(number).or_insert((id, 0));
                    prop_assert_eq!(*known, id);
                    *uses += 1;
                }
                Step::Retain(number, n) => {
                    if let Some((id, uses)) = model.get_mut(&number) {
                        store.retain(*id, n);
                        *uses += n;
                    }
                }
                Step::Release(number, n) => {
                    if let Some((id, uses)) = model.get_mut(&number) {
                        store.release(*id, n);
                        *uses = uses.saturating_sub(n);
                        if *uses == 0 {
                            model.remove(&number);
                        }
                    }
                }
            }
            prop_assert_eq!(store.len(), model.len());
            for (number, (id, uses)) in &model {
                prop_assert_eq!(store.get(*id), Some(&set(*number)));
                prop_assert_eq!(store.uses(*id), *uses);
            }
        }
        // No more places than sets were in use at once.
        prop_assert!(store.sets.end() <= 20);
    }
}
