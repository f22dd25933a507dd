//! What a draft says comes true when the same is done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;

const NET0: u32 = 2;

/// A node of rack 10.1.5.0/24 with a rack mate, a node elsewhere, and a block of its own.
fn started(pools: Vec<Pool>) -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.address_add(NET0, net("10.1.5.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3)).unwrap();
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.own("10.244.1.0/26");
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    rig.want("10.244.3.0/26", &["10.1.8.10"]);
    rig.want("10.244.4.0/26", &["10.1.5.11", "10.1.8.10"]);
    rig.pass(Duration::from_secs(10));
    rig
}

/// All of our routes as text, by prefix.
fn table(rig: &Rig) -> BTreeMap<IpNet, String> {
    let words = |route: &KernelRoute| Words::of(route, &rig.fib.world).to_string();
    rig.ours().iter().map(|route| (route.key.prefix, words(route))).collect()
}

/// Drafts `new`, then does it; what the draft said, which has to be what came.
fn foretold(rig: &mut Rig, new: FibConfig, routes: Vec<RouteChange>) -> Vec<(String, Shifted)> {
    let before = rig.fib.draft();
    let mut after = before.next();
    after.take(FibIn::Configure(Box::new(new.clone())));
    after.take(FibIn::Routes(routes.clone()));
    let shifts: Vec<Shift> = after.shifts(&before).collect();
    let was = table(rig);
    let mut expected = was.clone();
    for shift in &shifts {
        assert_eq!(expected.remove(&shift.prefix), shift.from, "{shift:?}");
        expected.extend(shift.to.clone().map(|to| (shift.prefix, to)));
    }
    assert_eq!(table(rig), was, "a draft touches nothing");
    rig.configure(new);
    rig.tell(FibIn::Routes(routes));
    rig.pass(Duration::from_secs(10));
    assert_eq!(table(rig), expected);
    shifts.into_iter().map(|shift| (shift.prefix.to_string(), shift.what)).collect()
}

fn said(shifts: &[(&str, Shifted)]) -> Vec<(String, Shifted)> {
    shifts.iter().map(|(prefix, what)| ((*prefix).to_owned(), *what)).collect()
}

#[test]
fn what_a_draft_says_of_pools_comes_true() {
    let mut rig = started(vec![pool("10.244.0.0/16", Mode::Never)]);
    let with = |rig: &Rig, mode| FibConfig {
        pools: vec![pool("10.244.0.0/16", mode)],
        ..rig.config.clone()
    };
    let (far, both) = ("10.244.3.0/26", "10.244.4.0/26");
    // The tunnel is not there yet.
    let new = with(&rig, Mode::CrossSubnet);
    let shifts = foretold(&mut rig, new, Vec::new());
    assert_eq!(shifts, said(&[(far, Shifted::Encapsulated), (both, Shifted::Encapsulated)]));
    let new = with(&rig, Mode::Always);
    let near = "10.244.2.0/26";
    let shifts = foretold(&mut rig, new, Vec::new());
    assert_eq!(shifts, said(&[(near, Shifted::Encapsulated), (both, Shifted::Encapsulated)]));
    let new = with(&rig, Mode::Never);
    let shifts = foretold(&mut rig, new, Vec::new());
    let all = [near, far, both].map(|prefix| (prefix, Shifted::InClear));
    assert_eq!(shifts, said(&all));
    let new = with(&rig, Mode::Never);
    assert_eq!(foretold(&mut rig, new, Vec::new()), []);
}

#[test]
fn what_a_draft_says_of_keys_and_routes_comes_true() {
    let mut rig = started(vec![pool("10.244.0.0/16", Mode::CrossSubnet)]);
    let new = FibConfig { metric: 100, ..rig.config.clone() };
    let shifts = foretold(&mut rig, new, Vec::new());
    let all = ["10.244.1.0/26", "10.244.2.0/26", "10.244.3.0/26", "10.244.4.0/26"];
    assert_eq!(shifts, said(&all.map(|prefix| (prefix, Shifted::Key))));

    let change = |prefix, target| RouteChange { prefix: net(prefix), target };
    let routes = vec![
        change("10.244.1.0/26", None),
        change("10.244.2.0/26", Some(Target::via(["10.1.5.12".parse().unwrap()]))),
        change("10.244.3.0/26", Some(Target::Own)),
        change("10.244.9.0/26", Some(Target::via(["10.1.8.11".parse().unwrap()]))),
    ];
    let new = FibConfig { hold: Hold::Pools, ..rig.config.clone() };
    let shifts = foretold(&mut rig, new, routes);
    assert_eq!(
        shifts,
        said(&[
            ("10.244.0.0/16", Shifted::Added),
            ("10.244.1.0/26", Shifted::Removed),
            ("10.244.2.0/26", Shifted::Hops),
            ("10.244.3.0/26", Shifted::Kind),
            ("10.244.9.0/26", Shifted::Added),
        ])
    );
}

#[test]
fn a_tunnel_that_was_refused_is_not_supposed() {
    let mut rig = started(vec![pool("10.244.0.0/16", Mode::Never)]);
    rig.kernel.set_ipip(false);
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let new = FibConfig { pools, ..rig.config.clone() };
    rig.configure(new.clone());
    rig.pass(Duration::from_secs(3));
    let new = FibConfig { metric: 7, ..new };
    let before = rig.fib.draft();
    let mut after = before.next();
    after.take(FibIn::Configure(Box::new(new)));
    let far = after.shifts(&before).find(|shift| shift.prefix == net("10.244.3.0/26"));
    assert!(far.is_none_or(|shift| !shift.to.unwrap_or_default().contains("tunl0")));
}
