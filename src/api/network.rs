//! What a node originates, in the control API.

mod lines;

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use starling_bgp::attrs;
use starling_bgp::msg::Carried;
use starling_bgp::policy::AnyCommunity;

pub use lines::{community, lines, prefix, prepend};

use super::{ApiError, Origin};

/// A prefix that this node originates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Network {
    /// The prefix.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// On whose wish.
    pub wish: Wish,
    /// Neighbours are told.
    pub announced: bool,
    /// The kernel has a blackhole for it.
    pub blackhole: bool,
    /// What it carries beside what all that is originated here does.
    #[serde(default, skip_serializing_if = "NetworkAttributes::is_empty")]
    pub attributes: NetworkAttributes,
}

/// On whose wish a prefix is originated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// The configuration's: a block, what blocks make together, or a network.
    Configured,
    /// The operator's, until the daemon ends.
    Operator,
    /// A local pod's, whose address is of another node's block.
    Borrowed,
    /// A local pod's, whose address is announced beside its block.
    Pod,
}

impl Wish {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Wish::Configured => "configuration",
            Wish::Operator => "operator",
            Wish::Borrowed => "borrowed address",
            Wish::Pod => "local pod",
        }
    }
}

/// What an operator does about networks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NetworkChange {
    /// These are announced too; one that was added before carries this from now on.
    Add(Vec<NetworkLine>),
    /// These are announced no more, all of them or none.
    Delete(Vec<IpNet>),
    /// Nothing is announced any more that was added.
    Flush,
}

/// A prefix that is to be originated, and what it is to carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkLine {
    /// The prefix.
    pub prefix: IpNet,
    /// What it is to carry.
    pub attributes: NetworkAttributes,
}

/// What a network carries beside what all that this node originates does.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NetworkAttributes {
    /// ORIGIN; none: IGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// MULTI_EXIT_DISC, to other ASes too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// LOCAL_PREF, inside our AS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// So often our AS is put in front once more, towards other ASes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepend: Option<u8>,
    /// Communities of any kind: "65000:1", "65000:1:2", "rt:65000:1", "no-export".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
}

impl NetworkAttributes {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == NetworkAttributes::default()
    }

    /// For the Rib; `None`: nothing.
    ///
    /// # Errors
    /// Where a community is none.
    pub fn carried(&self) -> Result<Option<Carried>, ApiError> {
        let NetworkAttributes { origin, med, local_pref, prepend, communities } = self;
        let read = |text: &String| text.parse::<AnyCommunity>().map_err(|e| ApiError::new(e.0));
        let origin = origin.map(|origin| match origin {
            Origin::Igp => attrs::Origin::Igp,
            Origin::Egp => attrs::Origin::Egp,
            Origin::Incomplete => attrs::Origin::Incomplete,
        });
        let carried = Carried {
            origin,
            med: *med,
            local_pref: *local_pref,
            prepend: prepend.unwrap_or_default(),
            communities: communities.iter().map(read).collect::<Result<_, _>>()?,
        };
        Ok(Some(carried).filter(|carried| *carried != Carried::default()))
    }
}

impl From<&Carried> for NetworkAttributes {
    fn from(carried: &Carried) -> NetworkAttributes {
        let Carried { origin, med, local_pref, prepend, communities } = carried;
        NetworkAttributes {
            origin: origin.map(Origin::from),
            med: *med,
            local_pref: *local_pref,
            prepend: Some(*prepend).filter(|times| *times > 0),
            communities: communities.iter().map(ToString::to_string).collect(),
        }
    }
}

/// In the words that [`lines`] reads: `med 50 community 65000:1`; empty for none.
impl fmt::Display for NetworkAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NetworkAttributes { origin, med, local_pref, prepend, communities } = self;
        let mut words: Vec<String> = Vec::new();
        words.extend(med.map(|med| format!("med {med}")));
        words.extend(local_pref.map(|pref| format!("local-pref {pref}")));
        words.extend(origin.map(|origin| format!("origin {origin}").to_lowercase()));
        words.extend(prepend.map(|times| format!("prepend {times}")));
        words.extend(communities.iter().map(|community| format!("community {community}")));
        f.write_str(&words.join(" "))
    }
}
