use super::*;
use crate::learn::MAIN;
use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::{FibIn, KernelEvent, Link, Mode, RouteKey};
use crate::view::KernelState;

/// A pod's route as a CNI plugin writes it.
fn pod(address: &str, device: u32) -> KernelRoute {
    KernelRoute { scope: 253, ..route(address, None, device, 3) }
}

/// NIC 2, pods behind 3 and 4, something else behind 5.
fn node() -> Rig {
    let mut kernel = Kernel::new();
    for name in ["lo", "net0", "cali1", "cali2", "eth9"] {
        kernel.link_add(name, None, 1500);
    }
    kernel.address_add(2, net("10.1.5.10/24"));
    kernel.append(pod("10.244.1.7/32", 3)).unwrap();
    kernel.append(pod("10.244.9.7/32", 3)).unwrap();
    let mut config = config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::Never)]);
    config.pools.push(pool("fd00:244::/32", Mode::Never));
    config.blocks = vec![net("10.244.1.0/26"), net("fd00:244:1::/64")];
    let mut rig = Rig::new(kernel, config);
    rig.run();
    rig
}

fn told(rig: &Rig) -> Vec<String> {
    rig.announced.iter().map(ToString::to_string).collect()
}

fn standing(rig: &Rig, address: &str) -> String {
    rig.fib.pods.get(net(address)).unwrap().standing.to_string()
}

#[test]
fn a_pods_address_in_anothers_block_is_told_and_taken_back() {
    let mut rig = node();
    assert_eq!(told(&rig), ["10.244.9.7/32"], "the other one lies in our block");
    let v6 = KernelRoute {
        key: RouteKey { prefix: net("fd00:244:9::7/128"), table: MAIN, metric: 1024 },
        ..pod("fd00:244:9::7/128", 4)
    };
    rig.kernel.append(v6.clone()).unwrap();
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32", "fd00:244:9::7/128"]);
    rig.kernel.delete(&v6).unwrap();
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32"]);
    // An interface takes its routes with it, without a word on the routes.
    rig.kernel.link_remove(3);
    rig.run();
    assert!(rig.announced.is_empty());
    assert_eq!(rig.applied, [], "nothing is written");
}

#[test]
fn only_what_leads_to_a_pod_counts() {
    let mut rig = node();
    let others = [
        pod("10.244.9.8/32", 5),                          // no pod's interface
        pod("10.244.9.64/26", 3),                         // no host route
        pod("10.99.9.9/32", 3),                           // in no pool
        route("10.244.9.10/32", Some("10.1.5.99"), 2, 4), // behind a gateway
        KernelRoute { protocol: 12, ..pod("10.244.9.11/32", 3) }, // ours
        KernelRoute { protocol: 2, ..pod("10.244.9.12/32", 3) }, // the kernel's own
    ];
    for route in others {
        rig.kernel.append(route).unwrap();
        rig.run();
    }
    assert_eq!(told(&rig), ["10.244.9.7/32"]);
    assert_eq!(standing(&rig, "10.99.9.9/32"), "outside every pool");
    assert_eq!(standing(&rig, "10.244.9.12/32"), "routes of protocol 2 are not learned");
    assert_eq!(standing(&rig, "10.244.1.7/32"), "its block 10.244.1.0/26 is announced");
}

