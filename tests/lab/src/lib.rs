//! Networks of namespaces, for the lab that a person runs and for the tests.
//!
//! A network is a [`Lab`]: a prefix that no other run shares and a folder for what its
//! programs write. In it live [`Netns`] (hosts, pods, gateways), joined by a [`Switch`]
//! of bridges; in those run daemons as [`Proc`]: [`Starling`], and real neighbours in
//! their own words, [`Frr`] and [`Bird`], or any of five by one description ([`speaker`]). What the kernel then holds is read back as
//! [`Route`], what is on the wire by a [`Capture`], and what
//! the kernel said meanwhile by a [`Monitor`]. Everything is done by the programs an
//! operator would use (`ip`, `ping`, `tcpdump`), so that a failing step can be repeated
//! by hand from its error text.
//!
//! ```text
//!   scenario::{a,b,c,d} ──build──► Topology ──► Stage (checks, words for a person)
//!        │                           │ nodes, pods, gateways
//!        └─ Starling, Frr, Bird ─────┘ Netns, Switch, Capture, Route, ping
//! ```
//!
//! Dropping a value ends what it started, by process id and by namespace name; it never
//! looks for processes or namespaces by a pattern that somebody else's could match.
//!
//! Needs root, and Debian's iproute2, iputils-ping and tcpdump (`tests/vm/install lab`).

mod bird;
mod capture;
mod cluster;
mod frr;
mod host;
mod kernel;
pub mod matrix;
mod monitor;
mod netns;
mod ping;
mod process;
mod report;
mod route;
pub mod scenario;
pub mod speaker;
mod starling;
mod switch;
mod traffic;
pub mod vm;
mod wait;

pub use bird::{Bird, CalicoNode};
pub use capture::Capture;
pub use cluster::{Cluster, Node, holds};
pub use frr::{Frr, FrrNeighbor, FrrRouter};
pub use host::{Pod, prepare_tunnel};
pub use kernel::has_ipip;
pub use monitor::Monitor;
pub use netns::{Lab, Netns, remove_prefix};
pub use ping::{Ping, ping, ping_as};
pub use process::{Output, Proc, must, run};
pub use report::{Audience, Stage};
pub use route::{Family, Nexthop, Route, Via, routes};
pub use rustix::process::Signal;
pub use starling::{Binaries, Starling};
pub use switch::Switch;
pub use traffic::{End, Lost, Traffic};
pub use wait::{wait_for, wait_until};

/// What went wrong, in words that name the command, the namespace and the expectation.
pub type Result<T = ()> = anyhow::Result<T>;
