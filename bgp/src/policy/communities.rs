//! Communities of three kinds as people write them, with and without wildcards.
//!
//! `65000:100`, `no-export` · `65000:1:2` · `rt:65000:100`, `soo:10.0.0.1:7`, `0x0102…`. In a
//! pattern any number may be `*`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::attrs::AttrSet;
use crate::wire::community::{Community, ExtendedCommunity, LargeCommunity};

/// A community of any kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AnyCommunity {
    /// RFC 1997.
    Standard(Community),
    /// RFC 8092.
    Large(LargeCommunity),
    /// RFC 4360.
    Extended(ExtendedCommunity),
}

/// Communities that are meant: all whose bits under the mask are those of the value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CommunityPattern {
    /// Standard ones.
    Standard {
        /// Which bits count.
        mask: u32,
        /// What they are.
        value: u32,
    },
    /// Large ones; `None`: any number.
    Large([Option<u32>; 3]),
    /// Extended ones.
    Extended {
        /// Which bits count.
        mask: u64,
        /// What they are.
        value: u64,
    },
}

/// Why a text is no community: for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotCommunity(pub String);

impl fmt::Display for NotCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotCommunity {}

/// The kind's octet in an extended community but for its bits of transitivity and authority
/// (RFC 4360 §2), which wildcards do not ask for.
const KIND: u64 = 0x3f;

impl CommunityPattern {
    /// The one community that is meant, if it is one.
    pub fn exact(self) -> Option<AnyCommunity> {
        match self {
            CommunityPattern::Standard { mask: u32::MAX, value } => {
                Some(AnyCommunity::Standard(Community(value)))
            }
            CommunityPattern::Large([Some(global), Some(data1), Some(data2)]) => {
                Some(AnyCommunity::Large(LargeCommunity { global, data1, data2 }))
            }
            CommunityPattern::Extended { mask: u64::MAX, value } => {
                Some(AnyCommunity::Extended(ExtendedCommunity(value.to_be_bytes())))
            }
            _ => None,
        }
    }

    /// Whether a standard one is meant.
    #[inline]
    pub fn standard(self, community: Community) -> bool {
        matches!(self, CommunityPattern::Standard { mask, value } if community.0 & mask == value)
    }

    /// Whether a large one is meant.
    #[inline]
    pub fn large(self, community: LargeCommunity) -> bool {
        let LargeCommunity { global, data1, data2 } = community;
        let CommunityPattern::Large(parts) = self else { return false };
        parts.iter().zip([global, data1, data2]).all(|(part, n)| part.is_none_or(|p| p == n))
    }

    /// Whether an extended one is meant.
    #[inline]
    pub fn extended(self, community: ExtendedCommunity) -> bool {
        let bits = u64::from_be_bytes(community.0);
        matches!(self, CommunityPattern::Extended { mask, value } if bits & mask == value)
    }

    /// Whether one that a route carries is meant.
    pub fn is_in(self, attrs: &AttrSet) -> bool {
        match self {
            CommunityPattern::Standard { .. } => {
                attrs.communities().iter().any(|c| self.standard(c))
            }
            CommunityPattern::Large(_) => attrs.large_communities().iter().any(|c| self.large(c)),
            CommunityPattern::Extended { .. } => {
                attrs.extended_communities().iter().any(|c| self.extended(c))
            }
        }
    }
}

impl From<AnyCommunity> for CommunityPattern {
    fn from(community: AnyCommunity) -> CommunityPattern {
        match community {
            AnyCommunity::Standard(Community(value)) => {
                CommunityPattern::Standard { mask: u32::MAX, value }
            }
            AnyCommunity::Large(LargeCommunity { global, data1, data2 }) => {
                CommunityPattern::Large([Some(global), Some(data1), Some(data2)])
            }
            AnyCommunity::Extended(ExtendedCommunity(octets)) => {
                CommunityPattern::Extended { mask: u64::MAX, value: u64::from_be_bytes(octets) }
            }
        }
    }
}

impl FromStr for AnyCommunity {
    type Err = NotCommunity;

    fn from_str(text: &str) -> Result<AnyCommunity, NotCommunity> {
        let wrong = || NotCommunity(format!("`{text}` is not one community but many"));
        text.parse::<CommunityPattern>()?.exact().ok_or_else(wrong)
    }
}

