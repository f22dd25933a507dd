//! Interfaces as operators are shown them, through the whole Fib.

use super::InterfaceView;
use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::*;

const NET0: u32 = 2;
const NET1: u32 = 3;
const CALI: u32 = 4;

fn ends(peer: &str) -> Ends {
    let interface = peer.starts_with("fe80").then(|| "net1".to_owned());
    Ends { peer: ip(peer), interface, local: None }
}

/// A mesh neighbour and one behind the gateway on net0, a router and one on its link on net1,
/// somebody to whom nothing leads.
fn sessions() -> Vec<Ends> {
    ["10.1.5.11", "10.1.8.10", "10.1.6.1", "fe80::1", "fd99::1"].map(ends).into()
}

fn started() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.link_add("net1", None, 9000);
    kernel.link_add("cali1", Some("veth"), 1480);
    kernel.address_add(NET0, net("10.1.5.10/24"));
    kernel.address_add(NET0, net("192.0.2.1/32"));
    kernel.address_add(NET1, net("10.1.6.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3)).unwrap();
    kernel.append(route("10.244.1.7/32", None, CALI, 3)).unwrap();
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let config = FibConfig { sessions: sessions(), ..config(&["10.1.5.10"], pools) };
    let mut rig = Rig::new(kernel, config);
    rig.own("10.244.1.0/26");
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    rig.want("10.244.3.0/26", &["10.1.6.1"]);
    rig.want("10.244.4.0/26", &["10.1.5.11", "10.1.5.12"]);
    rig.run();
    rig
}

fn named(rig: &Rig, name: &str) -> InterfaceView {
    let all = rig.fib.interfaces(&sessions());
    all.into_iter().find(|view| view.link.name == name).unwrap()
}

#[test]
fn what_leads_out_of_an_interface_is_counted_there() {
    let rig = started();
    let net0 = named(&rig, "net0");
    assert_eq!(net0.addresses, [net("10.1.5.10/24"), net("192.0.2.1/32")]);
    assert_eq!(net0.own, [ip("10.1.5.10")]);
    assert_eq!((net0.routes, net0.pods, net0.link.mtu), (2, 0, 1500), "several next hops: once");
    assert_eq!(net0.sessions, [0, 1], "the gateway's too");
    let net1 = named(&rig, "net1");
    assert_eq!((net1.own.len(), net1.sessions), (0, vec![2, 3]));
    let cali = named(&rig, "cali1");
    assert_eq!((cali.pods, cali.routes, cali.tunnel), (1, 0, false));
    assert_eq!(cali.link.kind.as_deref(), Some("veth"));
    let tunnel = named(&rig, "tunl0");
    assert!(tunnel.tunnel && tunnel.routes == 1, "{tunnel:?}");
}

#[test]
fn a_neighbour_stays_where_it_was_when_its_interface_dies() {
    let mut rig = started();
    rig.kernel.link_change(NET1, |link| link.running = false);
    rig.run();
    let net1 = named(&rig, "net1");
    assert!(net1.link.up && !net1.link.running);
    assert_eq!(net1.sessions, [2, 3]);
    rig.kernel.link_remove(NET1);
    rig.run();
    assert!(rig.fib.interfaces(&sessions()).iter().all(|view| view.link.name != "net1"));
}

#[test]
fn without_a_need_of_it_a_device_is_no_tunnel() {
    let mut rig = started();
    let pools = vec![pool("10.244.0.0/16", Mode::Never)];
    rig.configure(FibConfig { pools, ..rig.config.clone() });
    rig.run();
    assert!(!named(&rig, "tunl0").tunnel);
}
