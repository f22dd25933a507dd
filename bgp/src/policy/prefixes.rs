//! Sets of prefixes with ranges of lengths, fast with thousands of members.
//!
//! A pattern says a network and which lengths inside it are meant. Networks are nested or
//! disjoint, so the patterns that cover a prefix are the longest of them and those around it:
//! each entry holds the lengths of all patterns from the outermost one to its own, and one
//! binary search (then a walk outwards) answers for all.

use std::fmt;

use ipnet::IpNet;

use crate::types::{Family, Prefix};

/// A network and the lengths that are meant: prefixes inside it, `min..=max` bits long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PrefixPattern {
    net: IpNet,
    min: u8,
    max: u8,
}

impl PrefixPattern {
    /// The network itself.
    pub fn exact(net: IpNet) -> PrefixPattern {
        let net = net.trunc();
        PrefixPattern { net, min: net.prefix_len(), max: net.prefix_len() }
    }

    /// The network and everything inside it.
    pub fn or_longer(net: IpNet) -> PrefixPattern {
        let net = net.trunc();
        PrefixPattern { net, min: net.prefix_len(), max: net.max_prefix_len() }
    }

    /// What is inside the network and `min..=max` bits long; `None` if nothing can be.
    pub fn within(net: IpNet, min: u8, max: u8) -> Option<PrefixPattern> {
        let net = net.trunc();
        let fits = net.prefix_len() <= min && min <= max && max <= net.max_prefix_len();
        fits.then_some(PrefixPattern { net, min, max })
    }

    /// The network.
    pub fn net(&self) -> IpNet {
        self.net
    }

    /// Whether all that `other` means is meant.
    pub fn covers(&self, other: &PrefixPattern) -> bool {
        self.net.contains(&other.net) && self.min <= other.min && other.max <= self.max
    }

    /// Whether a prefix is meant, the obvious way.
    pub fn contains<P: Prefix>(&self, prefix: P) -> bool {
        (self.min..=self.max).contains(&prefix.len()) && self.net.contains(&prefix.net())
    }
}

/// `10.0.0.0/8`, `10.0.0.0/8 or longer`, `10.0.0.0/8 ge 16 le 24`.
impl fmt::Display for PrefixPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PrefixPattern { net, min, max } = *self;
        let (least, most) = (net.prefix_len(), net.max_prefix_len());
        write!(f, "{net}")?;
        match (min == least, max == most) {
            (true, _) if max == least => Ok(()),
            (true, true) => f.write_str(" or longer"),
            (true, false) => write!(f, " le {max}"),
            (false, true) => write!(f, " ge {min}"),
            (false, false) => write!(f, " ge {min} le {max}"),
        }
    }
}

/// What any of several patterns means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PrefixSet {
    v4: Nets,
    v6: Nets,
    words: String,
}

/// How many patterns are listed for people.
const SHOWN: usize = 6;

impl PrefixSet {
    /// The set of these patterns, called by what they say.
    pub fn new(patterns: &[PrefixPattern]) -> PrefixSet {
        let mut words: Vec<String> = patterns.iter().take(SHOWN).map(|p| p.to_string()).collect();
        if let Some(more @ 1..) = patterns.len().checked_sub(SHOWN) {
            words.push(format!("{more} more"));
        }
        PrefixSet::called(words.join(", "), patterns)
    }

    /// The set of these patterns, called `words`.
    pub fn called(words: String, patterns: &[PrefixPattern]) -> PrefixSet {
        let of = |family| {
            let mine = patterns
                .iter()
                .filter(|p| matches!(p.net, IpNet::V4(_)) == (family == Family::Ipv4));
            Nets::new(mine)
        };
        PrefixSet { v4: of(Family::Ipv4), v6: of(Family::Ipv6), words }
    }

    /// Whether a prefix is in it.
    #[inline]
    pub fn contains<P: Prefix>(&self, prefix: P) -> bool {
        match P::FAMILY {
            Family::Ipv4 => self.v4.contains(prefix.bits(), prefix.len()),
            Family::Ipv6 => self.v6.contains(prefix.bits(), prefix.len()),
        }
    }
}

/// What it is called.
impl fmt::Display for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The patterns of one family.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Nets {
    /// By address, then length: a network comes before what is inside it.
    entries: Vec<Entry>,
    /// The default route itself is meant: the one length that has no bit.
    default: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    bits: u128,
    len: u8,
    /// Bit `n - 1`: prefixes of `n` bits in here are meant, by this pattern or one around it.
    lengths: u128,
    /// The next network around this one.
    around: Option<u32>,
}

/// The bits of lengths `min..=max`.
fn lengths(min: u8, max: u8) -> u128 {
    let up_to = |n: u8| u128::MAX.checked_shr(128 - u32::from(n)).unwrap_or(0);
    up_to(max) & !up_to(min.saturating_sub(1))
}

fn mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

impl Entry {
    fn covers(&self, bits: u128, len: u8) -> bool {
        self.len <= len && (bits ^ self.bits) & mask(self.len) == 0
    }
}

impl Nets {
    fn new<'a>(patterns: impl Iterator<Item = &'a PrefixPattern>) -> Nets {
        let mut nets = Nets::default();
        let mut said: Vec<(u128, u8, u128)> = Vec::new();
        for PrefixPattern { net, min, max } in patterns {
            nets.default |= *min == 0;
            let bits = match net {
                IpNet::V4(net) => u128::from(u32::from(net.network())) << 96,
                IpNet::V6(net) => u128::from(net.network()),
            };
            said.push((bits, net.prefix_len(), lengths(*min, *max)));
        }
        said.sort_unstable();
        // The networks around the one at hand, the innermost last.
        let mut open: Vec<u32> = Vec::new();
        for (bits, len, own) in said {
            while let Some(last) = open.last()
                && !nets.entry(*last).is_some_and(|e| e.covers(bits, len))
            {
                open.pop();
            }
            let around = open.last().copied();
            let outer = around.and_then(|n| nets.entries.get_mut(n as usize));
            let inherited = outer.as_ref().map_or(0, |e| e.lengths) & lengths(len, 128);
            if own & !inherited == 0 {
                continue;
            }
            match outer {
                Some(same) if same.len == len => same.lengths |= own,
                _ => {
                    open.push(u32::try_from(nets.entries.len()).unwrap_or(u32::MAX));
                    nets.entries.push(Entry { bits, len, lengths: own | inherited, around });
                }
            }
        }
        nets
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)
    }

    #[inline]
    fn contains(&self, bits: u128, len: u8) -> bool {
        let Some(bit) = len.checked_sub(1) else { return self.default };
        // What covers the prefix is the last entry that is not after it, or around that one.
        let after = self.entries.partition_point(|e| (e.bits, e.len) <= (bits, len));
        let mut at = after.checked_sub(1).and_then(|n| self.entries.get(n));
        while let Some(entry) = at {
            if entry.covers(bits, len) {
                return entry.lengths >> bit & 1 == 1;
            }
            at = entry.around.and_then(|n| self.entry(n));
        }
        false
    }
}

#[cfg(test)]
mod tests;
