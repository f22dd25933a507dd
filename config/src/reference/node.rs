//! `[[pool]]`, `[[node]]` and `[reflector]`: the cluster's plan of addresses.

use super::Reload::{Anew, Depends, Judged, Live, Neighbours};
use super::Value::{Either, Flag, Labels, List, OneOrList, Text, Word};
use super::Without::{As, Is, Needed, None};
use super::{ASN, Table, key, kinds};

pub(super) const POOL: &Table = &Table {
    what: "[[pool]]",
    about: "Addresses of pods: what the nodes may announce to each other, and how packets get there. \
            A pool may lie in another; the longer one decides.",
    keys: &[
        key(
            "cidr",
            Text(kinds::PREFIX),
            Needed,
            "\"10.244.0.0/16\"",
            Judged,
            "The addresses. From the mesh, and from iBGP, routes inside of pools are accepted.",
        ),
        key(
            "ipip",
            Word(&["always", "cross-subnet", "never"]),
            Is("\"cross-subnet\""),
            "\"always\"",
            Live,
            "When packets go through the tunnel: always, to nodes of other subnets, or never. Routes \
             are replaced in place. IPv6 is never encapsulated.",
        ),
    ],
};

pub(super) const NODE: &Table = &Table {
    what: "[[node]]",
    about: "A node. `starlingd` finds its own by `--node`, `$NODE_NAME`, the host name, or an address \
            of the host.",
    keys: &[
        key(
            "name",
            Text(kinds::NAME),
            Needed,
            "\"server1\"",
            Depends(
                "the name for people changes, no session does; the node itself must be found by it \
                 at its next start",
            ),
            "Its name, which no other node and no `[[peer]]` has.",
        ),
        key(
            "address",
            OneOrList(&Text(kinds::HOST_ADDRESS)),
            Needed,
            "[\"10.1.5.10\", \"fd50::10\"]",
            Neighbours,
            "Its addresses, one of each family at most: where it is called, and the next hop of what \
             it announces. With `/24` behind it the file says the subnet; otherwise the interface \
             that has the address does. To the other nodes a new address is a new neighbour.",
        ),
        key(
            "blocks",
            List(&Text(kinds::PREFIX)),
            None("none"),
            "[\"10.244.1.0/26\", \"fd00:244:1::/64\"]",
            Judged,
            "Its blocks of pod addresses, each in a pool and in no other node's block: announced from \
             here, and a blackhole in its kernel for what no pod has.",
        ),
        key(
            "labels",
            Labels,
            None("none"),
            "{ rack = \"rack0\" }",
            Neighbours,
            "For the selectors of `[[peer]]` and `[reflector]`. `rack` also orders the page.",
        ),
        key(
            "asn",
            ASN,
            As("that of `[cluster]`", "64512"),
            "64513",
            Anew,
            "Its AS. With another one than the others' its sessions in the mesh are eBGP; they accept \
             what the mesh does.",
        ),
        key(
            "tunnel-address",
            Text(kinds::ADDRESS_IPV4),
            As(
                "the first address of its first IPv4 block that has room for one (/30 or shorter)",
                "\"10.244.1.0\"",
            ),
            "\"10.244.1.63\"",
            Judged,
            "The address of its tunnel device: the source of what the node itself sends to pods.",
        ),
        key(
            "router-id",
            Text(kinds::ROUTER_ID),
            As("see `router-id` of `[cluster]`", "\"10.1.5.10\""),
            "\"192.0.2.1\"",
            Anew,
            "Its BGP identifier, which no other node has (RFC 6286).",
        ),
        key(
            "cluster-id",
            Text(kinds::ROUTER_ID),
            None("see `[reflector]`"),
            "\"10.0.0.2\"",
            Depends("at once, where the node reflects"),
            "Its CLUSTER_ID where it reflects (RFC 4456).",
        ),
        key(
            "networks",
            List(&Either(&[Text(kinds::PREFIX), super::Value::Table(NETWORK)])),
            None("none"),
            "[\"10.50.0.0/16\", { prefix = \"10.51.0.0/16\", blackhole = true }]",
            Judged,
            "What it announces beside its blocks, without a kernel route unless it says `blackhole`. \
             The other nodes accept it: their file says so too.",
        ),
        key(
            "aggregate",
            Flag,
            As("that of `[cluster]`", "false"),
            "true",
            Live,
            "Its blocks that fill a shorter prefix together are announced as that one.",
        ),
    ],
};

const NETWORK: &Table = &Table {
    what: "networks",
    about: "One of the `networks` of a `[[node]]`, where it is more than a prefix.",
    keys: &[
        key("prefix", Text(kinds::PREFIX), Needed, "\"10.51.0.0/16\"", Judged, "The prefix."),
        key(
            "blackhole",
            Flag,
            Is("false"),
            "true",
            Live,
            "The kernel gets a blackhole for it: what is longer leads on, the rest is dropped here.",
        ),
    ],
};

pub(super) const REFLECTOR: &Table = &Table {
    what: "[reflector]",
    about: "Nodes that reflect (RFC 4456): all others peer with these alone, unless `mesh = true` \
            keeps the mesh as well.",
    keys: &[
        key(
            "nodes",
            Either(&[Labels, List(&Text(kinds::NAME))]),
            Needed,
            "[\"server1\"]",
            Neighbours,
            "Which: by all of these labels, or by name.",
        ),
        key(
            "cluster-id",
            Text(kinds::ROUTER_ID),
            None("the BGP identifier of each"),
            "\"10.0.0.1\"",
            Live,
            "The CLUSTER_ID of all of them. `cluster-id` of a `[[node]]` comes before it.",
        ),
    ],
};
