//! The five networks and the ways in which a kernel surprises, each with exact routes.
//!
//! `modes`: which route becomes what; `several`: several next hops; `writing`: how and in which order
//! the kernel is told; `others`: what is not ours.

mod modes;
mod others;
mod several;
mod writing;

use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;

const SECOND: Duration = Duration::from_secs(1);

/// One NIC named `net0` (index 2) with this address and a default route.
fn node(address: &str, gateway: &str) -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net(address));
    kernel.append(route("0.0.0.0/0", Some(gateway), nic, 3)).unwrap();
    kernel
}

/// Scenario B: a node of rack 0.
fn rack() -> Rig {
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(node("10.1.5.10/24", "10.1.5.1"), config(&["10.1.5.10"], pools));
    rig.run();
    rig
}

/// What is done, in a word.
fn kind(op: &RouteOp) -> &'static str {
    match op {
        RouteOp::Add(_) => "add",
        RouteOp::Replace { .. } => "replace",
        RouteOp::Delete(_) => "delete",
    }
}
