//! What happens around nexthop objects, and how they must be in the end.

use std::collections::BTreeSet;

use super::*;
use crate::objects::range;

#[derive(Clone, Debug)]
pub(super) enum ObjectDeed {
    /// The option.
    Use(bool),
    /// net.ipv4.nexthop_compat_mode.
    Spelled(bool),
    /// Somebody removes one, whosever it is.
    Goes(usize),
    /// Somebody has one lead elsewhere.
    Changes(usize),
    /// Somebody makes one of his own, and leads his route, or one of ours, through it.
    Foreign(u32, usize, bool),
    /// Somebody leads his route through one of them.
    Through(usize, usize),
    /// Somebody takes one of the numbers that we would take next.
    Taken(u32),
    /// A predecessor of ours left it: our protocol, our range.
    Leftover(u32, bool),
}

pub(super) fn object_deed() -> impl Strategy<Value = ObjectDeed> {
    let prefix = 0..PREFIXES.len();
    prop_oneof![
        4 => any::<bool>().prop_map(ObjectDeed::Use),
        1 => any::<bool>().prop_map(ObjectDeed::Spelled),
        3 => (0..9_usize).prop_map(ObjectDeed::Goes),
        2 => (0..9_usize).prop_map(ObjectDeed::Changes),
        2 => (1..4_u32, prefix.clone(), any::<bool>())
            .prop_map(|(id, prefix, ours)| ObjectDeed::Foreign(id, prefix, ours)),
        1 => (0..9_usize, prefix).prop_map(|(n, prefix)| ObjectDeed::Through(n, prefix)),
        1 => (0..12_u32).prop_map(ObjectDeed::Taken),
        1 => (100..103_u32, any::<bool>()).prop_map(|(n, v6)| ObjectDeed::Leftover(n, v6)),
    ]
}

fn single(id: u32, protocol: u8, gateway: &str) -> Object {
    let gateway = Some(ip(gateway));
    let hop = Hop { gateway, device: NET0, onlink: true, weight: 1 };
    Object { id, protocol, inside: Inside::Hop(hop) }
}

/// What the kernel refuses at the moment does not happen.
pub(super) fn act(rig: &mut Rig, deed: ObjectDeed) {
    let (protocol, table) = (rig.config.protocol, rig.config.table);
    let metric = rig.config.metric;
    let kernel = &mut rig.kernel;
    let nth = |kernel: &Kernel, n: usize| kernel.objects().nth(n).cloned();
    let first = *range(table).start();
    match deed {
        ObjectDeed::Use(nexthop_objects) => {
            let config = FibConfig { nexthop_objects, ..rig.config.clone() };
            rig.configure(config);
        }
        ObjectDeed::Spelled(spelled) => kernel.set_spelled(spelled),
        // As with routes: beside main, what others do cannot be known once we left the table.
        _ if table != MAIN => {}
        ObjectDeed::Goes(n) => {
            if let Some(object) = nth(kernel, n) {
                let _ = kernel.object_remove(object.id);
            }
        }
        ObjectDeed::Changes(n) => {
            if let Some(object) = nth(kernel, n) {
                let is_v6 = matches!(object.inside,
                    Inside::Hop(Hop { gateway: Some(gateway), .. }) if gateway.is_ipv6());
                let elsewhere = if is_v6 { "fd00:5::66" } else { "10.1.5.66" };
                let _ = kernel.object_replace(single(object.id, object.protocol, elsewhere));
            }
        }
        ObjectDeed::Foreign(id, prefix, ours) => {
            let is_v6 = PREFIXES[prefix].contains(':');
            let _ =
                kernel.object_add(single(id, 4, if is_v6 { "fd00:5::11" } else { "10.1.5.11" }));
            let protocol = if ours { protocol } else { 4 };
            let mut route = somebodys(prefix, metric, protocol, table);
            route.object = Some(id);
            let _ = if ours { kernel.replace(route) } else { kernel.append(route) };
        }
        ObjectDeed::Through(n, prefix) => {
            if let Some(object) = nth(kernel, n) {
                let mut route = somebodys(prefix, 77, 4, table);
                route.object = Some(object.id);
                let _ = kernel.append(route);
            }
        }
        ObjectDeed::Taken(n) => {
            let _ = kernel.object_add(single(first + n, 4, "10.1.5.88"));
        }
        ObjectDeed::Leftover(n, v6) => {
            let gateway = if v6 { "fd00:5::12" } else { "10.1.5.12" };
            let _ = kernel.object_add(single(first + n, protocol, gateway));
        }
    }
}

/// Whether routes go through objects as configured, no object is left over, and what is known of
/// them is so. `held` are ours, from which the objects are taken.
pub(super) fn check(rig: &Rig, held: &mut [KernelRoute]) {
    for route in held {
        let object = route.object.take();
        let expected = rig.config.nexthop_objects && route.kind == Kind::Unicast;
        assert_eq!(object.is_some(), expected, "{route:?}");
        if let Some(id) = object {
            let object = rig.kernel.objects().find(|object| object.id == id).unwrap();
            assert!(rig.fib.world.objects.is_ours(object), "{object:?}");
        }
    }
    let there: Vec<&Object> = rig.kernel.objects().collect();
    let known: Vec<&Object> = rig.fib.world.objects.iter().collect();
    assert_eq!(there, known);
    let mut used: BTreeSet<u32> = rig.kernel.routes().filter_map(|route| route.object).collect();
    for object in &there {
        if let Inside::Group(members) = &object.inside
            && used.contains(&object.id)
        {
            used.extend(members.iter().map(|member| member.id));
        }
    }
    let ours = there.iter().filter(|object| rig.fib.world.objects.is_ours(object));
    let left: Vec<_> = ours.filter(|object| !used.contains(&object.id)).collect();
    assert!(left.is_empty(), "{left:?}");
}
