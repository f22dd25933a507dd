//! The BGP speakers of Debian as neighbours, all five by one description.
//!
//! In: a [`Router`] (its AS, addresses, neighbours, networks) and a [`Software`]. Out: a
//! running [`Speaker`] that tells what it has heard, announces and withdraws networks, asks
//! for a refresh, resets a session with words. Each of the five has a file of its own that
//! knows its configuration and its answers; nobody else does.
//!
//! ```text
//!   Router ──Software::start──► config in its words ──► daemon in a namespace
//!                                                          │
//!   Session, Heard ◄──its own show commands, read──────────┘
//! ```
//!
//! What a software does not have is [`NotOffered`]: an error that a test can tell from a
//! failure, so that the matrix says "not offered" of it.

mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;
mod router;
mod words;

pub use router::{
    AddPath, Attribute, GracefulRestart, Neighbor, Network, NotOffered, Role, Router,
};

use crate::process::{START, must_succeed};
use crate::{Family, Netns, Proc, Result};
use anyhow::Context;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

/// An implementation of BGP that Debian has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Software {
    /// BIRD 2 (bird2).
    Bird,
    /// FRRouting (frr).
    Frr,
    /// GoBGP (gobgpd).
    GoBgp,
    /// OpenBGPD's portable edition (openbgpd).
    OpenBgpd,
    /// ExaBGP (exabgp): says what it is told, keeps no table.
    ExaBgp,
}

impl Software {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bird, Self::Frr, Self::GoBgp, Self::OpenBgpd, Self::ExaBgp];

    /// As its authors write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::GoBgp => "GoBGP",
            Self::OpenBgpd => "OpenBGPD",
            Self::ExaBgp => "ExaBGP",
        }
    }

    /// The installed version: "2.0.12".
    ///
    /// # Errors
    /// When it is not installed, or says nothing that looks like one.
    pub fn version(self) -> Result<String> {
        let argv: &[&str] = match self {
            Self::Bird => &["bird", "--version"],
            Self::Frr => &["/usr/lib/frr/bgpd", "--version"],
            Self::GoBgp => &["gobgpd", "--version"],
            Self::OpenBgpd => &[openbgpd::BGPD, "-V"],
            Self::ExaBgp => &["exabgp", "--version"],
        };
        let (program, arguments) = argv.split_first().context("an empty command")?;
        let output = crate::run(Command::new(program).args(arguments), crate::process::ORDINARY)?;
        // Some say it on standard output, some on standard error.
        let text = format!("{} {}", output.stdout, output.stderr);
        let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let found = text.split_whitespace().find(number);
        found.map(str::to_owned).with_context(|| format!("{argv:?} says no version: {text:?}"))
    }

    /// Starts it in `netns` as `router` says, with its files in `dir`, and waits until it
    /// answers.
    ///
    /// # Errors
    /// [`NotOffered`] for what it does not have; when it is not installed, or ends instead of
    /// starting: with its log.
    pub fn start(self, netns: &Netns, dir: &Path, router: &Router) -> Result<Box<dyn Speaker>> {
        let router = router.clone();
        Ok(match self {
            Self::Bird => Box::new(bird::Running::start(netns, dir, router)?),
            Self::Frr => Box::new(frr::Running::start(netns, dir, router)?),
            Self::GoBgp => Box::new(gobgp::Running::start(netns, dir, router)?),
            Self::OpenBgpd => Box::new(openbgpd::Running::start(netns, dir, router)?),
            Self::ExaBgp => Box::new(exabgp::Running::start(netns, dir, router)?),
        })
    }
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A running BGP speaker. Dropping it ends it.
pub trait Speaker: fmt::Debug + Send {
    /// Which software it is.
    fn software(&self) -> Software;

    /// Its session with the neighbour at this address.
    ///
    /// # Errors
    /// When it does not answer, or knows no such neighbour.
    fn session(&self, neighbor: IpAddr) -> Result<Session>;

    /// The routes that it has from this neighbour and has accepted.
    ///
    /// # Errors
    /// When it does not answer.
    fn heard(&self, neighbor: IpAddr) -> Result<Vec<Heard>>;

    /// Announces a network to all neighbours, or announces it anew.
    ///
    /// # Errors
    /// [`NotOffered`] for attributes that it cannot send; when it refuses.
    fn announce(&mut self, network: &Network) -> Result;

