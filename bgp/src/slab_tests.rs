//! Numbers, pages, and what they cost.

use super::*;

#[test]
fn numbers_are_reused_and_values_stay() {
    let mut slab = Slab::default();
    let ids: Vec<u32> = (0..3000).map(|n| slab.insert(n)).collect();
    assert_eq!(ids, (0..3000).collect::<Vec<u32>>());
    assert_eq!((slab.len(), slab.end()), (3000, 3000));
    assert_eq!(slab.remove(1500), Some(1500));
    assert_eq!(slab.remove(1500), None);
    assert_eq!(slab.remove(9999), None);
    assert_eq!(slab.len(), 2999);
    assert_eq!(slab.insert(7), 1500);
    assert_eq!(slab.get(1500), Some(&7));
    assert_eq!(slab.get(2999), Some(&2999));
}

#[test]
fn an_empty_page_is_given_back_and_taken_again() {
    let mut slab = Slab::default();
    (0..3 * PAGE as u32).for_each(|n| assert_eq!(slab.insert(n), n));
    let full = slab.bytes();
    (0..PAGE as u32).rev().for_each(|n| assert_eq!(slab.remove(n), Some(n)));
    assert_eq!(slab.bytes(), full - PAGE * size_of::<Option<u32>>());
    assert_eq!((slab.len(), slab.get(5), slab.get(1024)), (2 * PAGE, None, Some(&1024)));
    // The page's numbers come again before new ones, then a new page.
    assert!((0..PAGE as u32).all(|n| slab.insert(n) == n));
    assert_eq!(slab.insert(0), 3 * PAGE as u32);
}

#[test]
fn few_values_take_little_and_grow_into_a_page() {
    let mut slab = Slab::default();
    let mut sparse: Sparse<u64> = Sparse::default();
    let id = slab.insert([0_u64; 16]);
    sparse.set(id, 7);
    assert!(slab.bytes() < 64 * 136 && sparse.bytes() < 64 * 8, "one value is no page");
    for n in 1..PAGE as u32 + 1 {
        assert_eq!(slab.insert([n.into(); 16]), n);
        sparse.set(n, n.into());
        assert_eq!((sparse.get(0), sparse.get(n), sparse.get(n + 1)), (7, n.into(), 0));
    }
    assert_eq!(slab.get(id), Some(&[0; 16]));
    let pages: Vec<usize> = slab.pages.iter().map(Vec::capacity).collect();
    assert_eq!(pages, [PAGE, PAGE]);
    assert_eq!(sparse.pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE, PAGE]);
}

#[test]
fn a_sparse_array_pays_for_the_pages_it_uses() {
    let mut sparse: Sparse<u32> = Sparse::default();
    sparse.set(700_000, 0);
    assert!(sparse.pages.is_empty(), "what is none is not written down");
    sparse.set(500_000, 3);
    assert!((4 * PAGE..20 * PAGE).contains(&sparse.bytes()), "{}", sparse.bytes());
    assert_eq!((sparse.get(500_000), sparse.get(500_001), sparse.get(9_999_999)), (3, 0, 0));
    let pages = |sparse: &Sparse<u32>| sparse.pages.iter().filter(|p| !p.is_empty()).count();
    assert_eq!(pages(&sparse), 1);
    sparse.set(500_000, 4);
    sparse.set(500_001, 0);
    assert_eq!((sparse.get(500_000), pages(&sparse)), (4, 1));
    sparse.set(500_000, 0);
    assert_eq!((sparse.get(500_000), pages(&sparse)), (0, 0));
}
