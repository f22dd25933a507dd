//! Communities of three kinds (RFC 1997, RFC 4360, RFC 8092): views of an attribute's value and
//! the ways people write them.

use std::fmt;
use std::net::Ipv4Addr;

/// A standard community (RFC 1997).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Community(pub u32);

impl Community {
    /// Please depreference: the route is about to go (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// Stale for long: the least preferred of all (RFC 9494 §4.3).
    pub const LLGR_STALE: Community = Community(0xffff_0006);
    /// Not to be kept once it is stale for long (RFC 9494 §4.2).
    pub const NO_LLGR: Community = Community(0xffff_0007);
    /// Drop traffic to this destination (RFC 7999).
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    /// Not outside the AS (or confederation).
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    /// Not to any other speaker.
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
    /// Not to any external peer, members of the confederation included.
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);
    /// Not across bilateral peerings (RFC 3765).
    pub const NOPEER: Community = Community(0xffff_ff04);

    /// The registered ones and their names.
    const NAMES: [(Community, &str); 8] = [
        (Community::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Community::LLGR_STALE, "llgr-stale"),
        (Community::NO_LLGR, "no-llgr"),
        (Community::BLACKHOLE, "blackhole"),
        (Community::NO_EXPORT, "no-export"),
        (Community::NO_ADVERTISE, "no-advertise"),
        (Community::NO_EXPORT_SUBCONFED, "no-export-subconfed"),
        (Community::NOPEER, "no-peer"),
    ];

    fn name(self) -> Option<&'static str> {
        Community::NAMES.iter().find(|(known, _)| *known == self).map(|(_, name)| *name)
    }

    /// The registered one of that name.
    pub fn named(name: &str) -> Option<Community> {
        Community::NAMES.iter().find(|(_, known)| *known == name).map(|(community, _)| *community)
    }

    /// The names of the registered ones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Community::NAMES.iter().map(|(_, name)| *name)
    }
}

/// The registered name, or `65001:100`.
impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

/// A large community (RFC 8092).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LargeCommunity {
    /// The AS that gives it meaning.
    pub global: u32,
    /// Its first number.
    pub data1: u32,
    /// Its second number.
    pub data2: u32,
}

/// `65001:1:2` (RFC 8092 §4).
impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.data1, self.data2)
    }
}

/// An extended community (RFC 4360): type, subtype where the type has one, value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// Whether it crosses AS boundaries (RFC 4360 §2: the T bit is clear).
    pub fn is_transitive(self) -> bool {
        self.0[0] & 0x40 == 0
    }
}

/// `rt:65001:100` and `soo:…` for targets and origins, `0x…` for others.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, a, b, c, d, e, g] = self.0;
        let word = match subtype {
            2 => "rt",
            3 => "soo",
            _ => return write!(f, "{:#018x}", u64::from_be_bytes(self.0)),
        };
        match kind & !0x40 {
            // Two-octet AS, IPv4 address, four-octet AS (RFC 4360 §3.1 and §3.2, RFC 5668).
            0 => write!(
                f,
                "{word}:{}:{}",
                u16::from_be_bytes([a, b]),
                u32::from_be_bytes([c, d, e, g])
            ),
            1 => write!(f, "{word}:{}:{}", Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, g])),
            2 => write!(
                f,
                "{word}:{}:{}",
                u32::from_be_bytes([a, b, c, d]),
                u16::from_be_bytes([e, g])
            ),
            _ => write!(f, "{:#018x}", u64::from_be_bytes(self.0)),
        }
    }
}

macro_rules! views {
    ($( $(#[$doc:meta])* $view:ident of $item:ident, $octets:literal octets, $from:expr; )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct $view<'a>(&'a [u8]);

        impl<'a> $view<'a> {
            /// A view of an attribute's value; a surplus at its end is ignored.
            pub fn new(value: &'a [u8]) -> $view<'a> {
                $view(value)
            }

            /// They, in wire order.
            pub fn iter(self) -> impl ExactSizeIterator<Item = $item> + 'a {
                let (items, _) = self.0.as_chunks::<$octets>();
                items.iter().map($from)
            }

            /// Whether there is none.
            pub fn is_empty(self) -> bool {
                self.0.len() < $octets
            }

            /// Whether `wanted` is among them.
            pub fn contains(self, wanted: $item) -> bool {
                self.iter().any(|item| item == wanted)
            }
        }

        /// They, separated by spaces.
        impl fmt::Display for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, item) in self.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    item.fmt(f)?;
                }
                Ok(())
            }
        }
    )*};
}

views! {
    /// The value of COMMUNITIES.
    Communities of Community, 4 octets, |octets| Community(u32::from_be_bytes(*octets));
    /// The value of EXTENDED_COMMUNITIES.
    ExtendedCommunities of ExtendedCommunity, 8 octets, |octets| ExtendedCommunity(*octets);
    /// The value of LARGE_COMMUNITIES.
    LargeCommunities of LargeCommunity, 12 octets, |octets| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *octets;
        LargeCommunity {
            global: u32::from_be_bytes([a, b, c, d]),
            data1: u32::from_be_bytes([e, f, g, h]),
            data2: u32::from_be_bytes([i, j, k, l]),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_read_as_people_write_them() {
        let value = [0xff, 0xff, 0xff, 0x01, 0xfd, 0xe9, 0, 100, 0xff, 0xff, 2, 0x9a];
        let view = Communities::new(&value);
        assert_eq!(view.to_string(), "no-export 65001:100 blackhole");
        assert!(view.contains(Community::NO_EXPORT));
        assert!(!view.contains(Community::NO_ADVERTISE));
        assert!(Communities::default().is_empty());
    }

    #[test]
    fn large_communities_are_three_numbers() {
        let value = [0, 0, 0xfd, 0xe9, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(LargeCommunities::new(&value).to_string(), "65001:1:4294967295");
    }

    #[test]
    fn extended_communities_name_targets_and_origins() {
        let value = [
            0, 2, 0xfd, 0xe9, 0, 0, 0, 100, // two-octet AS
            1, 3, 10, 0, 0, 1, 0, 7, // IPv4 address
            2, 2, 0, 3, 0x0d, 0x40, 0, 9, // four-octet AS
            0x43, 0, 0, 0, 0, 0, 0, 1, // something else, not transitive
        ];
        let view = ExtendedCommunities::new(&value);
        assert_eq!(view.to_string(), "rt:65001:100 soo:10.0.0.1:7 rt:200000:9 0x4300000000000001");
        let transitive: Vec<bool> = view.iter().map(ExtendedCommunity::is_transitive).collect();
        assert_eq!(transitive, [true, true, true, false]);
    }
}
