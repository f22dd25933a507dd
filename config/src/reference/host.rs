//! What becomes of the node's own host: `[kernel]`, `[tunnel]`, `[pods]`, `[isolation]`.

use super::Reload::{Live, Restart};
use super::Value::{Either, Flag, List, Number, OneOrList, Text, Word};
use super::Without::{As, Is, None};
use super::{DAY, MOST, NAMES, Table, key, kinds, number, time};

pub(super) const KERNEL: &Table = &Table {
    what: "[kernel]",
    about: "The routes in the node's kernel. Another protocol, table or metric: the routes are written \
            under their new key before those under the old one go.",
    keys: &[
        key(
            "protocol",
            Either(&[Word(&["bird", "bgp"]), Number { least: 5, most: 255 }]),
            Is("\"bird\""),
            "\"bgp\"",
            Live,
            "Their rtm_protocol: 12, 186, or a number, not 9 or 16. Every route of it in the table is \
             taken for our own. 80 is Felix's.",
        ),
        key(
            "table",
            Either(&[Word(&["main"]), Number { least: 1, most: MOST }]),
            Is("\"main\""),
            "100",
            Live,
            "Their table; `\"main\"` is 254, 255 is the kernel's own. It may be that of a VRF.",
        ),
        key("metric", number(0, MOST), Is("0"), "1024", Live, "Their metric."),
        key(
            "policy",
            NAMES,
            None("none: everything enters"),
            "\"into-kernel\"",
            Live,
            "Each `[[policy]]` that is asked about what enters the kernel.",
        ),
        key(
            "metric-from-local-pref",
            Flag,
            Is("false"),
            "true",
            Live,
            "The metric is 2147483647 less LOCAL_PREF, as Calico 3.32 has it, and own routes are \
             announced with 2147483647 less `metric`.",
        ),
        key(
            "audit",
            time(0, DAY),
            Is("\"60s\""),
            "\"5m\"",
            Live,
            "So often the whole table is compared with what the kernel's news told. `\"0s\"`: only \
             when asked.",
        ),
        key(
            "hold-pools",
            Word(&["destinations", "pools", "nothing"]),
            Is("\"destinations\""),
            "\"pools\"",
            Live,
            "What must not fall to the default route: what is announced in a pool and cannot be \
             reached; the rest of the pools too; nothing.",
        ),
        key(
            "nexthop-objects",
            Flag,
            Is("false"),
            "true",
            Live,
            "Routes share their next hops in the kernel (Linux 5.3).",
        ),
        key(
            "netns",
            Text(kinds::NETNS),
            None("that in which it is started"),
            "\"blue\"",
            Restart,
            "The network namespace that the daemon works in, by its name in `ip netns` or by path.",
        ),
    ],
};

pub(super) const TUNNEL: &Table = &Table {
    what: "[tunnel]",
    about: "The IPIP device.",
    keys: &[
        key("device", Text(kinds::DEVICE), Is("\"tunl0\""), "\"tunl1\"", Live, "Its name."),
        key(
            "mtu",
            number(576, 65515),
            None("the MTU of the node's interface less 20"),
            "1400",
            Live,
            "Its MTU, in octets.",
        ),
        key(
            "manage",
            Flag,
            Is("true"),
            "false",
            Live,
            "It is made and set up. `false`: somebody else does that, it is only used.",
        ),
    ],
};

pub(super) const PODS: &Table = &Table {
    what: "[pods]",
    about: "Pods of this node, known by their routes: a /32 or /128 without a gateway, that somebody \
            else wrote.",
    keys: &[
        key(
            "interfaces",
            List(&Text(kinds::DEVICES)),
            Is("[\"cali*\"]"),
            "[\"veth*\", \"lxc*\"]",
            Live,
            "The interfaces that lead to pods; `*` is any characters.",
        ),
        key(
            "protocols",
            OneOrList(&Either(&[
                Word(&["any", "boot", "static", "kernel"]),
                Number { least: 1, most: 255 },
            ])),
            Is("[\"boot\", \"static\", 80]"),
            "\"any\"",
            Live,
            "The rtm_protocols of their routes. Not our own.",
        ),
        key(
            "announce",
            Word(&["borrowed", "all", "none"]),
            Is("\"borrowed\""),
            "\"all\"",
            Live,
            "Which of them neighbours are told, beside the blocks: those in no block of this node, \
             all, none.",
        ),
    ],
};

pub(super) const ISOLATION: &Table = &Table {
    what: "[isolation]",
    about: "When most neighbours fall silent at once, it is this node that is cut off: it keeps what \
            they announced.",
    keys: &[
        key(
            "keep",
            time(0, DAY),
            As("`restart-time` of `[cluster]`", "\"120s\""),
            "\"5m\"",
            Live,
            "For how long. `\"0s\"`: off.",
        ),
        key(
            "percent",
            number(1, 99),
            Is("50"),
            "80",
            Live,
            "More than so many percent of the neighbours are most of them.",
        ),
        key(
            "peers",
            number(2, 65535),
            Is("3"),
            "5",
            Live,
            "With fewer neighbours nobody can tell who is cut off.",
        ),
    ],
};
