//! What sessions are told of interfaces and addresses, through the whole Fib.

use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, route};
use crate::types::*;

const NET0: u32 = 2;
const NET1: u32 = 3;

fn ends(peer: &str, local: &str) -> Ends {
    let local = (!local.is_empty()).then(|| ip(local));
    let interface = peer.starts_with("fe80").then(|| "net1".to_owned());
    Ends { peer: ip(peer), interface, local }
}

/// A mesh neighbour and one behind the gateway on net0, a router and one on its link on net1.
fn sessions() -> Vec<Ends> {
    vec![
        ends("10.1.5.11", "10.1.5.10"),
        ends("10.1.8.10", "10.1.5.10"),
        ends("10.1.6.1", "10.1.6.10"),
        ends("fe80::1", ""),
    ]
}

fn started() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.link_add("net1", None, 1500);
    kernel.address_add(NET0, net("10.1.5.10/24"));
    kernel.address_add(NET1, net("10.1.6.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3)).unwrap();
    let mut rig =
        Rig::new(kernel, FibConfig { sessions: sessions(), ..config(&["10.1.5.10"], vec![]) });
    rig.run();
    assert_eq!(rig.ways, [], "nothing is in the way");
    rig
}

fn cut(ends: &Ends, why: &str) -> (Ends, Way) {
    (ends.clone(), Way { cut: Some(why.to_owned()), waits: false })
}

fn open(ends: &Ends) -> (Ends, Way) {
    (ends.clone(), Way::default())
}

#[test]
fn a_dead_interface_cuts_the_neighbours_on_it_and_nobody_behind_a_gateway() {
    let all = sessions();
    let [mesh, _far, router, local] = &all[..] else { panic!() };
    for (nic, concerned) in [(NET0, vec![mesh]), (NET1, vec![router, local])] {
        let name = if nic == NET0 { "net0" } else { "net1" };
        let mut rig = started();
        rig.kernel.link_change(nic, |link| link.running = false);
        rig.run();
        let why = format!("{name} has no carrier");
        let expected: Vec<_> = concerned.iter().map(|ends| cut(ends, &why)).collect();
        assert_eq!(std::mem::take(&mut rig.ways), expected);
        rig.kernel.link_change(nic, |link| link.running = true);
        rig.run();
        let expected: Vec<_> = concerned.iter().map(|ends| open(ends)).collect();
        assert_eq!(std::mem::take(&mut rig.ways), expected);
        rig.kernel.link_change(nic, |link| link.up = false);
        rig.run();
        assert_eq!(rig.ways[0], cut(concerned[0], &format!("{name} is down")));
        rig.ways.clear();
        rig.kernel.link_remove(nic);
        rig.pass(Duration::from_secs(60));
        for ends in &concerned {
            let last = rig.ways.iter().rfind(|(told, _)| told == *ends).map(|(_, way)| &way.cut);
            let gone = last.and_then(Option::as_ref).is_some_and(|why| why.contains("is gone"));
            assert!(gone, "{ends:?} {:?}", rig.ways);
        }
        let others = rig.ways.iter().filter(|(ends, _)| !concerned.contains(&ends));
        assert!(others.clone().all(|(_, way)| way.cut.is_none()), "{:?}", rig.ways);
    }
}

#[test]
fn another_interface_on_the_subnet_keeps_a_neighbour() {
    let mut rig = started();
    rig.kernel.address_add(NET1, net("10.1.5.20/24"));
    rig.pass(Duration::from_secs(5));
    rig.kernel.link_change(NET0, |link| link.running = false);
    rig.run();
    assert_eq!(rig.ways, []);
    // It was reached there last.
    rig.kernel.link_change(NET1, |link| link.running = false);
    rig.run();
    assert!(rig.ways.contains(&cut(&sessions()[0], "net1 has no carrier")), "{:?}", rig.ways);
}

#[test]
fn an_address_of_ours_is_waited_for_and_its_loss_cuts_nobody() {
    let mut rig = started();
    let mesh = &sessions()[0];
    rig.kernel.address_remove(NET0, net("10.1.5.10/24"));
    rig.run();
    let waits = Way { cut: None, waits: true };
    assert!(rig.ways.contains(&(mesh.clone(), waits.clone())), "{:?}", rig.ways);
    assert!(rig.ways.iter().all(|(_, way)| way.cut.is_none()), "{:?}", rig.ways);
    rig.ways.clear();
    rig.kernel.address_add(NET0, net("10.1.5.10/24"));
    rig.run();
    assert!(rig.ways.contains(&open(mesh)), "{:?}", rig.ways);
    // A session that comes with a reload, from an address that is not there yet.
    rig.ways.clear();
    let new = ends("10.1.6.7", "10.1.6.20");
    let more = FibConfig { sessions: vec![new.clone()], ..rig.config.clone() };
    rig.configure(more);
    rig.run();
    assert_eq!(std::mem::take(&mut rig.ways), [(new.clone(), waits)]);
    rig.kernel.address_add(NET1, net("10.1.6.20/24"));
    rig.run();
    assert_eq!(rig.ways, [open(&new)]);
}

#[test]
fn a_peer_that_nobody_answers_for_is_passed_on_where_it_is_directly_connected() {
    let mut rig = started();
    let hint = |device, address| KernelEvent::Unanswered { device, address: ip(address) };
    rig.tell(FibIn::Events(vec![
        hint(NET0, "10.1.5.11"),
        hint(NET1, "10.1.5.11"),
        hint(NET0, "10.1.8.10"),
        hint(NET0, "10.1.5.77"),
        hint(NET1, "fe80::1"),
    ]));
    rig.run();
    let all = sessions();
    assert_eq!(rig.unanswered, [all[0].clone(), all[3].clone()]);
    assert_eq!(rig.ways, [], "a hint is no news of the way");
}