/// One part of a pattern: a number up to `most`, or any.
fn part(text: &str, most: u32) -> Result<Option<u32>, NotCommunity> {
    if text == "*" {
        return Ok(None);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u32>().ok().filter(|_| digits) {
        Some(number) if number <= most => Ok(Some(number)),
        Some(number) => Err(NotCommunity(format!("{number} is more than {most}"))),
        None => Err(NotCommunity(format!("`{text}` is no number that fits"))),
    }
}

impl FromStr for CommunityPattern {
    type Err = NotCommunity;

    fn from_str(text: &str) -> Result<CommunityPattern, NotCommunity> {
        if let Some(known) = Community::named(text) {
            return Ok(AnyCommunity::Standard(known).into());
        }
        if let Some(digits) = text.strip_prefix("0x") {
            let value = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16);
            let wrong = || NotCommunity(format!("`{text}` has not sixteen hexadecimal digits"));
            return Ok(CommunityPattern::Extended {
                mask: u64::MAX,
                value: value.ok_or_else(wrong)?,
            });
        }
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["rt", admin, number] => extended(2, admin, number),
            ["soo", admin, number] => extended(3, admin, number),
            [high, low] => {
                let (high, low) = (part(high, 0xffff)?, part(low, 0xffff)?);
                let half = |n: Option<u32>| n.map_or((0, 0), |n| (0xffff, n));
                let ((high_mask, high), (low_mask, low)) = (half(high), half(low));
                let (mask, value) = (high_mask << 16 | low_mask, high << 16 | low);
                Ok(CommunityPattern::Standard { mask, value })
            }
            [global, data1, data2] => {
                let number = |text: &&str| part(text, u32::MAX);
                Ok(CommunityPattern::Large([number(global)?, number(data1)?, number(data2)?]))
            }
            _ => Err(NotCommunity(format!("`{text}` is no community"))),
        }
    }
}

/// `rt:` and `soo:` (RFC 4360 §3 to §5): of a two-octet AS, an IPv4 address, a four-octet AS.
fn extended(subtype: u64, admin: &str, number: &str) -> Result<CommunityPattern, NotCommunity> {
    // The octets: kind, subtype, then six of value.
    let (kind, admin, shift, most) = match admin.parse::<Ipv4Addr>() {
        Ok(address) => (1, Some(u64::from(u32::from(address))), 16, 0xffff),
        Err(_) => match part(admin, u32::MAX)? {
            Some(asn @ 0..=0xffff) => (0, Some(u64::from(asn)), 32, u32::MAX),
            Some(asn) => (2, Some(u64::from(asn)), 16, 0xffff),
            None => (0, None, 32, u32::MAX),
        },
    };
    let number = part(number, most)?.map(u64::from);
    if let (Some(admin), Some(number)) = (admin, number) {
        let value = kind << 56 | subtype << 48 | admin << shift | number;
        return Ok(CommunityPattern::Extended { mask: u64::MAX, value });
    }
    if let (None, Some(_)) = (admin, number) {
        // Where the number lies depends on the kind.
        return Err(NotCommunity("a number of any AS cannot be asked for".to_owned()));
    }
    // `rt:65000:*`, or `rt:*:*` of the three kinds.
    let (mut mask, mut value) = ((KIND & !3) << 56 | 0xff << 48, subtype << 48);
    if let Some(admin) = admin {
        mask |= KIND << 56 | (0xffff_ffff_ffff >> shift << shift);
        value |= kind << 56 | admin << shift;
    }
    Ok(CommunityPattern::Extended { mask, value })
}

impl fmt::Display for AnyCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyCommunity::Standard(community) => community.fmt(f),
            AnyCommunity::Large(community) => community.fmt(f),
            AnyCommunity::Extended(community) => community.fmt(f),
        }
    }
}

impl fmt::Display for CommunityPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(one) = self.exact() {
            return one.fmt(f);
        }
        let star = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
        match *self {
            CommunityPattern::Standard { mask, value } => {
                let high = (mask >> 16 != 0).then_some(value >> 16);
                let low = (mask & 0xffff != 0).then_some(value & 0xffff);
                write!(f, "{}:{}", star(high), star(low))
            }
            CommunityPattern::Large([global, data1, data2]) => {
                write!(f, "{}:{}:{}", star(global), star(data1), star(data2))
            }
            CommunityPattern::Extended { mask, value } => {
                let word = if value >> 48 & 0xff == 2 { "rt" } else { "soo" };
                let admin = match (mask & 0xffff_ffff_ffff, value >> 56) {
                    (0, _) => "*".to_owned(),
                    (_, 1) => Ipv4Addr::from((value >> 16) as u32).to_string(),
                    (_, 2) => ((value >> 16) as u32).to_string(),
                    _ => (value >> 32 & 0xffff).to_string(),
                };
                write!(f, "{word}:{admin}:*")
            }
        }
    }
}

#[cfg(test)]
mod tests;
