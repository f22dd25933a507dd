//! `[[peer]]`: routers that are no nodes.

use super::Reload::{Anew, Judged, Live, Neighbours};
use super::Value::{Either, Flag, Labels, List, Number, Text, Word};
use super::Without::{As, Is, Needed, None};
use super::cluster::{ADD_PATHS, GRACEFUL_RESTART, LIMITS};
use super::{
    ASN, DAY, Key, MOST, NAMES, SECOND, Span, Table, Value, key, kinds, number, seconds, time,
};

pub(super) const PEER: &Table = &Table {
    what: "[[peer]]",
    about: "A router that is no node, or a range of addresses from which such may call.",
    keys: KEYS,
};

/// 0, or whole seconds that OPEN can carry.
pub(super) const HOLD: Value =
    Value::Time(Span { least: 3 * SECOND, most: 65535 * SECOND, zero: true, whole: true });
pub(super) const CONNECT_RETRY: Value = time(100, 3600 * SECOND);
pub(super) const BFD_INTERVAL: Value = time(10, 60 * SECOND);

const KEYS: &[Key] = &[
    key(
        "name",
        Text(kinds::NAME),
        As("its address", "\"10.1.5.1\""),
        "\"gw0\"",
        Live,
        "Its name for people and for `bgpctl`; no node has the same.",
    ),
    key(
        "address",
        Text(kinds::PEER_ADDRESS),
        Needed,
        "\"10.1.5.1\"",
        Neighbours,
        "Where it is. A link-local one with its link: `\"fe80::1%eth0\"`. A range, `\"10.9.0.0/16\"`, \
         dials nobody: whoever calls from it, with an AS that `asn` allows, becomes a neighbour.",
    ),
    key(
        "asn",
        Either(&[ASN, List(&ASN), Word(&["external"])]),
        Needed,
        "65000",
        Anew,
        "Its AS: that of the node makes it iBGP, any other eBGP. Of a range also several, or \
         `\"external\"`: any but the node's.",
    ),
    key(
        "nodes",
        Either(&[Labels, List(&Text(kinds::NAME))]),
        None("every node"),
        "[\"server2\"]",
        Neighbours,
        "Who peers with it: the nodes with all of these labels, or these by name.",
    ),
    key(
        "import",
        List(&Text(kinds::PREFIX)),
        None("nothing from eBGP (RFC 8212); from iBGP what lies in the pools"),
        "[\"0.0.0.0/0\"]",
        Judged,
        "What may come from it, with all that lies inside; from iBGP beside the pools.",
    ),
    key(
        "import-policy",
        NAMES,
        None("none"),
        "[\"from-gw0\"]",
        Judged,
        "Each `[[policy]]` that is asked about what comes from it, before `import`.",
    ),
    key(
        "export",
        Word(&["own", "all"]),
        Is("\"own\""),
        "\"all\"",
        Judged,
        "What goes to it: the node's own blocks and networks, or also what is best here; to iBGP of \
         that what eBGP brought.",
    ),
    key(
        "export-policy",
        NAMES,
        None("none"),
        "\"to-all\"",
        Judged,
        "Each `[[policy]]` that is asked about what goes to it, before `export`.",
    ),
    key(
        "next-hop",
        Word(&["auto", "self", "keep"]),
        Is("\"auto\""),
        "\"self\"",
        Judged,
        "The NEXT_HOP that it is told: ours, but for what is reflected; ours, also there; as it came.",
    ),
    key(
        "route-reflector-client",
        Flag,
        Is("false"),
        "true",
        Judged,
        "It is a client of the nodes that peer with it: what iBGP brought goes to it and from it (RFC \
         4456). For a router in the AS of the nodes.",
    )
    .beside(&[("asn", "64512")]),
    key(
        "default-route",
        Flag,
        Is("false"),
        "true",
        Judged,
        "It is told a default route, whatever routes there are.",
    ),
    key(
        "drain",
        Flag,
        Is("false"),
        "true",
        Judged,
        "Traffic is taken off it while the session stays (GRACEFUL_SHUTDOWN, RFC 8326).",
    ),
    key(
        "best-external",
        Flag,
        None("`true` for iBGP with `export = \"all\"`"),
        "false",
        Judged,
        "Where the best route may not be told to it, it is told the best of those that may.",
    ),
    key(
        "passive",
        Flag,
        Is("false"),
        "true",
        Live,
        "It is not called but waited for. A range always is.",
    ),
    key("port", number(1, 65535), Is("179"), "1179", Live, "Its TCP port, where we call."),
    key(
        "families",
        List(&Word(&["ipv4", "ipv6"])),
        As("that of its address", "[\"ipv4\"]"),
        "[\"ipv4\", \"ipv6\"]",
        Anew,
        "Whose routes the session carries.",
    ),
    key(
        "local-address",
        Text(kinds::LOCAL_ADDRESS),
        None("the node's address of the family"),
        "\"any\"",
        Anew,
        "Our end of the session. `\"any\"`: what the kernel chooses. An address is one node's: pick \
         that with `nodes`.",
    ),
    key(
        "interface",
        Text(kinds::DEVICE),
        None("any; of a link-local address the one behind `%`"),
        "\"eth0\"",
        Anew,
        "Packets of the session go and come by this interface alone.",
    ),
    key(
        "bfd",
        Either(&[Flag, Value::Table(BFD)]),
        Is("false"),
        "{ interval = \"100ms\", multiplier = 5 }",
        Live,
        "BFD with it (RFC 5880); both ends must have it alike. `true`: with the defaults of the table.",
    ),
    key(
        "password-file",
        Text(kinds::KEY_FILE),
        None("none: segments are not signed"),
        "\"gw0.key\"",
        Anew,
        "The file with the key of TCP MD5 (RFC 2385): 1 to 80 octets, perhaps a newline. Relative to \
         the file that names it.",
    ),
    key(
        "tcp-ao",
        Value::Table(TCP_AO),
        None("none"),
        "{ key-file = \"leaf.key\", send-id = 1, receive-id = 2 }",
        Anew,
        "TCP-AO (RFC 5925) in the place of TCP MD5. It takes Linux 6.7 with CONFIG_TCP_AO; without \
         that the neighbour is neither called nor heard.",
    ),
    key(
        "ttl-security",
        number(1, 254),
        None("no matter how far away"),
        "1",
        Anew,
        "So many hops away at most (GTSM, RFC 5082): both ends send with TTL 255. Not beside \
         `multihop`.",
    ),
    key(
        "multihop",
        number(1, 255),
        None("the kernel's TTL"),
        "2",
        Anew,
        "Our packets get so many hops far.",
    ),
    key("hold", HOLD, As("that of `[timers]`", "\"90s\""), "\"30s\"", Anew, "As in `[timers]`."),
    key(
        "connect-retry",
        CONNECT_RETRY,
        As("that of `[timers]`", "\"5s\""),
        "\"30s\"",
        Live,
        "As in `[timers]`.",
    ),
    key(
        "limit",
        number(1, 10_000),
        As("100, of a range", "100"),
        "20",
        Live,
        "So many neighbours of the range at a time.",
    )
    .beside(&[("address", "\"10.9.0.0/16\"")]),
    key(
        "max-prefixes",
        LIMITS,
        None("no limit"),
        "{ ipv4 = 1000, action = \"close\", restart = \"5m\" }",
        Judged,
        "So many prefixes of a family it may send, filtered or not. A number alone is for both \
         families and warns.",
    ),
    key(
        "blackhole-community",
        Flag,
        Is("false"),
        "true",
        Judged,
        "Its routes with the community BLACKHOLE (RFC 7999) discard what matches them.",
    ),
    key(
        "role",
        Word(&["provider", "customer", "peer", "rs-server", "rs-client"]),
        None("not said"),
        "\"customer\"",
        Anew,
        "What we are to it (RFC 9234). With a role, leaked routes are filtered. For eBGP.",
    ),
    key(
        "strict-role",
        Flag,
        Is("false"),
        "true",
        Anew,
        "Who does not say his own role is refused.",
    )
    .beside(&[("role", "\"customer\"")]),
    key("graceful-restart", GRACEFUL_RESTART, OF_CLUSTER_TRUE, "false", Anew, AS_IN_CLUSTER),
    key(
        "restart-time",
        seconds(1, 4095),
        As("that of `[cluster]`", "\"120s\""),
        "\"5m\"",
        Anew,
        AS_IN_CLUSTER,
    ),
    key(
        "long-lived",
        seconds(0, 86_400),
        As("that of `[cluster]`", "\"0s\""),
        "\"1h\"",
        Anew,
        AS_IN_CLUSTER,
    ),
    key("extended-messages", Flag, OF_CLUSTER_TRUE, "false", Anew, AS_IN_CLUSTER),
    key(
        "extended-next-hop",
        Flag,
        As("that of `[cluster]`; between link-local addresses `true`", "false"),
        "true",
        Anew,
        AS_IN_CLUSTER,
    ),
    key(
        "add-paths",
        ADD_PATHS,
        As("that of `[cluster]`", "\"none\""),
        "\"both\"",
        Anew,
        AS_IN_CLUSTER,
    ),
    key(
        "add-path-limit",
        number(1, 65535),
        As("that of `[cluster]`", "4"),
        "8",
        Judged,
        AS_IN_CLUSTER,
    )
    .beside(&[("add-paths", "\"both\"")]),
    key("allow-own-as", number(0, 255), As("that of `[cluster]`", "0"), "1", Judged, AS_IN_CLUSTER),
    key(
        "first-as",
        Flag,
        OF_CLUSTER_TRUE,
        "false",
        Judged,
        "As in `[cluster]`. `false` for a route server (RFC 7947).",
    ),
    key(
        "idle-hold",
        time(0, DAY),
        As("that of `[cluster]`", "\"1s\""),
        "\"10s\"",
        Live,
        AS_IN_CLUSTER,
    ),
    key(
        "idle-hold-max",
        time(0, DAY),
        None("that of `[cluster]`, or `connect-retry`"),
        "\"5m\"",
        Live,
        AS_IN_CLUSTER,
    ),
    key(
        "send-hold",
        time(3 * SECOND, DAY),
        None("that of `[cluster]`"),
        "\"10m\"",
        Live,
        AS_IN_CLUSTER,
    ),
];

