//! Nexthop objects: next hops that the kernel keeps by number, for many routes at once.
//!
//! A route that names one ([`super::KernelRoute::object`]) has no next hops of its own: the kernel
//! holds them once, and whoever deletes the object deletes all of its routes. Ours never change:
//! another next hop is another object.

use super::Hop;

/// A nexthop object as the kernel holds it or shall hold it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Object {
    /// NHA_ID, never 0.
    pub id: u32,
    /// nhm_protocol: who made it.
    pub protocol: u8,
    /// Where it leads.
    pub inside: Inside,
}

/// Where a nexthop object leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Inside {
    /// By one next hop; its weight is 1.
    Hop(Hop),
    /// By several, which are objects themselves and none of them a group.
    Group(Vec<Member>),
    /// Something that we never make: a blackhole, an encapsulation, a resilient group. The next
    /// hop, where it has one.
    Other(Option<Hop>),
}

/// One of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Member {
    /// The object's NHA_ID.
    pub id: u32,
    /// 1 to 65536; ours to 256, as a [`Hop`]'s.
    pub weight: u32,
}

/// A change of the kernel's nexthop objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ObjectOp {
    /// Make one where none of that number is (NLM_F_CREATE | NLM_F_EXCL).
    Make(Object),
    /// Remove one of ours that nothing uses.
    Remove(Object),
}

impl ObjectOp {
    /// The object that it is about.
    pub fn object(&self) -> &Object {
        match self {
            ObjectOp::Make(object) | ObjectOp::Remove(object) => object,
        }
    }
}

/// What became of one of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectFailure {
    /// The op.
    pub op: ObjectOp,
    /// errno, positive.
    pub errno: i32,
    /// The kernel's words where it gave some (extended ack), else errno's.
    pub reason: String,
}
