//! How a node chooses, limits and originates routes, as the file says it.

use std::fmt;

use ipnet::IpNet;
use starling_bgp::msg::{LimitAction, Originated, PrefixLimit};

/// How routes are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// So many equal paths are used at most.
    pub max_paths: u8,
    /// MULTI_EXIT_DISC is compared between routes of different neighbouring ASes too.
    pub always_compare_med: bool,
    /// LOCAL_PREF carries the kernel's metric, as Calico has it since 3.32.
    pub metric_from_local_pref: bool,
}

impl Default for Choice {
    /// One path, as the RFC has it.
    fn default() -> Choice {
        Choice { max_paths: 1, always_compare_med: false, metric_from_local_pref: false }
    }
}

/// What a neighbour may do beyond sending routes that the import allows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Allowance {
    /// How many prefixes it may send (IPv4, IPv6).
    pub limits: [Option<PrefixLimit>; 2],
    /// Its routes with the BLACKHOLE community discard what matches them (RFC 7999).
    pub blackhole: bool,
}

/// In the words of the file: `ipv4 1000, warn`.
pub(crate) struct Limits(pub(crate) [Option<PrefixLimit>; 2]);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.0.iter().zip(["ipv4", "ipv6"]);
        let words: Vec<String> = limits
            .filter_map(|(limit, family)| {
                let PrefixLimit { max, action } = (*limit)?;
                Some(match action {
                    LimitAction::Warn => format!("{family} {max}, warn"),
                    LimitAction::Drop => format!("{family} {max}, drop"),
                    LimitAction::Close { restart: Some(restart) } => {
                        format!("{family} {max}, close for {restart:?}")
                    }
                    LimitAction::Close { restart: None } => format!("{family} {max}, close"),
                })
            })
            .collect();
        f.write_str(if words.is_empty() { "none" } else { "" })?;
        f.write_str(&words.join("; "))
    }
}

/// What a node originates: its blocks, or what they make together, and its networks.
///
/// A prefix is made of blocks only if they fill it: nothing is announced that is not there. The
/// blocks keep their blackholes, whatever is announced.
pub(crate) fn originated(
    blocks: &[IpNet],
    networks: &[Originated],
    aggregate: bool,
) -> Vec<Originated> {
    let mut all: Vec<Originated> = Vec::new();
    if aggregate {
        let whole = IpNet::aggregate(&blocks.to_vec());
        let made = whole.iter().filter(|net| !blocks.contains(net));
        all.extend(made.map(|net| Originated { prefix: *net, announce: true, blackhole: false }));
        all.extend(blocks.iter().map(|block| {
            let announce = whole.contains(block);
            Originated { prefix: *block, announce, blackhole: true }
        }));
    } else {
        all.extend(blocks.iter().map(|block| Originated::from(*block)));
    }
    all.extend(networks);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_fill_a_prefix_are_announced_as_it() {
        let nets = |list: &[&str]| list.iter().map(|n| n.parse().unwrap()).collect::<Vec<IpNet>>();
        let announced = |blocks: &[&str], aggregate| {
            let all = originated(&nets(blocks), &[], aggregate);
            let blackholes: Vec<IpNet> =
                all.iter().filter(|o| o.blackhole).map(|o| o.prefix).collect();
            assert_eq!(blackholes, nets(blocks));
            let announced = all.iter().filter(|o| o.announce);
            announced.map(|o| o.prefix.to_string()).collect::<Vec<_>>()
        };
        let four = ["10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26", "10.1.0.192/26"];
        assert_eq!(announced(&four, false), four);
        assert_eq!(announced(&four, true), ["10.1.0.0/24"]);
        // Three of four: what is not there is not announced.
        assert_eq!(announced(&four[..3], true), ["10.1.0.0/25", "10.1.0.128/26"]);
        // Neighbours, but of two halves.
        assert_eq!(announced(&four[1..3], true), four[1..3]);
        assert_eq!(
            announced(&["fd00::/64", "10.1.0.0/26", "fd00:0:0:1::/64"], true),
            ["fd00::/63", "10.1.0.0/26"]
        );
    }
}