const AS_IN_CLUSTER: &str = "As in `[cluster]`, of this neighbour.";
const OF_CLUSTER_TRUE: super::Without = As("that of `[cluster]`", "true");

const BFD: &Table = &Table {
    what: "bfd",
    about: "`bfd` of a `[[peer]]`, where it is more than `true`. The interval grows where a node has \
            many sessions.",
    keys: &[
        key(
            "interval",
            BFD_INTERVAL,
            Is("\"300ms\""),
            "\"100ms\"",
            Live,
            "How often packets go, and may come.",
        )
        .beside(&[("multiplier", "5")]),
        key(
            "multiplier",
            number(1, 255),
            Is("3"),
            "5",
            Live,
            "So many intervals of silence are a loss.",
        ),
        key(
            "multihop",
            Flag,
            As(
                "`true` where the session may take several hops: `multihop` or `ttl-security` above 1",
                "false",
            ),
            "true",
            Live,
            "UDP port 4784 (RFC 5883) in the place of 3784, which is for one hop with TTL 255 (RFC \
             5881).",
        ),
        key(
            "min-ttl",
            number(1, 255),
            As("1: some routers send ordinary TTLs", "1"),
            "250",
            Live,
            "Packets with a lower TTL are not believed. For `multihop`.",
        )
        .beside(&[("multihop", "true")]),
    ],
};

