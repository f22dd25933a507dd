//! What a node originates, in the control API.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use starling_bgp::attrs;
use starling_bgp::msg::Carried;
use starling_bgp::policy::AnyCommunity;

use super::{ApiError, Lookup, Origin};

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

/// As often a `[[policy]]` may put our AS in front.
const MOST_PREPENDED: u8 = 25;
/// More would crowd out the prefixes of a message.
const MOST_COMMUNITIES: usize = 64;

impl NetworkAttributes {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == NetworkAttributes::default()
    }

    /// Takes one more, by its name and its value in words.
    ///
    /// # Errors
    /// Where the value makes no sense; `None` where there is no attribute of that name.
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), ApiError>> {
        fn number<T: FromStr>(name: &str, value: &str) -> Result<Option<T>, ApiError> {
            let number = value.parse().map_err(|_| ());
            let wrong = |()| ApiError::new(format!("{name} {value} is no number that fits"));
            number.map(Some).map_err(wrong)
        }
        Some(match name {
            "med" => number(name, value).map(|med| self.med = med),
            "local-pref" => number(name, value).map(|pref| self.local_pref = pref),
            "prepend" => prepend(value).map(|times| self.prepend = Some(times)),
            "origin" => origin(value).map(|origin| self.origin = Some(origin)),
            "community" => community(value).and_then(|community| {
                if !self.communities.contains(&community) {
                    self.communities.push(community);
                }
                match self.communities.len() {
                    0..=MOST_COMMUNITIES => Ok(()),
                    _ => Err(ApiError::new(format!(
                        "a network carries {MOST_COMMUNITIES} communities at most"
                    ))),
                }
            }),
            _ => return None,
        })
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

/// Reads prefixes that are to be originated, a line of prefixes with what they all carry:
/// `10.50.0.0/16 10.51.0.0/16 med 50 community 65000:1`. `#` begins a comment.
///
/// # Errors
/// What is wrong with the first bad word, and in which line.
pub fn lines(text: &str) -> Result<Vec<NetworkLine>, ApiError> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        let at = |e: ApiError| ApiError { error: format!("line {number}: {}", e.error), ..e };
        read(words, &mut all).map_err(at)?;
    }
    Ok(all)
}

/// One line.
fn read<'a>(
    words: impl Iterator<Item = &'a str>,
    all: &mut Vec<NetworkLine>,
) -> Result<(), ApiError> {
    let (mut prefixes, mut attributes) = (Vec::new(), NetworkAttributes::default());
    let (mut words, mut named) = (words, false);
    while let Some(word) = words.next() {
        let is_name = NAMES.contains(&word);
        if !is_name && !named {
            prefixes.push(prefix(word)?);
            continue;
        }
        named = true;
        let value = words.next().filter(|_| is_name);
        let taken = value.and_then(|value| attributes.take(word, value));
        taken.ok_or_else(|| match is_name {
            true => ApiError::new(format!("`{word}` has no value")),
            false => ApiError::new(format!("`{word}` is no attribute"))
                .hint(format!("behind the prefixes there are {}", NAMES.join(", "))),
        })??;
    }
    if named && prefixes.is_empty() {
        return Err(ApiError::new(format!("`{attributes}` is of no prefix"))
            .hint("a line is 10.50.0.0/16 med 50 community 65000:1"));
    }
    let line = |prefix| NetworkLine { prefix, attributes: attributes.clone() };
    all.extend(prefixes.into_iter().map(line));
    Ok(())
}

/// The attributes that a line may have.
const NAMES: [&str; 5] = ["med", "local-pref", "origin", "prepend", "community"];

/// Reads a prefix that is to be originated.
///
/// # Errors
/// What is wrong with it: no length, bits behind its length, no prefix at all.
pub fn prefix(text: &str) -> Result<IpNet, ApiError> {
    match text.parse()? {
        Lookup::Prefix(prefix) => Ok(prefix),
        Lookup::Address(address) => Err(ApiError::new(format!("`{address}` has no length"))
            .hint("a prefix looks like 10.50.0.0/16 or fd00:50::/64")),
    }
}

