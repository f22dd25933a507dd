use super::*;
use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::{Kind, Mode};

/// NIC 2 with a gateway, a pod behind 3; a block of another node and an own one.
fn node() -> Rig {
    let mut kernel = Kernel::new();
    for name in ["lo", "net0", "cali1"] {
        kernel.link_add(name, None, 1500);
    }
    kernel.address_add(2, net("10.1.5.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), 2, 4)).unwrap();
    kernel.append(KernelRoute { scope: 253, ..route("10.244.1.10/32", None, 3, 3) }).unwrap();
    let mut config = config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::Never)]);
    config.blocks = vec![net("10.244.1.0/26")];
    let mut rig = Rig::new(kernel, config);
    rig.own("10.244.1.0/26");
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    rig.run();
    rig
}

fn lines(rig: &Rig, address: &str) -> Vec<String> {
    let line = |c: &Covering| {
        let whose = if c.ours { "ours" } else { "not ours" };
        let pod = if c.pod { ", a pod" } else { "" };
        format!("{} {}: {whose}{pod}", c.route.key.prefix, c.words)
    };
    rig.fib.covering(ip(address)).iter().map(line).collect()
}

#[test]
fn routes_come_in_the_order_in_which_the_kernel_looks() {
    let mut rig = node();
    let mut other = route("10.244.2.7/32", Some("10.1.5.99"), 2, 4);
    other.key.metric = 7;
    rig.kernel.append(other.clone()).unwrap();
    other.key.metric = 3;
    rig.kernel.append(other).unwrap();
    rig.run();
    assert_eq!(
        lines(&rig, "10.244.2.7"),
        [
            "10.244.2.7/32 via 10.1.5.99 dev net0 proto 4 metric 3: not ours",
            "10.244.2.7/32 via 10.1.5.99 dev net0 proto 4 metric 7: not ours",
            "10.244.2.0/26 via 10.1.5.11 dev net0 proto 12 metric 0: ours",
            "0.0.0.0/0 via 10.1.5.1 dev net0 proto 4 metric 0: not ours",
        ]
    );
}

#[test]
fn a_pod_of_this_node_is_known_by_its_interface() {
    let rig = node();
    assert_eq!(
        lines(&rig, "10.244.1.10"),
        [
            "10.244.1.10/32 dev cali1 proto 3 metric 0: not ours, a pod",
            "10.244.1.0/26 blackhole proto 12 metric 0: ours",
            "0.0.0.0/0 via 10.1.5.1 dev net0 proto 4 metric 0: not ours",
        ]
    );
    let covering = rig.fib.covering(ip("10.244.1.11"));
    assert_eq!(covering[0].route.kind, Kind::Blackhole);
}

#[test]
fn interfaces_have_names_and_addresses_have_interfaces() {
    let rig = node();
    assert_eq!(rig.fib.carriers(ip("10.1.5.10")), ["net0"]);
    assert_eq!(rig.fib.carriers(ip("10.1.5.11")), [""; 0]);
    assert_eq!(rig.fib.device(3).map(|link| link.name.as_str()), Some("cali1"));
    assert_eq!(rig.fib.device_named("cali1").map(|link| link.index), Some(3));
    let same = Reach::Same { device: 2, onlink: false };
    assert_eq!(rig.fib.underlay(ip("10.1.5.11").into()), Some(same));
}
