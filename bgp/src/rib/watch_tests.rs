use crate::msg::{BestChange, BestNews, Export, RibIn, RibOut, Watcher};
use crate::rib::fixture::*;
use crate::types::{PeerId, Time};

fn world() -> World {
    let mut world =
        World::new(config(&["10.9.0.0/26"], vec![policy(1, Export::Own), policy(2, Export::Own)]));
    world.up(up(1, 65001));
    world.up(up(2, 65002));
    world
}

/// Of everything, and without an end.
fn all() -> Watcher {
    Watcher { room: usize::MAX, ..Watcher::default() }
}

/// What those who watch are told.
fn news_of(world: &mut World, input: RibIn) -> BestNews {
    let mut out = Vec::new();
    world.rib.handle(Time::ZERO, input, &mut out);
    let mut news = out.into_iter().filter_map(|message| match message {
        RibOut::Best(news) => Some(news),
        _ => None,
    });
    let first = news.next().unwrap_or_default();
    assert_eq!(news.next(), None, "one message, one batch");
    first
}

/// What best paths became, as "prefix old -> new".
fn told(world: &mut World, input: RibIn) -> Vec<String> {
    let path = |path: &Option<std::sync::Arc<crate::msg::BestPath>>| match path {
        None => "nothing".to_owned(),
        Some(path) if path.own => format!("{} own", path.from),
        Some(path) => {
            format!("{} {} [{}]", path.from, path.attrs.next_hop(), path.attrs.as_path())
        }
    };
    let line = |change: &BestChange| {
        format!("{} {} -> {}", change.prefix, path(&change.old), path(&change.new))
    };
    news_of(world, input).changes.iter().map(line).collect()
}

#[test]
fn nothing_is_said_while_nobody_watches() {
    let mut world = world();
    let long = Attrs::new("10.0.0.1", &[65001, 64999]);
    world.learn(1, &long, &[net("10.1.0.0/16")]);
    world.say(RibIn::Watch(vec![all()]));
    world.say(RibIn::Watch(Vec::new()));
    world.learn(1, &long, &[net("10.2.0.0/16")]);
    assert!(!world.trace.iter().any(|line| line.starts_with("Best")), "{:#?}", world.trace);
}

#[test]
fn who_watches_sees_old_and_new_of_what_changed_and_nothing_else() {
    let mut world = world();
    let (long, short) = (Attrs::new("10.0.0.1", &[65001, 64999]), Attrs::new("10.0.0.2", &[65002]));
    let (one, two) = (net("10.1.0.0/16"), net("10.2.0.0/16"));
    world.learn(1, &long, &[one, two]);
    world.learn(2, &short, &[net("10.3.0.0/16")]);
    world.say(RibIn::Watch(vec![all()]));
    // Told again it goes on.
    world.say(RibIn::Watch(vec![all()]));
    assert_eq!(
        told(&mut world, announce(2, &short, &[one])),
        ["10.1.0.0/16 peer1 10.0.0.1 [65001 64999] -> peer2 10.0.0.2 [65002]"]
    );
    // A path that does not become the best is no news, nor is the same one again.
    let longer = Attrs::new("10.0.0.1", &[65001, 64999, 64998]);
    assert!(told(&mut world, announce(1, &longer, &[one])).is_empty());
    assert!(told(&mut world, announce(2, &short, &[one])).is_empty());
    assert_eq!(
        told(&mut world, RibIn::Originate(vec![net("10.50.0.0/16").into()])),
        ["10.50.0.0/16 nothing -> local own"]
    );
    let lost = told(&mut world, RibIn::PeerDown { peer: PeerId(1), retain: None, silent: false });
    assert_eq!(lost, ["10.2.0.0/16 peer1 10.0.0.1 [65001 64999] -> nothing"]);
    let lost = told(&mut world, news("10.0.0.2", None));
    assert_eq!(lost.len(), 2, "both of peer2 lost their next hop: {lost:?}");
}

#[test]
fn each_is_told_what_it_watches_by_destination_and_neighbour() {
    let mut world = world();
    let within = |nets: &[&str], from: &[&str]| Watcher {
        within: nets.iter().map(|text| net(text)).collect(),
        from: from.iter().map(|name| (*name).to_owned()).collect(),
        ..all()
    };
    let watchers = [
        within(&[], &[]),
        within(&["10.1.0.0/16", "2001:db8::/32"], &[]),
        within(&[], &["peer2"]),
        within(&["10.1.0.0/16"], &["peer2", "local"]),
        within(&["192.0.2.0/24"], &[]),
    ];
    let mut whom = |input| {
        let news = news_of(&mut world, input);
        assert_eq!(news.missed, []);
        let line = |change: &BestChange| format!("{} {:05b}", change.prefix, change.whom);
        let mut lines: Vec<String> = news.changes.iter().map(line).collect();
        lines.sort();
        lines
    };
    let (long, short) = (Attrs::new("10.0.0.1", &[65001, 64999]), Attrs::new("10.0.0.2", &[65002]));
    assert!(whom(RibIn::Watch(watchers.to_vec())).is_empty());
    whom(news("10.0.0.1", Some(0)));
    whom(news("10.0.0.2", Some(0)));
    let (inside, outside) = (net("10.1.7.0/24"), net("10.2.0.0/16"));
    // The next hop is not known before it is used.
    whom(announce(1, &long, &[inside, outside]));
    assert_eq!(whom(news("10.0.0.1", Some(0))), ["10.1.7.0/24 00011", "10.2.0.0/16 00001"]);
    whom(announce(2, &short, &[inside]));
    let both = whom(news("10.0.0.2", Some(0)));
    assert_eq!(both, ["10.1.7.0/24 01111"], "from one neighbour to the other");
    assert_eq!(whom(withdraw(2, &[inside])), ["10.1.7.0/24 01111"]);
    assert_eq!(whom(withdraw(1, &[inside])), ["10.1.7.0/24 00011"]);
    let own = whom(RibIn::Originate(vec![net("10.1.8.0/24").into()]));
    assert_eq!(own, ["10.1.8.0/24 01011"]);
}

#[test]
fn who_has_no_room_hears_how_many_it_missed_and_nothing_is_made_for_it() {
    let mut world = world();
    let attrs = Attrs::new("10.0.0.1", &[65001]);
    world.learn(1, &attrs, &[net("10.0.0.0/24")]);
    let nets: Vec<_> = (0..10).map(|n| net(&format!("10.1.{n}.0/24"))).collect();
    let narrow = Watcher { within: vec![net("10.1.8.0/23")], room: 1, ..Watcher::default() };
    let watchers = vec![Watcher { room: 3, ..all() }, narrow];
    world.say(RibIn::Watch(watchers.clone()));
    let news = news_of(&mut world, announce(1, &attrs, &nets));
    let whom: Vec<u64> = news.changes.iter().map(|change| change.whom).collect();
    assert_eq!(whom, [0b01, 0b01, 0b01, 0b10], "{news:?}");
    assert_eq!(news.missed, [(0, 7), (1, 1)]);
    // It stays so, each message counted by itself, until there is room again.
    let news = news_of(&mut world, withdraw(1, &nets[..5]));
    assert_eq!(news, BestNews { changes: Vec::new(), missed: vec![(0, 5)] });
    world.say(RibIn::Watch(watchers));
    let news = news_of(&mut world, withdraw(1, &nets[5..]));
    assert_eq!((news.changes.len(), &news.missed[..]), (4, &[(0, 2), (1, 1)][..]));
}
