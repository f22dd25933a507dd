//! What others do to the tunnel device, and to what bears its name.

use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::tunnel::TunnelState;
use crate::types::*;

const SECOND: Duration = Duration::from_secs(1);
const ROUTE: &str = "10.244.2.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0";

fn started() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net("10.1.5.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), nic, 3)).unwrap();
    let mut config = config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::CrossSubnet)]);
    config.tunnel.address = Some("10.244.1.0".parse().unwrap());
    let mut rig = Rig::new(kernel, config);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    assert_eq!(rig.table(), [ROUTE]);
    rig.reports.clear();
    rig
}

fn tunl0(rig: &Rig) -> Link {
    rig.kernel.links().find(|link| link.name == "tunl0").unwrap().clone()
}

fn drifts(rig: &mut Rig) -> Vec<String> {
    let drift = |report| match report {
        Report::TunnelDrift { device, what } => format!("{device} {what}"),
        other => format!("{other:?}"),
    };
    std::mem::take(&mut rig.reports).into_iter().map(drift).collect()
}

fn is_well(rig: &Rig) -> bool {
    let link = tunl0(rig);
    let address = rig.kernel.is_local("10.244.1.0".parse().unwrap());
    link.up && link.mtu == 1480 && address && rig.table() == [ROUTE]
}

#[test]
fn whatever_is_done_to_it_is_put_right_at_once() {
    let mut rig = started();
    let index = tunl0(&rig).index;
    rig.kernel.link_change(index, |link| link.up = false);
    rig.run();
    assert_eq!(drifts(&mut rig), ["tunl0 down"]);
    assert!(is_well(&rig));
    rig.kernel.link_change(index, |link| link.mtu = 1400);
    rig.run();
    assert_eq!(drifts(&mut rig), ["tunl0 mtu 1400"]);
    assert!(is_well(&rig));
    rig.kernel.address_remove(index, net("10.244.1.0/32"));
    rig.run();
    assert_eq!(drifts(&mut rig), ["tunl0 without 10.244.1.0"]);
    assert!(is_well(&rig));
    rig.kernel.link_change(index, |link| link.pmtudisc = true);
    rig.run();
    assert_eq!(drifts(&mut rig), ["tunl0 pmtudisc"]);
    assert!(is_well(&rig) && !tunl0(&rig).pmtudisc);
    rig.kernel.link_remove(index);
    rig.run();
    assert_eq!(drifts(&mut rig), ["tunl0 gone"]);
    assert!(is_well(&rig));
    // Our own doing is nobody's: the underlay's MTU moves it.
    rig.pass(60 * SECOND);
    rig.kernel.link_change(2, |link| link.mtu = 9000);
    rig.run();
    assert_eq!((tunl0(&rig).mtu, drifts(&mut rig)), (8980, vec![]));
}

/// What comes out of it is looked up where the routes are.
#[test]
fn it_is_in_the_vrf_of_our_routes_and_put_back_there() {
    let mut kernel = Kernel::new();
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net("10.1.5.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), nic, 3)).unwrap();
    let blue = kernel.link_add("blue", Some("vrf"), 65536);
    kernel.link_change(blue, |link| link.vrf = Some(1000));
    let mut config = config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::CrossSubnet)]);
    config.table = 1000;
    let mut rig = Rig::new(kernel, config);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    assert_eq!(tunl0(&rig).master, Some(blue));
    assert_eq!(rig.table(), ["10.244.2.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0"]);
    rig.reports.clear();
    let index = tunl0(&rig).index;
    rig.kernel.link_change(index, |link| link.master = None);
    rig.run();
    assert_eq!(
        (drifts(&mut rig), tunl0(&rig).master),
        (vec!["tunl0 outside blue".into()], Some(blue))
    );
}

#[test]
fn who_keeps_changing_it_is_met_with_growing_waits() {
    let mut rig = started();
    let index = tunl0(&rig).index;
    for round in 0..20 {
        rig.kernel.link_change(index, |link| link.mtu = 1400);
        rig.run();
        assert_eq!(tunl0(&rig).mtu == 1480, round < 5, "round {round}");
    }
    rig.pass(2 * SECOND);
    assert!(is_well(&rig));
}

/// What the kernel refuses to put right carries packets as before.
#[test]
fn one_that_cannot_be_put_right_is_used_as_it_is() {
    let mut rig = started();
    let index = tunl0(&rig).index;
    rig.kernel.fail_tunnels(3);
    rig.kernel.link_change(index, |link| link.mtu = 1400);
    for _ in 0..3 {
        rig.run();
        assert_eq!((tunl0(&rig).mtu, rig.table()), (1400, vec![ROUTE.to_owned()]));
        assert!(matches!(rig.fib.tunnel_state(), TunnelState::Failed(_)), "and it is said");
        rig.pass(SECOND);
    }
    rig.pass(10 * SECOND);
    assert!(is_well(&rig));
    // One that is down carries nothing.
    rig.kernel.fail_tunnels(1);
    rig.kernel.link_change(index, |link| link.up = false);
    rig.run();
    assert_eq!(rig.table(), [""; 0]);
}

#[test]
fn another_device_of_its_name_is_let_alone_and_followed_by_ours_when_it_goes() {
    let mut rig = started();
    let index = tunl0(&rig).index;
    rig.kernel.link_remove(index);
    let other = rig.kernel.link_add("tunl0", Some("vti"), 1300);
    rig.run();
    let said = drifts(&mut rig);
    assert!(said.iter().any(|words| words.contains("WrongKind")), "{said:?}");
    assert_eq!(rig.table(), [""; 0], "nothing is sent into it");
    rig.pass(300 * SECOND);
    assert_eq!(tunl0(&rig).mtu, 1300, "untouched");
    rig.kernel.link_remove(other);
    rig.run();
    assert!(is_well(&rig), "at once");
}

#[test]
fn one_that_is_given_a_far_end_of_its_own_is_ours_no_more() {
    let mut rig = started();
    let index = tunl0(&rig).index;
    rig.kernel.link_change(index, |link| link.remote = Some("192.0.2.1".parse().unwrap()));
    rig.run();
    let said = drifts(&mut rig);
    assert!(said.iter().any(|words| words.contains("it leads to 192.0.2.1 only")), "{said:?}");
    assert_eq!(rig.table(), [""; 0]);
    rig.kernel.link_change(index, |link| link.remote = None);
    rig.run();
    assert!(is_well(&rig), "at once");
}
