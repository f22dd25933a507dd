use proptest::prelude::*;

use super::*;
use crate::policy::rules::tests::route;
use crate::wire::attr::Attrs;

fn communities(list: &[&str]) -> Vec<AnyCommunity> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn patterns(list: &[&str]) -> Vec<CommunityPattern> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn no_change_gives_the_same_set() {
    let attrs = route(&[65001], &["1:2", "1:2:3", "rt:1:2"], Some(50), Some(7));
    assert_eq!(Changes::default().apply(&attrs), attrs);
    assert!(Changes::default().is_empty() && !Changes::default().touch_attributes());
    // What the kernel is told is no attribute.
    let metric =
        Changes { metric: Some(7), next_hop: Some(NextHopChange::Keep), ..Changes::default() };
    assert!(!metric.is_empty() && !metric.touch_attributes());
    assert_eq!(metric.apply(&attrs), attrs);
}

#[test]
fn every_attribute_is_set_in_its_place() {
    let changes = Changes {
        local_pref: Some(200),
        med: Some(MedChange::Is(5)),
        remove: patterns(&["65000:*"]),
        add: communities(&["65001:1", "65001:1:2", "rt:65001:3", "65001:1"]),
        prepend: vec![Asn(9), Asn(8)],
        next_hop: Some(NextHopChange::Is("10.9.9.9".parse().unwrap())),
        ..Changes::default()
    };
    let set = changes.apply(&route(&[65001], &["65000:7", "64999:1"], None, None));
    assert_eq!(set.as_path().to_string(), "9 8 65001");
    assert_eq!((set.rank().local_pref, set.med(), set.rank().path_len), (200, Some(5), 3));
    assert_eq!(set.communities().to_string(), "64999:1 65001:1");
    assert_eq!(set.large_communities().to_string(), "65001:1:2");
    assert_eq!(set.extended_communities().to_string(), "rt:65001:3");
    assert_eq!(set.next_hop().to_string(), "10.9.9.9");
    let codes: Vec<u8> = set.iter().map(|attr| attr.code).collect();
    assert_eq!(codes, [1, 2, 4, 5, 8, 16, 32]);
    // An attribute that we put there has the flags of its specification.
    let flags: Vec<u8> = set.iter().map(|attr| attr.flags).collect();
    assert_eq!(flags, [0x40, 0x40, 0x80, 0x40, 0xc0, 0xc0, 0xc0]);
    // Once changed, changed for good.
    let again = Changes { prepend: Vec::new(), ..changes };
    assert_eq!(again.apply(&set), set);
}

#[test]
fn what_is_taken_away_altogether_leaves_no_attribute() {
    let changes = Changes {
        med: Some(MedChange::Remove),
        remove: patterns(&["*:*", "*:*:*", "rt:*:*"]),
        ..Changes::default()
    };
    let attrs = route(&[], &["1:2", "1:2:3", "rt:1:2"], Some(1), Some(2));
    assert_eq!(changes.apply(&attrs), route(&[], &[], Some(1), None));
}

#[test]
fn only_a_metric_of_ours_leaves_the_as() {
    let next_hop: IpAddr = "10.0.0.1".parse().unwrap();
    let attrs = route(&[65001], &[], None, Some(7));
    let none = Changes::default();
    let out = |changes: &Changes| {
        changes.after_export(changes.apply(&attrs).exported_external(Asn(65000), next_hop))
    };
    assert_eq!(out(&none).med(), None);
    let changes = Changes { med: Some(MedChange::Is(30)), prepend: vec![Asn(65000)], ..none };
    let set = out(&changes);
    assert_eq!((set.med(), set.as_path().to_string()), (Some(30), "65000 65000 65001".to_owned()));
    assert!(set.iter().is_sorted_by_key(|attr| attr.code));
}

#[test]
fn changes_are_said_in_the_words_of_the_file() {
    let changes = Changes {
        local_pref: Some(200),
        med: Some(MedChange::Remove),
        remove: patterns(&["65000:*"]),
        add: communities(&["no-export"]),
        prepend: vec![Asn(1), Asn(1)],
        next_hop: Some(NextHopChange::Own),
        metric: Some(512),
        encapsulation: Some(Encapsulation::Never),
    };
    assert_eq!(
        changes.to_string(),
        "local-pref 200, med none, remove-community 65000:*, add-community no-export, \
         prepend 1 1, next-hop self, metric 512, encapsulation never"
    );
}

fn community() -> impl Strategy<Value = AnyCommunity> {
    let text = prop_oneof![
        (0u32..3, 0u32..3).prop_map(|(a, b)| format!("{a}:{b}")),
        (0u32..3, 0u32..3).prop_map(|(a, b)| format!("{a}:{b}:1")),
        (0u32..3, 0u32..3).prop_map(|(a, b)| format!("rt:{a}:{b}")),
    ];
    text.prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn a_changed_set_is_canonical(
        path in prop::collection::vec(1u32..70000, 0..5),
        has in prop::collection::vec(community(), 0..6),
        add in prop::collection::vec(community(), 0..70),
        remove in prop::collection::vec(community(), 0..6),
        prepend in prop::collection::vec((1u32..9).prop_map(Asn), 0..4),
        local_pref in any::<Option<u32>>(),
        med in any::<Option<u32>>(),
    ) {
        let words: Vec<String> = has.iter().map(|c| c.to_string()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let attrs = route(&path, &words, None, Some(3));
        let remove: Vec<CommunityPattern> = remove.into_iter().map(CommunityPattern::from).collect();
        let changes = Changes {
            local_pref, med: med.map(MedChange::Is), add, remove, prepend, ..Changes::default()
        };
        let set = changes.apply(&attrs);
        // Ascending, nothing twice, nothing left over: the bytes read as attributes to their end.
        let mut walk = Attrs::new(set.bytes());
        let codes: Vec<u8> = walk.by_ref().map(|attr| attr.code).collect();
        prop_assert!(walk.rest().is_empty());
        prop_assert!(codes.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(set.rank(), &crate::attrs::Rank::of(set.bytes()));
        for wanted in &changes.add {
            prop_assert!(CommunityPattern::from(*wanted).is_in(&set));
        }
        for gone in changes.remove.iter().filter(|p| !p.exact().is_some_and(|c| changes.add.contains(&c))) {
            prop_assert!(!gone.is_in(&set));
        }
        prop_assert_eq!(set.rank().path_len as usize, path.len() + changes.prepend.len());
    }
}
