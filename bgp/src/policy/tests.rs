use super::*;
use crate::types::{V4, V6};

fn policy() -> ImportPolicy {
    let nets = |list: &[&str]| list.iter().map(|n| n.parse().unwrap()).collect();
    ImportPolicy {
        within: nets(&["10.244.0.0/16", "fd00:1::/32", "192.168.7.0/24"]),
        except: nets(&["10.244.3.0/26"]),
        borrowed: false,
        own_addresses: vec!["10.1.5.10".parse().unwrap()],
    }
}

fn v4(net: &str) -> V4 {
    V4::new(net.parse().unwrap())
}

#[test]
fn a_prefix_must_be_inside_and_not_excepted() {
    let policy = policy();
    let judge = Judge(Some(&policy));
    assert_eq!(judge.prefix(v4("10.244.0.0/16")), None);
    assert_eq!(judge.prefix(v4("10.244.9.64/26")), None);
    assert_eq!(judge.prefix(v4("192.168.7.9/32")), None);
    assert_eq!(judge.prefix(v4("10.244.0.0/15")), Some(Rejection::NotWithin));
    assert_eq!(judge.prefix(v4("10.245.0.0/26")), Some(Rejection::NotWithin));
    assert_eq!(judge.prefix(v4("0.0.0.0/0")), Some(Rejection::NotWithin));
    let own = Rejection::Except("10.244.3.0/26".parse().unwrap());
    assert_eq!(judge.prefix(v4("10.244.3.0/26")), Some(own.clone()));
    assert_eq!(judge.prefix(v4("10.244.3.9/32")), Some(own));
    // A shorter one than the excepted: it does not hide the block's own longer route.
    assert_eq!(judge.prefix(v4("10.244.3.0/25")), None);
}

#[test]
fn a_borrowed_address_may_come_and_nothing_wider() {
    let policy = ImportPolicy { borrowed: true, ..policy() };
    let judge = Judge(Some(&policy));
    assert_eq!(judge.prefix(v4("10.244.3.9/32")), None);
    let own = Some(Rejection::Except("10.244.3.0/26".parse().unwrap()));
    assert_eq!(judge.prefix(v4("10.244.3.8/31")), own);
    assert_eq!(judge.prefix(v4("10.244.3.0/26")), own);
    assert_eq!(judge.prefix(v4("10.99.3.9/32")), Some(Rejection::NotWithin));
}

#[test]
fn families_do_not_mix() {
    let policy = policy();
    let judge = Judge(Some(&policy));
    let v6 = |net: &str| V6::new(net.parse().unwrap());
    assert_eq!(judge.prefix(v6("fd00:1:2::/48")), None);
    assert_eq!(judge.prefix(v6("fd00:2::/48")), Some(Rejection::NotWithin));
    // The same leading bits as 10.244.0.0/16.
    assert_eq!(judge.prefix(v6("af4::/16")), Some(Rejection::NotWithin));
    let all = ImportPolicy { within: vec!["::/0".parse().unwrap()], ..policy };
    assert_eq!(Judge(Some(&all)).prefix(v4("10.244.0.0/16")), Some(Rejection::NotWithin));
    assert_eq!(Judge(Some(&all)).prefix(v6("::/0")), None);
}

#[test]
fn our_own_address_is_no_next_hop() {
    let policy = policy();
    let own = AttrSet::originated("10.1.5.10".parse::<IpAddr>().unwrap());
    let other = AttrSet::originated("10.1.5.11".parse::<IpAddr>().unwrap());
    let judge = Judge(Some(&policy));
    assert_eq!(judge.attributes(&other), None);
    let words = judge.words(v4("10.244.0.0/26"), &own);
    assert_eq!(words.as_deref(), Some("NEXT_HOP 10.1.5.10 is our own address"));
}

#[test]
fn nobody_configured_gives_nothing() {
    let judge = Judge(None);
    assert_eq!(judge.prefix(v4("10.244.0.0/26")), Some(Rejection::NotConfigured));
    let set = AttrSet::originated("10.1.5.11".parse::<IpAddr>().unwrap());
    assert_eq!(judge.attributes(&set), Some(Rejection::NotConfigured));
}
