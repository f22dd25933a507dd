//! `[cluster]`.

use super::Reload::{Anew, Judged, Live, Neighbours};
use super::Value::{Either, Flag, Number, Text, Word};
use super::Without::{As, Is, Needed, None};
use super::{
    ASN, DAY, Key, MOST, NAMES, SECOND, Table, Value, key, kinds, number, peer, seconds, time,
};

pub(super) const CLUSTER: &Table = &Table {
    what: "[cluster]",
    about: "What all nodes have in common. Its settings of sessions, from `graceful-restart` on, are \
            those of the mesh, and of each `[[peer]]` that says nothing else.",
    keys: KEYS,
};

pub(super) const ADD_PATHS: Value = Word(&["none", "receive", "send", "both"]);
pub(super) const GRACEFUL_RESTART: Value = Either(&[Flag, Word(&["helper"])]);
pub(super) const LIMITS: Value =
    Either(&[Number { least: 1, most: MOST }, Value::Table(peer::MAX_PREFIXES)]);

const KEYS: &[Key] = &[
    key(
        "asn",
        ASN,
        Needed,
        "64512",
        Anew,
        "The AS of the nodes. Private numbers are 64512 to 65534 and from 4200000000; 23456 and 65535 \
         are reserved.",
    ),
    key(
        "mesh",
        Flag,
        As("`true` without `[reflector]`, `false` with it", "true"),
        "false",
        Neighbours,
        "Every node peers with every other. `true` beside `[reflector]` keeps the mesh as well, for \
         the time of a change from one to the other.",
    ),
    key(
        "router-id",
        Word(&["address", "name"]),
        Is("\"address\""),
        "\"name\"",
        Anew,
        "What BGP identifiers are made from: the node's IPv4 address, or its name. Without an IPv4 \
         address it is always the name.",
    ),
    key(
        "import-policy",
        NAMES,
        None("none"),
        "\"from-nodes\"",
        Judged,
        "Each `[[policy]]` that is asked about what nodes send, one after the other.",
    ),
    key(
        "export-policy",
        NAMES,
        None("none"),
        "\"to-all\"",
        Judged,
        "Each `[[policy]]` that is asked about what nodes are sent.",
    ),
    key(
        "password-file",
        Text(kinds::KEY_FILE),
        None("none: segments are not signed"),
        "\"mesh.key\"",
        Anew,
        "The file with the key of TCP MD5 (RFC 2385) between the nodes: 1 to 80 octets, perhaps a \
         newline. Relative to the file that names it, and watched as that is.",
    ),
    key(
        "max-paths",
        number(1, 64),
        Is("1"),
        "4",
        Live,
        "So many equal paths carry traffic at most.",
    ),
    key(
        "always-compare-med",
        Flag,
        Is("false"),
        "true",
        Live,
        "MULTI_EXIT_DISC is compared between paths through different neighbouring ASes too.",
    ),
    key(
        "max-prefixes",
        LIMITS,
        None("no limit"),
        "10000",
        Judged,
        "So many prefixes of a family each other node may send, filtered or not. A number alone is \
         for both families and warns.",
    ),
    key(
        "aggregate",
        Flag,
        Is("false"),
        "true",
        Live,
        "Blocks of a node that fill a shorter prefix together are announced as that one.",
    ),
    key(
        "graceful-restart",
        GRACEFUL_RESTART,
        Is("true"),
        "\"helper\"",
        Anew,
        "Graceful restart (RFC 4724, 8538). `\"helper\"`: only for neighbours that restart; `false`: \
         not at all.",
    ),
    key(
        "restart-time",
        seconds(1, 4095),
        Is("\"120s\""),
        "\"5m\"",
        Anew,
        "So long neighbours keep our routes while this node's daemon is away.",
    ),
    key(
        "long-lived",
        seconds(0, 86_400),
        Is("\"0s\""),
        "\"1h\"",
        Anew,
        "So long after `restart-time` they keep them yet, as the last choice (RFC 9494). `\"0s\"`: not.",
    ),
    key(
        "extended-messages",
        Flag,
        Is("true"),
        "false",
        Anew,
        "Messages of up to 65535 octets are offered (RFC 8654).",
    ),
    key(
        "extended-next-hop",
        Flag,
        Is("false"),
        "true",
        Anew,
        "IPv4 routes may have IPv6 next hops (RFC 8950).",
    ),
    key(
        "add-paths",
        ADD_PATHS,
        Is("\"none\""),
        "\"receive\"",
        Anew,
        "Several paths for a prefix (RFC 7911): which way they are offered.",
    ),
    key(
        "add-path-limit",
        number(1, 65535),
        Is("4"),
        "8",
        Judged,
        "So many paths for a prefix are sent at most, where several are.",
    )
    .beside(&[("add-paths", "\"send\"")]),
    key(
        "allow-own-as",
        number(0, 255),
        Is("0"),
        "1",
        Judged,
        "So often the own AS may be in a received AS_PATH. More often is a loop, and counts as \
         withdrawn.",
    ),
    key(
        "first-as",
        Flag,
        Is("true"),
        "false",
        Judged,
        "A path from eBGP must begin with the neighbour's AS.",
    ),
    key(
        "idle-hold",
        time(0, DAY),
        Is("\"1s\""),
        "\"10s\"",
        Live,
        "So long a neighbour is left alone after its first error, neither called nor let in; twice \
         that after the next, and so on. `\"0s\"`: never.",
    ),
    key(
        "idle-hold-max",
        time(0, DAY),
        None("`connect-retry`"),
        "\"5m\"",
        Live,
        "And so long at most. Not less than `idle-hold`.",
    ),
    key(
        "send-hold",
        time(3 * SECOND, DAY),
        None("`\"8m\"`, or twice the hold time where that is longer"),
        "\"10m\"",
        Live,
        "A neighbour that takes nothing for so long, while something waits for it, is given up (RFC \
         9687).",
    ),
];
