//! Numbers and contents.

use super::*;

fn owner(protocol: u8, table: u32) -> Owner {
    Owner { protocol, table }
}

fn hop(n: u8) -> Hop {
    Hop { gateway: Some([10, 1, 5, n].into()), device: 2, onlink: false, weight: 1 }
}

fn objects() -> Objects {
    let mut objects = Objects::default();
    objects.identify(&[owner(12, 254)]);
    objects.replace(Some(Vec::new()));
    objects
}

#[test]
fn tables_have_ranges_that_do_not_meet_and_begin_far_from_where_others_count() {
    let mut before = 1 << 29;
    for table in 0..4096 {
        let range = range(table);
        assert!(*range.start() > before && range.end() > range.start());
        before = *range.end();
    }
    // The kernel's tools take it for a signed number in places.
    assert!(before <= i32::MAX as u32);
    assert!(range(u32::MAX).start() > &(1 << 29));
}

#[test]
fn an_object_is_known_by_its_content_once_the_kernel_has_it() {
    let mut objects = objects();
    let one = Hops::from([hop(11)]);
    assert_eq!(objects.of(&one), Some(UNMADE));
    let mut ops = Vec::new();
    let Place::Coming(id) = objects.have(&one, &mut ops) else { panic!() };
    assert_eq!(objects.have(&one, &mut ops), Place::Coming(id));
    assert_eq!((ops.len(), objects.of(&one)), (1, Some(UNMADE)));
    objects.made(id);
    assert_eq!((objects.of(&one), objects.hops(id)), (Some(id), Some(one.clone())));
    // A group brings what it lacks.
    let two: Hops = [hop(11), Hop { weight: 3, ..hop(12) }].into_iter().collect();
    assert!(matches!(objects.have(&two, &mut ops), Place::Coming(_)));
    assert_eq!(ops.len(), 3);
    assert!(objects.unused(|_| false).is_empty(), "the group that is coming needs it");
    // What is on its way out is not used any more, and its number not given again.
    objects.remove([id].into_iter());
    assert_eq!(objects.of(&one), Some(UNMADE));
    assert!(matches!(objects.have(&one, &mut ops), Place::Coming(new) if new != id));
}

#[test]
fn what_has_no_gateway_and_a_kernel_without_objects_need_none() {
    let mut objects = objects();
    let out = Hops::from([Hop { gateway: None, ..hop(1) }]);
    assert_eq!((objects.of(&out), objects.of(&Hops::new())), (None, None));
    objects.replace(None);
    let one = Hops::from([hop(11)]);
    assert_eq!(objects.of(&one), None);
    assert_eq!(objects.have(&one, &mut Vec::new()), Place::Without);
}

#[test]
fn where_all_numbers_are_taken_routes_go_without() {
    let mut objects = objects();
    let inside = Inside::Other(None);
    let taken = range(254).map(|id| Object { id, protocol: 4, inside: inside.clone() });
    objects.replace(Some(taken.collect()));
    assert_eq!(objects.have(&Hops::from([hop(11)]), &mut Vec::new()), Place::Without);
    assert_eq!(objects.of(&Hops::from([hop(11)])), None);
}
