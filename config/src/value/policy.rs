//! The words of policies: prefixes with ranges, communities, whom a route is from, what is set.

use ipnet::IpNet;
use starling_bgp::msg::Encapsulation;
use starling_bgp::policy::{
    AnyCommunity, CommunityPattern, Glob, MedChange, NextHopChange, PathRegex, PrefixPattern, Range,
};
use starling_bgp::types::Family;
use starling_bgp::wire::community::Community;
use toml::de::DeValue;

use super::{Name, one_of, text, unsigned};
use crate::policy::Who;
use crate::reader::{Scalar, Wrong, nearest};
use crate::source::shown;

/// One of the prefixes that a rule asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PrefixWord {
    /// It is written out.
    Pattern(PrefixPattern),
    /// `pools`: every pool and what is inside.
    Pools,
    /// `own-blocks`: the node's own blocks and what is inside.
    OwnBlocks,
    /// A `[[prefix-set]]`.
    Set(String),
}

impl Scalar for PrefixWord {
    const EXPECTED: &'static str = "a prefix such as \"10.0.0.0/8\", \"10.0.0.0/8 or longer\" or \
                                    \"10.0.0.0/8 ge 16 le 24\", \"pools\", \"own-blocks\", or the \
                                    name of a [[prefix-set]]";
    fn read(value: &DeValue<'_>) -> Result<PrefixWord, Wrong> {
        let said = text(value)?;
        Ok(match said {
            "pools" => PrefixWord::Pools,
            "own-blocks" => PrefixWord::OwnBlocks,
            _ if said.contains(['/', ':', ' ']) || said.parse::<std::net::IpAddr>().is_ok() => {
                PrefixWord::Pattern(PrefixPattern::read(value)?)
            }
            _ => PrefixWord::Set(Name::read(value)?.0),
        })
    }
}

impl Scalar for PrefixPattern {
    const EXPECTED: &'static str = "a prefix such as \"10.0.0.0/8\", \"10.0.0.0/8 or longer\" or \
                                    \"10.0.0.0/8 ge 16 le 24\"";
    fn read(value: &DeValue<'_>) -> Result<PrefixPattern, Wrong> {
        let said = text(value)?;
        let words: Vec<&str> = said.split_whitespace().collect();
        let (first, range) = words.split_first().unwrap_or((&"", &[]));
        if let Some(net) = first.strip_suffix('+').filter(|_| range.is_empty()) {
            return Err(Wrong::new(format!("`{}` is not a prefix", shown(said)))
                .hint(format!("what is inside too is \"{} or longer\"", shown(net))));
        }
        let net = IpNet::read(&DeValue::String((*first).into()))?;
        let no_range = || {
            Wrong::new(format!("`{}` is no range of lengths", shown(&range.join(" "))))
                .hint("\"or longer\", \"ge 16\", \"le 24\" or \"ge 16 le 24\"")
        };
        let number = |word: &str| word.parse::<u8>().map_err(|_| no_range());
        let (least, most) = (net.prefix_len(), net.max_prefix_len());
        let (min, max) = match range {
            [] => return Ok(PrefixPattern::exact(net)),
            ["or", "longer"] | ["orlonger"] => return Ok(PrefixPattern::or_longer(net)),
            ["ge", min] => (number(min)?, most),
            ["le", max] => (least, number(max)?),
            ["ge", min, "le", max] => (number(min)?, number(max)?),
            _ => return Err(no_range()),
        };
        PrefixPattern::within(net, min, max).ok_or_else(|| {
            let what = if max > most {
                format!("{net} holds prefixes of {least} to {most} bits, not {max}")
            } else if min < least {
                format!("nothing in {net} is shorter than {least} bits, so not {min}")
            } else if max < least {
                format!("nothing in {net} is shorter than {least} bits, so not up to {max}")
            } else {
                format!("no length is {min} or more and {max} or less")
            };
            Wrong::new(what)
        })
    }
}

/// One of the communities that a rule asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum CommunityWord {
    Pattern(CommunityPattern),
    /// A `[[community-set]]`.
    Set(String),
}

impl Scalar for CommunityWord {
    const EXPECTED: &'static str = "a community such as \"65000:100\", \"65000:*\", \"65000:1:2\", \
                                    \"rt:65000:1\" or \"no-export\", or the name of a \
                                    [[community-set]]";
    fn read(value: &DeValue<'_>) -> Result<CommunityWord, Wrong> {
        let said = text(value)?;
        if said.contains(':') || said.starts_with("0x") || Community::named(said).is_some() {
            return CommunityPattern::read(value).map(CommunityWord::Pattern);
        }
        Name::read(value).map(|name| CommunityWord::Set(name.0))
    }
}

/// What is near a misspelt community.
fn near_community(said: &str) -> Option<String> {
    nearest(said, Community::names()).map(|near| format!("did you mean \"{near}\"?"))
}

impl Scalar for CommunityPattern {
    const EXPECTED: &'static str = "a community such as \"65000:100\", \"65000:*\", \"65000:1:2\", \
                                    \"rt:65000:1\" or \"no-export\"";
    fn read(value: &DeValue<'_>) -> Result<CommunityPattern, Wrong> {
        let said = text(value)?;
        said.parse().map_err(|_| {
            // The library's words hold what was said; here it is cut and escaped.
            let hint = near_community(said);
            Wrong { hint, ..Wrong::new(format!("`{}` is no community", shown(said))) }
        })
    }
}

impl Scalar for AnyCommunity {
    const EXPECTED: &'static str =
        "a community such as \"65000:100\", \"65000:1:2\", \"rt:65000:1\" or \"no-export\"";
    fn read(value: &DeValue<'_>) -> Result<AnyCommunity, Wrong> {
        let pattern = CommunityPattern::read(value)?;
        pattern
            .exact()
            .ok_or_else(|| Wrong::new(format!("{pattern} is not one community but many")))
    }
}

