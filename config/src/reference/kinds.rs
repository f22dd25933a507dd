//! Strings that stand for something: what they are, in the words of the errors about them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use starling_bgp::policy::{AnyCommunity, CommunityPattern, Glob, PathRegex, PrefixPattern, Range};

use crate::policy::Who;
use crate::reader::Scalar;
use crate::value::{
    CommunityWord, Device, DevicePattern, HostAddress, KeyFile, LocalAddress, Name, Netns,
    NextHopWord, PeerAddress, PrefixWord, RouterId,
};

/// A kind of string.
#[derive(Debug)]
pub struct Kind {
    /// What it is called here, with its article.
    pub name: &'static str,
    /// What is right.
    pub expected: &'static str,
    /// A regular expression that every such string matches, for editors; none: it would say too
    /// little.
    pub pattern: Option<&'static str>,
}

const fn kind<T: Scalar>(name: &'static str) -> Kind {
    Kind { name, expected: T::EXPECTED, pattern: None }
}

const fn formed<T: Scalar>(name: &'static str, pattern: &'static str) -> Kind {
    Kind { name, expected: T::EXPECTED, pattern: Some(pattern) }
}

const ADDRESSES: &str = "^[0-9A-Fa-f.:]+$";
const WITH_LENGTH: &str = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$";
const PERHAPS_WITH_LENGTH: &str = "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$";
const FOUR_OCTETS: &str = "^[0-9]{1,3}(\\.[0-9]{1,3}){3}$";

pub(super) const NAME: &Kind = &formed::<Name>("a name", "^\\S+$");
pub(super) const ADDRESS: &Kind = &formed::<IpAddr>("an address", ADDRESSES);
pub(super) const ADDRESS_IPV4: &Kind = &formed::<Ipv4Addr>("an IPv4 address", FOUR_OCTETS);
pub(super) const HOST_ADDRESS: &Kind =
    &formed::<HostAddress>("an address of the node", PERHAPS_WITH_LENGTH);
pub(super) const PEER_ADDRESS: &Kind =
    &formed::<PeerAddress>("an address of the router", "^[0-9A-Fa-f.:]+(%[^/:\\s]+|/[0-9]{1,3})?$");
pub(super) const LOCAL_ADDRESS: &Kind =
    &formed::<LocalAddress>("an address of our own", "^(any|[0-9A-Fa-f.:]+)$");
pub(super) const SOCKET_ADDRESS: &Kind =
    &formed::<SocketAddr>("an address with a port", "^[^\\s]+:[0-9]{1,5}$");
pub(super) const ROUTER_ID: &Kind = &formed::<RouterId>("a BGP identifier", FOUR_OCTETS);
pub(super) const PREFIX: &Kind = &formed::<IpNet>("a prefix", WITH_LENGTH);
pub(super) const PATH: &Kind = &formed::<PathBuf>("an absolute path", "^/");
pub(super) const KEY_FILE: &Kind = &formed::<KeyFile>("a file with a key", "^.+$");
pub(super) const DEVICE: &Kind = &formed::<Device>("an interface", "^[^/:\\s]{1,15}$");
pub(super) const DEVICES: &Kind = &formed::<DevicePattern>("interfaces by name", "^[^/:\\s]+$");
pub(super) const INTERFACE: &Kind = &formed::<Glob>("an interface by name", "^[^/\\s]{1,31}$");
pub(super) const NETNS: &Kind = &formed::<Netns>("a network namespace", "^.+$");
pub(super) const PREFIX_PATTERN: &Kind = &kind::<PrefixPattern>("prefixes");
pub(super) const PREFIX_WORD: &Kind = &kind::<PrefixWord>("prefixes or their name");
pub(super) const COMMUNITY: &Kind = &kind::<AnyCommunity>("a community");
pub(super) const COMMUNITIES: &Kind = &kind::<CommunityPattern>("communities");
pub(super) const COMMUNITY_WORD: &Kind = &kind::<CommunityWord>("communities or their name");
pub(super) const WHO: &Kind = &formed::<Who>("neighbours", "^\\S+$");
pub(super) const NEXT_HOP: &Kind = &formed::<NextHopWord>("a next hop", PERHAPS_WITH_LENGTH);
pub(super) const RANGE: &Kind =
    &formed::<Range>("a range of numbers", "^(ge [0-9]+|le [0-9]+|ge [0-9]+ le [0-9]+)$");
pub(super) const REGEX: &Kind = &kind::<PathRegex>("a regular expression");
pub(super) const PATTERN: &Kind = &Kind {
    name: "a pattern of files",
    expected: "a path such as \"nodes.d/*.toml\": ? is any character, * any number of them, [a-c] one of these",
    pattern: None,
};

/// Every kind.
pub const KINDS: &[&Kind] = &[
    NAME,
    ADDRESS,
    ADDRESS_IPV4,
    HOST_ADDRESS,
    PEER_ADDRESS,
    LOCAL_ADDRESS,
    SOCKET_ADDRESS,
    ROUTER_ID,
    PREFIX,
    PATH,
    KEY_FILE,
    DEVICE,
    DEVICES,
    INTERFACE,
    NETNS,
    PREFIX_PATTERN,
    PREFIX_WORD,
    COMMUNITY,
    COMMUNITIES,
    COMMUNITY_WORD,
    WHO,
    NEXT_HOP,
    RANGE,
    REGEX,
    PATTERN,
];
