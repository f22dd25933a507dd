use super::*;
use crate::policy::rules::tests::route;

fn regex(text: &str) -> PathRegex {
    PathRegex::new(text).unwrap()
}

#[test]
fn an_underscore_is_what_is_between_numbers() {
    for (pattern, path, matches) in [
        ("^65001_", "65001 65002", true),
        ("^65001_", "65001", true),
        ("^65001_", "650010 65002", false),
        ("_65002_", "65001 65002 65003", true),
        ("_65002_", "65001 165002 65003", false),
        ("_65002$", "65001 65002", true),
        ("_8_", "1 {7,8}", true),
        ("_8_", "1 {7,88}", false),
        ("^$", "", true),
        ("^$", "1", false),
        ("^65001( 65001)*$", "65001 65001 65001", true),
        ("^[0-9_]+$", "65001", true),
        (r"65001\_", "65001", false),
    ] {
        assert_eq!(regex(pattern).is_match(path), matches, "{pattern} on {path}");
    }
}

#[test]
fn a_broken_expression_is_told() {
    assert_eq!(PathRegex::new("(65001").unwrap_err(), "found open group without closing ')'");
    assert!(PathRegex::new("a{1,99999}{1,99999}").is_err());
}

#[test]
fn conditions_look_where_they_say() {
    let attrs = route(&[65001, 65002, 65003], &[], None, None);
    let empty = route(&[], &[], None, None);
    let asns = |list: &[u32]| list.iter().copied().map(Asn).collect::<Vec<_>>();
    let holds = |pattern: PathPattern, attrs: &AttrSet| {
        assert_eq!(pattern.holds(attrs), pattern.miss(attrs).is_none(), "{pattern}");
        pattern.holds(attrs)
    };
    let default = PathPattern::default;
    let origin = |n| PathPattern { origin: Some(asns(&[n])), ..default() };
    assert!(holds(origin(65003), &attrs) && !holds(origin(65001), &attrs));
    assert!(!holds(origin(65003), &empty));
    let neighbor = |n| PathPattern { neighbor: Some(asns(&[n])), ..default() };
    assert!(holds(neighbor(65001), &attrs) && !holds(neighbor(65003), &attrs));
    let contains = |n| PathPattern { contains: Some(asns(&[1, n])), ..default() };
    assert!(holds(contains(65002), &attrs) && !holds(contains(65004), &attrs));
    let starts = |list: &[u32]| PathPattern { starts_with: asns(list), ..default() };
    assert!(
        holds(starts(&[65001, 65002]), &attrs) && holds(starts(&[65001, 65002, 65003]), &attrs)
    );
    assert!(!holds(starts(&[65001, 65003]), &attrs) && !holds(starts(&[65001; 4]), &attrs));
    let length = |min, max| PathPattern { length: Some(Range { min, max }), ..default() };
    assert!(
        holds(length(3, 3), &attrs) && !holds(length(0, 2), &attrs) && holds(length(0, 0), &empty)
    );
    assert!(holds(default(), &attrs) && holds(default(), &empty));
}

#[test]
fn ranges_read_as_they_are_written() {
    let shown = |min, max| Range { min, max }.to_string();
    let max = u32::MAX;
    let all = [shown(3, 3), shown(0, 5), shown(3, max), shown(2, 5), shown(0, max), shown(0, 0)];
    assert_eq!(all, ["3", "le 5", "ge 3", "ge 2 le 5", "any", "0"]);
}
