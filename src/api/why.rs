//! Why an address is reached, or why it is not: one answer from packet to cause.
//!
//! The verdict and the facts are sentences for people; `outcome` and `cause` are what a program
//! may branch on, and the objects below them what the sentences were made of.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ApiError, Lookup, Route, SessionState};

/// Why an address is reached or not, seen from one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Why {
    /// What was asked for, an address or a prefix.
    pub target: String,
    /// The address that the kernel was asked about: of a prefix, one inside.
    pub address: IpAddr,
    /// The node that answers.
    pub node: String,
    /// What becomes of a packet.
    pub outcome: Outcome,
    /// Why, unless it is simply reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Both in one sentence.
    pub verdict: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What that rests on, from the packet to the configuration.
    pub facts: Vec<Fact>,
    /// The kernel's own answer.
    pub kernel: KernelAnswer,
    /// The BGP routes that cover it, the longest first, with all paths and attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// The node that has it by the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The pool that it is in, the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub pool: Option<IpNet>,
    /// The way back, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is for this node or one of its pods.
    Local,
    /// It goes where it should.
    Reached,
    /// It goes somewhere, but not where BGP would have it go, or where nobody need know it.
    Astray,
    /// It is dropped, or nothing leads on.
    Unreached,
}

impl Outcome {
    /// Every outcome, the best first.
    pub const ALL: [Outcome; 4] =
        [Outcome::Local, Outcome::Reached, Outcome::Astray, Outcome::Unreached];
}

/// Why a packet does not go where it should.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its own block, and no pod has the address.
    NoSuchPod,
    /// Nobody need know it: it is in no pool, and nobody announced it.
    NoPool,
    /// It is in a pool, and no node has a block there.
    NoOwner,
    /// No session is configured with the node that has the block, nor with anybody between.
    NoNeighbor,
    /// The session that should bring it is down.
    NoSession,
    /// The session is up, and nobody announced it.
    NotAnnounced,
    /// It was announced, and import filters it: a rule, a limit, the protocol.
    Rejected,
    /// It was announced in a way that counts as withdrawn: our AS, identifier or cluster is in it
    /// (a loop), or it was malformed.
    Loop,
    /// Its next hop cannot be reached.
    NextHop,
    /// Its announcer asks to have it discarded (BLACKHOLE, RFC 7999).
    Discarded,
    /// A rule keeps it out of the kernel.
    KeptOut,
    /// It is on its way into the kernel.
    Pending,
    /// The kernel would not have it.
    Refused,
    /// Somebody else's route is in the way.
    ForeignRoute,
    /// The kernel holds the route and does not look where it is.
    NotConsulted,
    /// It leans on a gateway that is no BGP peer.
    Gateway,
    /// The next machine on the way does not answer for its address (ARP, NDP).
    Neighbour,
    /// The kernel could not be asked.
    Unknown,
}

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fact {
    /// What it is about.
    pub about: About,
    /// Whether it is as it should be.
    pub tone: Tone,
    /// The sentence for people.
    pub text: String,
}

/// What a fact is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The kernel's own lookup.
    Kernel,
    /// What it should hold, where that is something else.
    Wanted,
    /// The path in use, and why it won.
    Best,
    /// Another path, and why it lost.
    Other,
    /// A path that import dropped.
    Filtered,
    /// The next hop: the test of the subnet, and what came of it.
    NextHop,
    /// The tunnel device.
    Tunnel,
    /// The way of the outer packet.
    Underlay,
    /// The next machine's entry in the neighbour table.
    Neighbour,
    /// The session that brought it or should bring it.
    Session,
    /// BFD with that neighbour.
    Bfd,
    /// Whose it is by the configuration.
    Owner,
    /// The pool.
    Pool,
}

impl About {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            About::Kernel => "kernel",
            About::Wanted => "wanted",
            About::Best => "best path",
            About::Other => "other path",
            About::Filtered => "filtered",
            About::NextHop => "next hop",
            About::Tunnel => "tunnel",
            About::Underlay => "underlay",
            About::Neighbour => "neighbour",
            About::Session => "session",
            About::Bfd => "BFD",
            About::Owner => "owner",
            About::Pool => "pool",
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a fact is as it should be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It is, or says nothing about that.
    Plain,
    /// Worth a look.
    Warn,
    /// It is not.
    Bad,
}

/// What the kernel answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelAnswer {
    /// What it does with the packet.
    pub result: KernelResult,
    /// The route that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub prefix: Option<IpNet>,
    /// Its gateway; of several, the one that this packet takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Its interface, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The source address of a packet that has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The route's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Its rtm_protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// Its metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// It is one of this daemon's.
    pub ours: bool,
    /// All of it in the words of `ip route`, or what the kernel said instead.
    pub words: String,
}

/// What the kernel does with a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KernelResult {
    /// It sends it on.
    Sent,
    /// It keeps it: an address of this host.
    Local,
    /// It drops it silently.
    Blackhole,
    /// It drops it with an ICMP "host unreachable".
    Unreachable,
    /// It drops it with an ICMP "prohibited".
    Prohibit,
    /// It has no route.
    NoRoute,
    /// It would not say.
    Failed,
}

/// The node that has an address by the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its block, or network, that holds the address; its own address as a host's prefix.
    #[cfg_attr(test, schemars(with = "String"))]
    pub block: IpNet,
    /// It is the node that answers.
    pub this_node: bool,
    /// Where the session with it stands; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
}

/// The way back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Back {
    /// The node at the other end; none: there is none that could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it was asked for: an address or a block of this node.
    pub target: String,
    /// Where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SocketAddr>,
    /// Its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Box<Why>>,
    /// Why there is no answer, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhyQuery {
    /// An address or a prefix; `address=`.
    pub target: Lookup,
    /// Ask the other end for the way back, too; `both=true`. Over the Unix socket only.
    pub both: bool,
    /// The address here (or block) that the way back is asked for; `from=`. By default the first
    /// block of this node, of the target's family.
    pub from: Option<Lookup>,
}

impl WhyQuery {
    const KEYS: &'static str = "known are address=, both= and from=";

    /// One way.
    pub fn new(target: Lookup) -> WhyQuery {
        WhyQuery { target, both: false, from: None }
    }

    /// Reads the decoded pairs of a URL's query.
    ///
    /// # Errors
    /// For an unknown or repeated key, a value that cannot be read, and where no address is.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<WhyQuery, ApiError> {
        let (mut target, mut both, mut from) = (None, false, None);
        for (i, (key, value)) in pairs.iter().enumerate() {
            if pairs.iter().take(i).any(|(earlier, _)| earlier == key) {
                return Err(ApiError::new(format!("`{key}` is given twice")));
            }
            match key.as_str() {
                "address" => target = Some(value.parse()?),
                "from" => from = Some(value.parse()?),
                "both" => {
                    both = value.parse().map_err(|_| {
                        ApiError::new(format!("`both={value}` is neither true nor false"))
                    })?;
                }
                _ => {
                    return Err(
                        ApiError::new(format!("`{key}` is not known here")).hint(WhyQuery::KEYS)
                    );
                }
            }
        }
        let none = || ApiError::new("no address is asked for").hint(WhyQuery::KEYS);
        Ok(WhyQuery { target: target.ok_or_else(none)?, both, from })
    }

    /// The pairs that [`WhyQuery::from_pairs`] reads.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("address", self.target.to_string())];
        pairs.extend(self.both.then(|| ("both", "true".to_owned())));
        pairs.extend(self.from.map(|from| ("from", from.to_string())));
        pairs
    }
}
