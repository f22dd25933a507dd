//! The networks that Starling is made for, each told as a story with checks.
//!
//! A story builds its [`Topology`] from a [`topology::Plan`], starts what has to run,
//! waits until every node's kernel holds exactly the expected routes, and then proves on
//! the wire that pods reach pods the way the mode table says. The expected routes are
//! written out as `ip route` prints them.

mod a;
mod b;
mod c;
mod d;
mod equal;
mod t;
pub mod topology;
mod v;
mod wire;

use crate::{Binaries, Lab, Result, Stage};
use topology::Topology;

/// A network, by its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Two hosts in different subnets and a hand-made tunnel, which Starling takes over.
    A,
    /// Two racks with a gateway that is a router and a BGP peer; `cross-subnet`.
    B,
    /// Three neighbours on one subnet whose pod traffic is tunnelled all the same; `always`.
    C,
    /// The node that nobody can reach, and its cure by a reload; `never`, then `always`.
    D,
    /// Two hosts whose tunnel is in somebody's hands; `cross-subnet`.
    T,
    /// Pods in a VRF, and routes in its table; `always`.
    V,
}

/// Who writes the routes.
#[derive(Debug, Clone)]
pub enum Driver {
    /// The daemon, from what it hears by BGP.
    Starling(Binaries),
    /// `ip route` with the expected routes: proves topology and checks without a daemon.
    Hand,
}

impl Scenario {
    /// All of them, in the order of their letters.
    pub const ALL: [Self; 6] = [Self::A, Self::B, Self::C, Self::D, Self::T, Self::V];

    /// Plays the story on `stage`; gives the network, still up.
    ///
    /// # Errors
    /// When the network cannot be built, which says nothing about Starling. A check that
    /// fails is no error: `stage` has counted it.
    pub fn play(self, lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
        match self {
            Self::A => a::play(lab, driver, stage),
            Self::B => b::play(lab, driver, stage),
            Self::C => c::play(lab, driver, stage),
            Self::D => d::play(lab, driver, stage),
            Self::T => t::play(lab, driver, stage),
            Self::V => v::play(lab, driver, stage),
        }
    }
}
