//! Interfaces in the control API.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network interface of this node as the daemon knows it, and who uses it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number (ifindex).
    pub index: u32,
    /// Its kind ("veth", "ipip"), where the kernel has a word for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether packets leave by it.
    pub state: LinkState,
    /// Its MTU.
    pub mtu: u32,
    /// The bridge, VRF, … that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// The table of a VRF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Its addresses, with their subnets' lengths.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub addresses: Vec<IpNet>,
    /// Of those, the node's own: they say what its subnet is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<IpAddr>,
    /// Pools are tunnelled through it.
    #[serde(default)]
    pub tunnel: bool,
    /// The neighbours whose sessions leave by it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbors: Vec<String>,
    /// Routes of ours in the kernel that lead out of it.
    pub routes: u64,
    /// Local pods behind it.
    pub pods: u64,
}

/// Whether packets leave by an interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// They do.
    Up,
    /// It is up, and nobody is at the other end of the cable.
    NoCarrier,
    /// It is down.
    Down,
}

impl LinkState {
    /// Of IFF_UP and IFF_RUNNING.
    pub fn of(up: bool, running: bool) -> LinkState {
        match (up, running) {
            (true, true) => LinkState::Up,
            (true, false) => LinkState::NoCarrier,
            (false, _) => LinkState::Down,
        }
    }
}

/// For people.
impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkState::Up => "up",
            LinkState::NoCarrier => "no carrier",
            LinkState::Down => "down",
        })
    }
}