/// Reads a community of any kind, and writes it as it is shown.
///
/// # Errors
/// Where it is none, or many.
pub fn community(text: &str) -> Result<String, ApiError> {
    let read: Result<AnyCommunity, _> = text.parse();
    read.map(|community| community.to_string()).map_err(|e| {
        ApiError::new(e.0).hint("one looks like 65000:1, 65000:1:2, rt:65000:1 or no-export")
    })
}

/// Reads an ORIGIN.
///
/// # Errors
/// Where there is none of that name.
pub fn origin(text: &str) -> Result<Origin, ApiError> {
    match text {
        "igp" => Ok(Origin::Igp),
        "egp" => Ok(Origin::Egp),
        "incomplete" => Ok(Origin::Incomplete),
        _ => Err(ApiError::new(format!("origin is igp, egp or incomplete, not `{text}`"))),
    }
}

/// Reads how often our AS is put in front.
///
/// # Errors
/// Where it is not possible so often.
pub fn prepend(text: &str) -> Result<u8, ApiError> {
    let times = text.parse().ok().filter(|times| (1..=MOST_PREPENDED).contains(times));
    times.ok_or_else(|| {
        ApiError::new(format!("our AS is put in front 1 to {MOST_PREPENDED} times, not {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_prefixes_and_comments() {
        let text = "# ours\n10.50.0.0/16 fd00:50::/64\n\n  10.51.0.0/16# lent\r\n";
        let found: Vec<String> =
            lines(text).unwrap().iter().map(|line| line.prefix.to_string()).collect();
        assert_eq!(found, ["10.50.0.0/16", "fd00:50::/64", "10.51.0.0/16"]);
        assert_eq!(lines(" # nothing\n"), Ok(vec![]));
        for (text, says) in [
            ("10.0.0.0/8\n10.0.0.1", "line 2: `10.0.0.1` has no length"),
            ("10.0.0.1/8", "line 1: 10.0.0.1/8 has bits set behind its length"),
            ("\n\nten", "line 3: `ten` is not an address"),
        ] {
            assert_eq!(lines(text).unwrap_err().error, says);
        }
    }

    #[test]
    fn what_a_line_carries_all_its_prefixes_carry() {
        let text = "10.50.0.0/16 10.51.0.0/16 med 50 community 65000:1 origin egp prepend 2\n\
                    10.52.0.0/16\nfd00::/64 local-pref 4294967295 community no-export \
                    community 65000:1:2 community no-export";
        let all = lines(text).unwrap();
        let said: Vec<String> = all.iter().map(|line| line.attributes.to_string()).collect();
        let both = "med 50 origin egp prepend 2 community 65000:1";
        let last = "local-pref 4294967295 community no-export community 65000:1:2";
        assert_eq!(said, [both, both, "", last]);
        // As it is written it is read again, and so is what the Rib was given.
        for line in &all {
            assert_eq!(
                lines(&format!("{} {}", line.prefix, line.attributes)),
                Ok(vec![line.clone()])
            );
            let carried = line.attributes.carried().unwrap();
            assert_eq!(carried.is_none(), line.attributes.is_empty());
            let back = carried.as_ref().map(NetworkAttributes::from).unwrap_or_default();
            assert_eq!(back, line.attributes);
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, says) in [
            ("10.0.0.0/8 med", "`med` has no value"),
            ("10.0.0.0/8 med -1", "med -1 is no number that fits"),
            ("10.0.0.0/8 local-pref 4294967296", "local-pref 4294967296 is no number that fits"),
            ("10.0.0.0/8 origin bgp", "origin is igp, egp or incomplete, not `bgp`"),
            ("10.0.0.0/8 prepend 26", "our AS is put in front 1 to 25 times, not 26"),
            ("10.0.0.0/8 community 65000:*", "`65000:*` is not one community but many"),
            ("10.0.0.0/8 med 1 10.1.0.0/16", "`10.1.0.0/16` is no attribute"),
            ("10.0.0.0/8 weight 7", "`weight` is not an address"),
            ("med 7", "`med 7` is of no prefix"),
        ] {
            let error = lines(text).unwrap_err().error;
            assert_eq!(error, format!("line 1: {says}"));
        }
        let many: String = (0..65).map(|n| format!(" community 65000:{n}")).collect();
        let error = lines(&format!("10.0.0.0/8{many}")).unwrap_err().error;
        assert!(error.contains("64 communities at most"), "{error}");
    }
}
