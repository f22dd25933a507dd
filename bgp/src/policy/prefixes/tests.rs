use proptest::prelude::*;

use super::*;
use crate::types::{V4, V6};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn has(set: &PrefixSet, text: &str) -> bool {
    match net(text) {
        IpNet::V4(net) => set.contains(V4::new(net)),
        IpNet::V6(net) => set.contains(V6::new(net)),
    }
}

#[test]
fn a_pattern_means_the_lengths_it_says() {
    let set = PrefixSet::new(&[
        PrefixPattern::exact(net("10.1.0.0/16")),
        PrefixPattern::within(net("10.2.0.0/16"), 20, 24).unwrap(),
        PrefixPattern::or_longer(net("2001:db8::/32")),
    ]);
    for inside in
        ["10.1.0.0/16", "10.2.0.0/20", "10.2.255.0/24", "2001:db8::/32", "2001:db8::1/128"]
    {
        assert!(has(&set, inside), "{inside}");
    }
    for outside in
        ["10.1.0.0/17", "10.0.0.0/8", "10.2.0.0/16", "10.2.0.0/25", "10.3.0.0/20", "::/0"]
    {
        assert!(!has(&set, outside), "{outside}");
    }
    assert_eq!(set.to_string(), "10.1.0.0/16, 10.2.0.0/16 ge 20 le 24, 2001:db8::/32 or longer");
}

#[test]
fn the_default_route_is_a_prefix_like_others() {
    let only = PrefixSet::new(&[PrefixPattern::exact(net("0.0.0.0/0"))]);
    assert!(has(&only, "0.0.0.0/0") && !has(&only, "10.0.0.0/8") && !has(&only, "::/0"));
    let all = PrefixSet::new(&[PrefixPattern::or_longer(net("::/0"))]);
    assert!(has(&all, "::/0") && has(&all, "::1/128") && !has(&all, "0.0.0.0/0"));
    let no_default = PrefixPattern::within(net("0.0.0.0/0"), 1, 32).unwrap();
    let rest = PrefixSet::new(&[no_default]);
    assert!(!has(&rest, "0.0.0.0/0") && has(&rest, "0.0.0.0/1") && has(&rest, "1.2.3.4/32"));
}

#[test]
fn what_cannot_match_is_no_pattern() {
    assert!(PrefixPattern::within(net("10.0.0.0/8"), 7, 9).is_none());
    assert!(PrefixPattern::within(net("10.0.0.0/8"), 9, 8).is_none());
    assert!(PrefixPattern::within(net("10.0.0.0/8"), 9, 33).is_none());
    assert!(PrefixPattern::within(net("::/0"), 9, 128).is_some());
}

#[test]
fn sets_that_say_the_same_are_stored_the_same() {
    let of = |patterns: &[PrefixPattern]| PrefixSet::called(String::new(), patterns);
    let (wide, inner) = (net("10.0.0.0/8"), net("10.1.0.0/16"));
    let one = of(&[PrefixPattern::or_longer(wide)]);
    let two = of(&[PrefixPattern::exact(inner), PrefixPattern::or_longer(wide)]);
    assert_eq!(one, two);
    assert_ne!(one, of(&[PrefixPattern::exact(inner)]));
}

#[test]
fn long_lists_are_cut_for_people() {
    let nets: Vec<PrefixPattern> =
        (0..9).map(|n| PrefixPattern::exact(net(&format!("10.{n}.0.0/16")))).collect();
    let words = PrefixSet::new(&nets).to_string();
    assert!(
        words.starts_with("10.0.0.0/16, ") && words.ends_with("10.5.0.0/16, 3 more"),
        "{words}"
    );
}

/// Nets that nest and collide often.
fn pattern() -> impl Strategy<Value = PrefixPattern> {
    let v4 = (0u32..64, 0u8..=32).prop_map(|(bits, len)| {
        IpNet::new(std::net::Ipv4Addr::from(bits << 26).into(), len).unwrap()
    });
    let v6 = (0u128..64, 0u8..=128).prop_map(|(bits, len)| {
        IpNet::new(std::net::Ipv6Addr::from(bits << 122).into(), len).unwrap()
    });
    (prop_oneof![v4, v6], any::<u8>(), any::<u8>()).prop_map(|(net, a, b)| {
        let span = net.max_prefix_len() - net.prefix_len() + 1;
        let (a, b) = (net.prefix_len() + a % span, net.prefix_len() + b % span);
        PrefixPattern::within(net, a.min(b), a.max(b)).unwrap()
    })
}

proptest! {
    #[test]
    fn a_set_answers_as_its_patterns_do(
        patterns in prop::collection::vec(pattern(), 0..24),
        asked in prop::collection::vec((0u32..256, 0u8..=32, 0u8..=128), 1..40),
    ) {
        let set = PrefixSet::new(&patterns);
        for (bits, len4, len6) in asked {
            let v4 = V4::from_net(IpNet::new(std::net::Ipv4Addr::from(bits << 24).into(), len4).unwrap().trunc()).unwrap();
            prop_assert_eq!(set.contains(v4), patterns.iter().any(|p| p.contains(v4)), "{} {:?}", v4, patterns);
            let address = std::net::Ipv6Addr::from(u128::from(bits) << 120);
            let v6 = V6::from_net(IpNet::new(address.into(), len6).unwrap().trunc()).unwrap();
            prop_assert_eq!(set.contains(v6), patterns.iter().any(|p| p.contains(v6)), "{} {:?}", v6, patterns);
        }
    }
}