    /// Withdraws a network that it announced.
    ///
    /// # Errors
    /// When it refuses.
    fn withdraw(&mut self, prefix: IpNet) -> Result;

    /// Asks the neighbour for all routes of a family again (RFC 2918).
    ///
    /// # Errors
    /// [`NotOffered`] when it never asks; when it refuses.
    fn refresh(&mut self, neighbor: IpAddr, family: Family) -> Result;

    /// Whether it has been told the end of a refresh that it asked for (EoRR, RFC 7313).
    ///
    /// # Errors
    /// [`NotOffered`] when it knows none; when it does not answer.
    fn refreshed(&self, neighbor: IpAddr) -> Result<bool>;

    /// Ends the session with these words (RFC 9003) and lets it start again.
    ///
    /// # Errors
    /// [`NotOffered`] when it has no words to send.
    fn reset(&mut self, neighbor: IpAddr, words: &str) -> Result;

    /// What it shows of the end of its last session with the neighbour: the neighbour's words
    /// (RFC 9003) among its own. Empty while it shows nothing of the kind.
    ///
    /// # Errors
    /// [`NotOffered`] when it shows none; when it does not answer.
    fn farewell(&self, neighbor: IpAddr) -> Result<String>;

    /// What it has logged.
    fn log(&self) -> String;

    /// The process that speaks BGP, e.g. to send it a signal.
    fn proc(&mut self) -> &mut Proc;

    /// The same for good, e.g. to stop or crash it.
    fn into_proc(self: Box<Self>) -> Proc;
}

/// A session, seen from the speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Routes flow.
    pub established: bool,
    /// The state in its own words.
    pub state: String,
    /// What the neighbour offered in its OPEN, as far as the speaker knows it. Empty before.
    pub offered: BTreeSet<Capability>,
}

/// What a neighbour may offer in its OPEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// RFC 4760: IPv4 unicast.
    Ipv4,
    /// RFC 4760: IPv6 unicast.
    Ipv6,
    /// RFC 2918.
    RouteRefresh,
    /// RFC 7313.
    EnhancedRefresh,
    /// RFC 6793.
    FourOctetAs,
    /// RFC 8654.
    ExtendedMessages,
    /// RFC 7911, any family and direction.
    AddPath,
    /// RFC 8950.
    ExtendedNextHop,
    /// RFC 4724.
    GracefulRestart,
    /// RFC 9494.
    LongLivedGracefulRestart,
    /// RFC 9234.
    Role,
}

/// One path that a speaker has from a neighbour.
///
/// Communities are written the way that Starling does: "64512:1", "64512:1:2", "rt:64512:1";
/// well-known ones as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The destination.
    pub prefix: IpNet,
    /// The path identifier (RFC 7911), where the session has them and the speaker shows them.
    pub path_id: Option<u32>,
    /// NEXT_HOP.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH, blanks between: "64512 65001".
    pub as_path: String,
    /// MULTI_EXIT_DISC, where the speaker tells its absence from 0.
    pub med: Option<u32>,
    /// LOCAL_PREF, as heard or by default.
    pub local_pref: Option<u32>,
    /// COMMUNITIES.
    pub communities: BTreeSet<String>,
    /// LARGE_COMMUNITIES.
    pub large_communities: BTreeSet<String>,
    /// EXTENDED_COMMUNITIES.
    pub extended_communities: BTreeSet<String>,
    /// What else its answer says of the path, in its own words: unknown attributes, OTC.
    pub rest: String,
}

impl Heard {
    fn new(prefix: IpNet) -> Self {
        Self {
            prefix,
            path_id: None,
            next_hop: None,
            as_path: String::new(),
            med: None,
            local_pref: None,
            communities: BTreeSet::new(),
            large_communities: BTreeSet::new(),
            extended_communities: BTreeSet::new(),
            rest: String::new(),
        }
    }
}

/// Writes a configuration file that only root and its reader may read (it has passwords).
fn write_config(path: &Path, text: &str) -> Result {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    crate::must(&["chmod", "600", &path.to_string_lossy()]).map(drop)
}

/// Runs a speaker's own client.
fn client(program: &str, arguments: &[&str]) -> Result<String> {
    must_succeed(Command::new(program).args(arguments))
}
