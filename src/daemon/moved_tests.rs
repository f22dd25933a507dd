use std::time::Duration;

use starling_config::Config;

use super::*;

/// The plan of n1 with n2 at this address, and more of the file.
fn plan(n2: &str, more: &str) -> NodePlan {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cluster.toml");
    let text = format!(
        "[cluster]\nasn = 64512\n{more}\n[[pool]]\ncidr = \"10.244.0.0/16\"\n\
         [[node]]\nname = \"n1\"\naddress = \"10.50.0.1\"\n{n2}"
    );
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    let node = config.nodes.iter().find(|node| node.name == "n1").unwrap();
    config.plan(node)
}

fn n2(address: &str) -> String {
    format!("[[node]]\nname = \"n2\"\naddress = \"{address}\"\n")
}

fn names(moved: &Moved, plan: &NodePlan) -> Vec<String> {
    let mut plan = plan.clone();
    moved.join(&mut plan);
    plan.peers.into_iter().map(|peer| peer.name).collect()
}

#[test]
fn the_former_neighbour_stays_drained_for_its_restart_time() {
    let (old, new) = (plan(&n2("10.50.0.2"), ""), plan(&n2("10.50.0.22"), ""));
    let mut moved = Moved::default();
    moved.review(Time::ZERO, &old, &new);
    assert_eq!(names(&moved, &new), ["n2", "n2 at 10.50.0.2"]);
    let mut both = new.clone();
    moved.join(&mut both);
    let former = both.peers.last().unwrap();
    assert!(former.outward.drain && former.bfd.is_none());
    assert!(both.fib.peers.contains(&"10.50.0.2".parse().unwrap()));

    // Another reload that changes nothing of it does not prolong its time.
    moved.review(Time::ZERO.after(Duration::from_secs(60)), &new, &new);
    assert!(!moved.expire(Time::ZERO.after(Duration::from_secs(119))));
    assert!(moved.expire(Time::ZERO.after(Duration::from_secs(120))));
    assert!(moved.is_empty());
}

#[test]
fn it_goes_at_once_when_it_is_back_or_gone_for_good() {
    let (old, new) = (plan(&n2("10.50.0.2"), ""), plan(&n2("10.50.0.22"), ""));
    for last in [&old, &plan("", "")] {
        let mut moved = Moved::default();
        moved.review(Time::ZERO, &old, &new);
        assert!(!moved.is_empty());
        moved.review(Time::ZERO, &new, last);
        let there: Vec<String> = last.peers.iter().map(|peer| peer.name.clone()).collect();
        // On its way back it is the other address that is the former one.
        let former = last.peers.iter().map(|_| "n2 at 10.50.0.22".to_owned());
        assert_eq!(names(&moved, last), there.into_iter().chain(former).collect::<Vec<_>>());
    }
}

#[test]
fn nobody_stays_who_leaves_or_may_not_be_waited_for() {
    let (old, new) = (plan(&n2("10.50.0.2"), ""), plan("", ""));
    let mut moved = Moved::default();
    moved.review(Time::ZERO, &old, &new);
    assert!(moved.is_empty());
    let off = "graceful-restart = false";
    moved.review(Time::ZERO, &plan(&n2("10.50.0.2"), off), &plan(&n2("10.50.0.22"), off));
    assert!(moved.is_empty());
}
