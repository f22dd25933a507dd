//! How the daemon itself works: `[timers]`, `[bgp]`, `[bfd]`, `[http]`, `[metrics]`, `[control]`.

use super::Reload::{Anew, Live, Restart};
use super::Value::{Either, Flag, List, OneOrList, Text, Word};
use super::Without::{Is, None};
use super::peer::{BFD_INTERVAL, CONNECT_RETRY, HOLD};
use super::{DAY, Table, key, kinds, number, time};

pub(super) const TIMERS: &Table = &Table {
    what: "[timers]",
    about: "Timers of all sessions. A `[[peer]]` may have its own.",
    keys: &[
        key(
            "hold",
            HOLD,
            Is("\"90s\""),
            "\"30s\"",
            Anew,
            "A neighbour that is silent for so long is lost; the smaller offer of both ends counts, and \
             keepalives go three times as often. `\"0s\"`: never.",
        ),
        key(
            "connect-retry",
            CONNECT_RETRY,
            Is("\"5s\""),
            "\"30s\"",
            Live,
            "The mean time between attempts to connect; jitter comes to it.",
        ),
        key(
            "settle",
            time(0, DAY),
            Is("\"90s\""),
            "\"3m\"",
            Live,
            "So long routes that a predecessor left in the kernel wait for a neighbour that announces \
             them again.",
        ),
    ],
};

pub(super) const BGP: &Table = &Table {
    what: "[bgp]",
    about: "Where BGP is spoken.",
    keys: &[
        key(
            "port",
            number(1, 65535),
            Is("179"),
            "1790",
            Restart,
            "The TCP port of all nodes: on it this one listens, and calls the others.",
        ),
        key(
            "listen",
            Either(&[Word(&["all", "node"]), List(&Text(kinds::ADDRESS))]),
            Is("\"all\""),
            "\"node\"",
            Restart,
            "On all addresses of the host, on the node's, or on these; `[]`: nowhere. One that is not \
             there yet is listened on from when it is.",
        ),
    ],
};

pub(super) const BFD: &Table = &Table {
    what: "[bfd]",
    about: "BFD between the nodes (RFC 5880, multihop). It changes without touching BGP.",
    keys: &[
        key("enabled", Flag, Is("true"), "false", Live, "There is BFD between the nodes."),
        key(
            "interval",
            BFD_INTERVAL,
            Is("\"300ms\""),
            "\"500ms\"",
            Live,
            "How often packets go, and may come: at least so; a node sends 500 a second at most, all \
             sessions together.",
        ),
        key(
            "multiplier",
            number(1, 255),
            Is("3"),
            "5",
            Live,
            "So many intervals of silence are a loss.",
        ),
    ],
};

pub(super) const HTTP: &Table = &Table {
    what: "[http]",
    about: "The read-only API, the probes, the metrics and the page, over TCP.",
    keys: &[key(
        "listen",
        OneOrList(&Text(kinds::SOCKET_ADDRESS)),
        None("none"),
        "[\"127.0.0.1:9179\"]",
        Restart,
        "Where. With `\"0.0.0.0:9179\"` nodes ask each other: `bgpctl why --both`, `show mesh`.",
    )],
};

pub(super) const METRICS: &Table = &Table {
    what: "[metrics]",
    about: "What `/metrics` tells.",
    keys: &[key(
        "per-peer",
        Either(&[Flag, Word(&["auto"])]),
        Is("\"auto\""),
        "true",
        Live,
        "Neighbours one by one, or (`false`) added up by kind; `\"auto\"`: one by one where there are at \
         most 100.",
    )],
};

pub(super) const CONTROL: &Table = &Table {
    what: "[control]",
    about: "The Unix sockets.",
    keys: &[
        key(
            "socket",
            Text(kinds::PATH),
            Is("\"/run/starling/control.sock\""),
            "\"/run/starling/blue.sock\"",
            Restart,
            "Where `bgpctl` finds the daemon; 107 octets at most.",
        ),
        key(
            "readers",
            Text(kinds::NAME),
            None("none"),
            "\"starling-read\"",
            Restart,
            "The group of users who may look, over `read.sock` beside the socket.",
        ),
        key(
            "bird",
            Text(kinds::PATH),
            None("none"),
            "\"/var/run/calico/bird.ctl\"",
            Restart,
            "Where BIRD's tools find BIRD's language for IPv4.",
        ),
        key(
            "bird6",
            Text(kinds::PATH),
            None("none"),
            "\"/var/run/calico/bird6.ctl\"",
            Restart,
            "And for IPv6.",
        ),
    ],
};
