//! What the process may do, and what of it it gives up.
//!
//! ```text
//!   start ──confine──► enter the namespace ──close──► open ports and sockets ──shed──► everything else
//! ```
//!
//! From the start nothing that it runs gains rights (no_new_privs), and no core dump is made of it:
//! keys of sessions are in its memory. That also closes its /proc entries to its own user; root may
//! trace it as ever. In its namespace it makes no system call any more that a route daemon has no
//! use for ([`syscalls`]). Once ports are open and BFD's thread has its priority, what is left is
//! CAP_NET_ADMIN, for routes, the tunnel and the packet filter that `bgpctl doctor` reads, and
//! CAP_NET_RAW where it was given: before Linux 5.7 a socket takes it to be bound to an interface,
//! and the old iptables to print its rules.
//!
//! Capabilities belong to threads; a thread is born with those of the one that starts it. So each
//! gives up its own: those of the runtime when they start, that of BFD before its work, the first one
//! when its ports are open.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use super::syscalls;

/// What is kept of what there is.
const KEPT: CapabilitySet = CapabilitySet::NET_ADMIN.union(CapabilitySet::NET_RAW);

/// Of the whole process, and of what it runs; call it before there is another thread.
pub fn confine() {
    let confined =
        set_no_new_privs(true).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = confined {
        tracing::warn!(%error, "cannot give up rights that are not needed");
    }
}

/// Of the calling thread and of those that it starts, for good: system calls that nothing in here
/// makes. Call it when the namespace is entered and before there is another thread.
pub fn close() {
    if let Err(error) = syscalls::close() {
        tracing::warn!(%error, "cannot close system calls that are not needed (--all-system-calls asks for none to be)");
    }
}

/// Of the calling thread, for good: every capability that the rest of its work does not take.
pub fn shed() {
    let shed = capabilities(None).and_then(|held| {
        if held.effective.contains(CapabilitySet::SETPCAP) {
            for capability in CapabilitySet::all().difference(KEPT).iter() {
                // One that this kernel does not know is nobody's.
                let _ = remove_capability_from_bounding_set(capability);
            }
        }
        let left = CapabilitySets {
            effective: held.effective & KEPT,
            permitted: held.permitted & KEPT,
            inheritable: held.inheritable & KEPT,
        };
        set_capabilities(None, left)
    });
    if let Err(error) = shed {
        tracing::warn!(%error, "cannot give up capabilities that are not needed");
    }
}
