use crate::msg::{BestChange, Export, RibIn, RibOut};
use crate::rib::fixture::*;
use crate::types::Time;

fn world() -> World {
    let mut world =
        World::new(config(&["10.9.0.0/26"], vec![policy(1, Export::Own), policy(2, Export::Own)]));
    world.up(up(1, 65001));
    world.up(up(2, 65002));
    world
}

/// What best paths became, as "prefix old -> new".
fn told(world: &mut World, input: RibIn) -> Vec<String> {
    let mut out = Vec::new();
    world.rib.handle(Time::ZERO, input, &mut out);
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
    let best = out.iter().filter_map(|message| match message {
        RibOut::Best(changes) => Some(changes.iter().map(line).collect::<Vec<_>>()),
        _ => None,
    });
    best.flatten().collect()
}

#[test]
fn nothing_is_said_while_nobody_watches() {
    let mut world = world();
    let long = Attrs::new("10.0.0.1", &[65001, 64999]);
    world.learn(1, &long, &[net("10.1.0.0/16")]);
    world.say(RibIn::Watch(true));
    world.say(RibIn::Watch(false));
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
    world.say(RibIn::Watch(true));
    // Told again it goes on.
    world.say(RibIn::Watch(true));
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
    let lost = told(
        &mut world,
        RibIn::PeerDown { peer: crate::types::PeerId(1), retain: None, silent: false },
    );
    assert_eq!(lost, ["10.2.0.0/16 peer1 10.0.0.1 [65001 64999] -> nothing"]);
    let lost = told(&mut world, news("10.0.0.2", None));
    assert_eq!(lost.len(), 2, "both of peer2 lost their next hop: {lost:?}");
}