const TCP_AO: &Table = &Table {
    what: "tcp-ao",
    about: "A key of TCP-AO. The other end has the same with the identifiers swapped.",
    keys: &[
        key(
            "key-file",
            Text(kinds::KEY_FILE),
            Needed,
            "\"leaf.key\"",
            Anew,
            "The file with the master key: 1 to 80 octets, perhaps a newline.",
        ),
        key(
            "algorithm",
            Word(&["hmac-sha-1-96", "aes-128-cmac-96"]),
            Is("\"hmac-sha-1-96\""),
            "\"aes-128-cmac-96\"",
            Anew,
            "What makes traffic keys and signatures of it (RFC 5926).",
        ),
        key("send-id", number(0, 255), Needed, "1", Anew, "The KeyID of what we send."),
        key("receive-id", number(0, 255), Needed, "2", Anew, "The KeyID of what comes."),
    ],
};

pub(super) const MAX_PREFIXES: &Table = &Table {
    what: "max-prefixes",
    about: "`max-prefixes`, where it is more than a number. One family at least.",
    keys: &[
        key(
            "ipv4",
            Number { least: 1, most: MOST },
            None("no limit"),
            "1000",
            Judged,
            "So many of IPv4.",
        ),
        key(
            "ipv6",
            Number { least: 1, most: MOST },
            None("no limit"),
            "1000",
            Judged,
            "So many of IPv6.",
        ),
        key(
            "action",
            Word(&["warn", "drop", "close"]),
            Is("\"warn\""),
            "\"drop\"",
            Judged,
            "What happens to more: it is said, once; it is kept as filtered and used when there is \
             room; the session ends (Cease 6/1).",
        )
        .beside(&[("ipv4", "1000")]),
        key(
            "restart",
            time(0, DAY),
            None("when the operator says so"),
            "\"5m\"",
            Judged,
            "When a session that was closed for it begins again.",
        )
        .beside(&[("ipv4", "1000"), ("action", "\"close\"")]),
    ],
};