impl Scalar for Who {
    const EXPECTED: &'static str =
        "\"mesh\", \"peer\", \"local\", \"ibgp\", \"ebgp\", or the name of a node or peer";
    fn read(value: &DeValue<'_>) -> Result<Who, Wrong> {
        Ok(match text(value)? {
            "mesh" => Who::Mesh,
            "peer" => Who::Peer,
            "local" => Who::Local,
            "ibgp" => Who::Ibgp,
            "ebgp" => Who::Ebgp,
            _ => Who::Named(Name::read(value)?.0),
        })
    }
}

impl Scalar for Range {
    const EXPECTED: &'static str = "a number, or \"ge 3\", \"le 5\" or \"ge 3 le 5\"";
    fn read(value: &DeValue<'_>) -> Result<Range, Wrong> {
        let Some(said) = value.as_str() else {
            let number = u32::read(value)?;
            return Ok(Range { min: number, max: number });
        };
        let no_range = || Wrong::new(format!("`{}` is no range", shown(said)));
        let number = |word: &str| word.parse::<u32>().map_err(|_| no_range());
        let words: Vec<&str> = said.split_whitespace().collect();
        let (min, max) = match words.as_slice() {
            ["ge", min] => (number(min)?, u32::MAX),
            ["le", max] => (0, number(max)?),
            ["ge", min, "le", max] => (number(min)?, number(max)?),
            [one] if one.parse::<u32>().is_ok() => {
                return Err(no_range().hint(format!("write it without quotes: {one}")));
            }
            _ => return Err(no_range()),
        };
        match min <= max {
            true => Ok(Range { min, max }),
            false => Err(Wrong::new(format!("no number is {min} or more and {max} or less"))),
        }
    }
}

/// A next hop that a rule asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NextHopWord(pub(crate) PrefixPattern);

impl Scalar for NextHopWord {
    const EXPECTED: &'static str = "an address such as \"10.1.5.10\", or a prefix that holds it";
    fn read(value: &DeValue<'_>) -> Result<NextHopWord, Wrong> {
        let net = match text(value)?.parse::<std::net::IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => IpNet::read(value)?,
        };
        Ok(NextHopWord(PrefixPattern::or_longer(net)))
    }
}

impl Scalar for Glob {
    const EXPECTED: &'static str = "an interface's name, * for any characters: \"cali*\"";
    fn read(value: &DeValue<'_>) -> Result<Glob, Wrong> {
        let said = text(value)?;
        let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
        // Names have 15 characters at most; each may have a star before it.
        if said.is_empty() || said.contains(odd) || said.chars().count() > 31 {
            return Err(Wrong::new(format!("no interface has a name like `{}`", shown(said))));
        }
        Ok(Glob(said.to_owned()))
    }
}

impl Scalar for PathRegex {
    const EXPECTED: &'static str =
        "an expression such as \"^65001_\" over \"65001 65002 {65003,65004}\"";
    fn read(value: &DeValue<'_>) -> Result<PathRegex, Wrong> {
        let said = text(value)?;
        PathRegex::new(said)
            .map_err(|why| Wrong::new(format!("`{}` is no regular expression: {why}", shown(said))))
    }
}

/// What a rule says of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    Accept,
    Reject,
}

impl Scalar for Then {
    const EXPECTED: &'static str = "\"accept\" or \"reject\"";
    fn read(value: &DeValue<'_>) -> Result<Then, Wrong> {
        one_of(value, &[("accept", Then::Accept), ("reject", Then::Reject)])
    }
}

impl Scalar for MedChange {
    const EXPECTED: &'static str = "a number, or \"none\" to take it away";
    fn read(value: &DeValue<'_>) -> Result<MedChange, Wrong> {
        match value.as_str() {
            Some("none") => Ok(MedChange::Remove),
            _ => u32::read(value).map(MedChange::Is),
        }
    }
}

impl Scalar for NextHopChange {
    const EXPECTED: &'static str = "\"self\", \"keep\", or an address";
    fn read(value: &DeValue<'_>) -> Result<NextHopChange, Wrong> {
        match value.as_str() {
            Some("self") => Ok(NextHopChange::Own),
            Some("keep") => Ok(NextHopChange::Keep),
            _ => std::net::IpAddr::read(value).map(NextHopChange::Is),
        }
    }
}

impl Scalar for Encapsulation {
    const EXPECTED: &'static str = "\"always\", \"never\" or \"by-pool\"";
    fn read(value: &DeValue<'_>) -> Result<Encapsulation, Wrong> {
        let words = [
            ("always", Encapsulation::Always),
            ("never", Encapsulation::Never),
            ("by-pool", Encapsulation::ByPool),
        ];
        one_of(value, &words)
    }
}

/// How often our own AS is put in front.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times(pub(crate) u8);

impl Scalar for Times {
    const EXPECTED: &'static str =
        "how often our own AS is put in front, 1 to 25, or an array of AS numbers";
    fn read(value: &DeValue<'_>) -> Result<Times, Wrong> {
        let number = unsigned(value, u64::from(u32::MAX))?;
        match u8::try_from(number) {
            Ok(times @ 1..=25) => Ok(Times(times)),
            _ => Err(Wrong::new(format!("{number} times is not possible"))
                .hint(format!("to put AS {number} in front: prepend = [{number}]"))),
        }
    }
}

/// The family of a pattern, for those that contradict `family`.
pub(crate) fn family_of_pattern(pattern: &PrefixPattern) -> Family {
    match pattern.net() {
        IpNet::V4(_) => Family::Ipv4,
        IpNet::V6(_) => Family::Ipv6,
    }
}