#[test]
fn a_reload_is_a_new_look_and_tells_what_it_changes() {
    let mut rig = node();
    let with = |rig: &mut Rig, change: &dyn Fn(&mut FibConfig)| {
        let mut config = rig.config.clone();
        change(&mut config);
        rig.configure(config);
        rig.run();
        told(rig)
    };
    let both = ["10.244.1.7/32", "10.244.9.7/32"];
    assert_eq!(with(&mut rig, &|c| c.pods.announce = Announce::All), both);
    assert_eq!(rig.pod_news.last().unwrap().came, [net(both[0])], "not what was told before");
    assert!(with(&mut rig, &|c| c.pods.announce = Announce::Nothing).is_empty());
    assert_eq!(standing(&rig, "10.244.9.7/32"), "no pod is announced here");
    assert_eq!(with(&mut rig, &|c| c.pods.announce = Announce::Borrowed), ["10.244.9.7/32"]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let none = names(&["veth*", "cal?1"]);
    assert!(with(&mut rig, &|c| c.pods.interfaces = none.clone()).is_empty());
    let ends = names(&["*1"]);
    assert_eq!(with(&mut rig, &|c| c.pods.interfaces = ends.clone()), ["10.244.9.7/32"]);
    assert_eq!(with(&mut rig, &|c| c.blocks = Vec::new()), both);
    assert!(with(&mut rig, &|c| c.pods.protocols = Some(vec![80])).is_empty());
    assert_eq!(with(&mut rig, &|c| c.pods.protocols = None), both);
    assert!(with(&mut rig, &|c| c.pools.clear()).is_empty());
}

#[test]
fn the_underlay_and_the_tunnel_lead_to_no_pod_whatever_the_pattern() {
    let mut rig = node();
    let mut config = rig.config.clone();
    config.pods.interfaces = vec!["*".to_owned()];
    config.tunnel.device = "eth9".to_owned();
    rig.configure(config);
    rig.kernel.append(pod("10.244.9.8/32", 2)).unwrap();
    rig.kernel.append(pod("10.244.9.9/32", 5)).unwrap();
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32"]);
}

#[test]
fn an_interface_that_gets_a_pods_name_leads_to_pods() {
    let mut rig = node();
    rig.kernel.append(pod("10.244.9.8/32", 5)).unwrap();
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32"]);
    rig.kernel.link_change(5, |link| link.name = "cali9".to_owned());
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32", "10.244.9.8/32"]);
    rig.kernel.link_change(5, |link| link.name = "eth9".to_owned());
    rig.run();
    assert_eq!(told(&rig), ["10.244.9.7/32"]);
}

/// From another node to this one and back: its own route is never fought over, whatever the metric
/// of ours, and nothing of ours is left under it.
#[test]
fn a_pod_that_moves_here_has_its_own_route_and_no_other() {
    for metric in [0, 1024] {
        let mut rig = node();
        let config = FibConfig { metric, ..rig.config.clone() };
        rig.configure(config);
        rig.want("10.244.9.8/32", &["10.1.5.11"]);
        rig.run();
        let learned =
            vec![format!("10.244.9.8/32 via 10.1.5.11 dev net0 proto 12 metric {metric}")];
        assert_eq!(rig.table(), learned);
        let here = pod("10.244.9.8/32", 3);
        // As `ip route replace` does it.
        rig.kernel.replace(here.clone()).or_else(|_| rig.kernel.append(here.clone())).unwrap();
        rig.run();
        assert!(rig.table().is_empty(), "{:?}", rig.table());
        assert!(rig.kernel.routes().any(|route| *route == here));
        let view = rig.fib.view_of(net("10.244.9.8/32")).unwrap();
        assert_eq!(view.state, KernelState::Pod("cali1".to_owned()));
        // A learned route that comes or changes while the pod is here.
        rig.want("10.244.9.8/32", &["10.1.5.12"]);
        rig.want("10.244.1.7/32", &["10.1.5.12"]);
        rig.run();
        assert!(rig.table().is_empty(), "{:?}", rig.table());
        assert_eq!(rig.reports, [], "nobody is in anybody's way");
        assert_eq!(rig.fib.healthy(), Ok(()));
        rig.kernel.delete(&here).unwrap();
        rig.kernel.link_remove(3);
        rig.run();
        assert_eq!(rig.table().len(), 2, "both lead to where the pods are now");
    }
}

/// However many there are, each one that comes or goes costs a message of one address, no dump,
/// no write and no wake-up; a batch of them costs one message.
#[test]
fn ten_thousand_pods_cost_what_each_of_them_costs() {
    const PODS: u32 = 10_000;
    let mut rig = node();
    rig.pass(std::time::Duration::from_secs(10));
    let (dumps, news) = (rig.dumps, rig.pod_news.len());
    let address = |i: u32| format!("10.244.{}.{}/32", 100 + i / 200, i % 200);
    for i in 0..PODS {
        let index = 10 + i;
        let name = format!("cali{i}");
        let link = Link { index, name, up: true, running: true, mtu: 1480, ..Link::default() };
        let here = KernelEvent::Address(crate::types::Address {
            device: index,
            address: net("fe80::ecee:eeff:feee:eeee/64"),
        });
        let subnet = KernelRoute { protocol: 2, ..pod("fe80::/64", index) };
        let events = [KernelEvent::Link(link), here, KernelEvent::Route(subnet)];
        events.into_iter().for_each(|event| rig.tell(FibIn::Events(vec![event])));
        rig.tell(FibIn::Events(vec![KernelEvent::Route(pod(&address(i), index))]));
        rig.run();
    }
    assert_eq!(rig.announced.len(), PODS as usize + 1);
    for i in 0..PODS / 2 {
        rig.tell(FibIn::Events(vec![KernelEvent::LinkGone(10 + i)]));
        rig.run();
    }
    assert_eq!(rig.announced.len(), PODS as usize / 2 + 1);
    let each = rig.pod_news.split_off(news);
    assert_eq!(each.len(), PODS as usize + PODS as usize / 2);
    assert!(each.iter().all(|news| news.came.len() + news.went.len() == 1));
    let rest = |i: u32| KernelEvent::RouteGone(pod(&address(i), 10 + i));
    rig.tell(FibIn::Events((PODS / 2..PODS).map(rest).collect()));
    rig.run();
    let went: Vec<usize> = rig.pod_news[news..].iter().map(|news| news.went.len()).collect();
    assert_eq!(went, [PODS as usize / 2]);
    assert_eq!((rig.dumps, rig.applied.len()), (dumps, 0));
    assert_eq!(rig.fib.next_deadline(), None);
}

#[test]
fn a_pattern_is_the_whole_name() {
    for (pattern, name, expected) in [
        ("cali*", "cali12ab", true),
        ("cali*", "cali", true),
        ("cali*", "xcali1", false),
        ("cali", "cali1", false),
        ("cali1", "cali1", true),
        ("*", "anything", true),
        ("*.cali", "vxlan.cali", true),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
        ("", "x", false),
        ("**", "", true),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}
