use super::Have;
use crate::rig::route;

#[test]
fn what_routes_share_goes_with_the_last_of_them() {
    let one = route("10.244.1.0/26", Some("10.1.5.11"), 2, 12);
    let like_it = route("10.244.2.0/26", Some("10.1.5.11"), 2, 12);
    let other = route("10.244.1.0/26", Some("10.1.8.10"), 3, 12);
    let mut have = Have::default();
    [&one, &like_it, &other].into_iter().for_each(|route| have.insert(route));
    assert!(have.uses(2) && have.uses(3));
    assert_eq!(have.shapes.iter().count(), 2);
    assert!(have.remove(&one));
    assert!(have.uses(2), "the other route's shape is the same");
    assert!(have.remove(&like_it) && !have.uses(2));
    assert_eq!(have.shapes.iter().count(), 1, "nothing remembers a route that is gone");
    assert!(!have.remove(&like_it) && have.uses(3));
    assert!(have.remove(&other) && !have.uses(3) && have.is_empty());
    assert!(have.shapes.iter().next().is_none() && have.shapes.numbers.is_empty());
}
