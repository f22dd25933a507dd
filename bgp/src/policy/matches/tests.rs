use proptest::prelude::*;

use super::*;

#[test]
fn a_star_stands_for_any_characters() {
    for (pattern, name, matches) in [
        ("cali*", "cali12ab", true),
        ("cali*", "cali", true),
        ("cali*", "tunl0", false),
        ("*.calico", "vxlan.calico", true),
        ("*.calico", "vxlan.calico0", false),
        ("eth?", "eth0", true),
        ("eth?", "eth", false),
        ("eth?", "eth10", false),
        ("*a*b", "xxaxxaxb", true),
        ("*", "", true),
        ("", "", true),
        ("", "x", false),
        ("eth0", "eth0", true),
    ] {
        assert_eq!(Glob(pattern.to_owned()).matches(name), matches, "{pattern} on {name}");
    }
}

/// The obvious way.
fn naive(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|n| naive(rest, &name[n..])),
        [c, rest @ ..] => match name {
            [n, name @ ..] => (*c == b'?' || c == n) && naive(rest, name),
            [] => false,
        },
    }
}

proptest! {
    #[test]
    fn a_glob_matches_as_the_obvious_one(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
        let glob = Glob(pattern.clone());
        prop_assert_eq!(glob.matches(&name), naive(pattern.as_bytes(), name.as_bytes()));
    }
}

#[test]
fn sources_are_told_by_kind_and_name() {
    let neighbor = |kind, name| Source::Neighbor { kind, name };
    let gw0 = neighbor(PeerKind::External, "gw0");
    let node = neighbor(PeerKind::External, "server9");
    let mesh = neighbor(PeerKind::Mesh, "server2");
    assert!(From::Kind(PeerKind::External).holds(gw0) && From::Kind(PeerKind::Mesh).holds(mesh));
    let routers = From::KindBut(PeerKind::External, vec!["server9".to_owned()]);
    assert!(routers.holds(gw0) && !routers.holds(node) && !routers.holds(mesh));
    assert!(From::Named("gw0".to_owned()).holds(gw0) && !From::Named("gw0".to_owned()).holds(mesh));
    assert!(From::Local.holds(Source::Local) && !From::Local.holds(gw0));
    assert!(!From::Kind(PeerKind::Mesh).holds(Source::Local));
}
