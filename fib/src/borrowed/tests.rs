use super::*;
use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::{Mode, RouteKey};

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

fn nets(list: &[&str]) -> Option<Vec<IpNet>> {
    Some(list.iter().map(|text| net(text)).collect())
}

#[test]
fn a_pods_address_in_anothers_block_is_told_and_taken_back() {
    let mut rig = node();
    assert_eq!(rig.borrowed.take(), nets(&["10.244.9.7/32"]), "the other one lies in our block");
    let v6 = KernelRoute {
        key: RouteKey { prefix: net("fd00:244:9::7/128"), table: MAIN, metric: 1024 },
        ..pod("fd00:244:9::7/128", 4)
    };
    rig.kernel.append(v6.clone()).unwrap();
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&["10.244.9.7/32", "fd00:244:9::7/128"]));
    rig.kernel.delete(&v6).unwrap();
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&["10.244.9.7/32"]));
    // An interface takes its routes with it, without a word on the routes.
    rig.kernel.link_remove(3);
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&[]));
    assert_eq!(rig.applied, [], "nothing is written");
}

#[test]
fn only_what_leads_to_a_pod_counts() {
    let mut rig = node();
    rig.borrowed = None;
    let others = [
        pod("10.244.9.8/32", 5),                          // no pod's interface
        pod("10.244.9.64/26", 3),                         // no host route
        pod("10.99.9.9/32", 3),                           // in no pool
        route("10.244.9.10/32", Some("10.1.5.99"), 2, 4), // behind a gateway
        KernelRoute { protocol: 12, ..pod("10.244.9.11/32", 3) }, // ours
    ];
    for route in others {
        rig.kernel.append(route).unwrap();
        rig.run();
    }
    assert_eq!(rig.borrowed, None);
}

#[test]
fn a_reload_of_blocks_pools_or_names_is_a_new_look() {
    let mut rig = node();
    let mut config = rig.config.clone();
    config.pod_interfaces = vec!["veth*".to_owned(), "cal?1".to_owned()];
    rig.configure(config.clone());
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&[]));
    config.pod_interfaces = vec!["*1".to_owned()];
    config.blocks = Vec::new();
    rig.configure(config.clone());
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&["10.244.1.7/32", "10.244.9.7/32"]));
    config.pools.remove(0);
    rig.configure(config);
    rig.run();
    assert_eq!(rig.borrowed.take(), nets(&[]));
}

#[test]
fn the_underlay_and_the_tunnel_lead_to_no_pod_whatever_the_pattern() {
    let mut rig = node();
    let mut config = rig.config.clone();
    config.pod_interfaces = vec!["*".to_owned()];
    config.tunnel.device = "eth9".to_owned();
    rig.configure(config);
    rig.kernel.append(pod("10.244.9.8/32", 2)).unwrap();
    rig.kernel.append(pod("10.244.9.9/32", 5)).unwrap();
    rig.run();
    assert_eq!(rig.borrowed, nets(&["10.244.9.7/32"]));
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
