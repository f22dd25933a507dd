//! What the words behind `show neighbors` mean.

use super::*;

fn meant(line: &str) -> Result<(Of, View), String> {
    Neighbors { words: line.split_whitespace().map(str::to_owned).collect() }.meant()
}

#[test]
fn words_mean_what_they_mean_where_they_stand() {
    let one = |name: &str| Of::One(name.to_owned());
    let group = |name: &str| Of::Group(name.to_owned());
    for (line, expected) in [
        ("", (Of::All, View::Everything)),
        ("terse", (Of::All, View::Terse)),
        ("gw0", (one("gw0"), View::Everything)),
        ("gw0 timers", (one("gw0"), View::Timers)),
        ("terse messages", (one("terse"), View::Messages)),
        ("group", (Of::Groups, View::Everything)),
        ("group mesh", (group("mesh"), View::Everything)),
        ("group rack=rack0 terse", (group("rack=rack0"), View::Terse)),
    ] {
        assert_eq!(meant(line), Ok(expected), "{line}");
    }
    for line in ["gw0 gw1", "group terse", "terse gw0", "group a b", "gw0 timers terse x"] {
        assert!(meant(line).is_err(), "{line}");
    }
}
