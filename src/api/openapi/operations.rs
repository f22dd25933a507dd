//! What can be asked: paths, what they take, what they answer.

use super::operation::{
    Answer, At, NOTHING, Of, Operation, Parameter, file, get, may, must, of, post, query, several,
};
use crate::api::{
    Applied, BfdSession, Diagnosis, Event, FibAudit, FibCoupling, FibEntry, Generation, Interface,
    Live, LogFilter, Memory, MeshRow, Neighbor, Network, Nexthop, Node, Plan, Pod, Policy,
    PolicyTest, Ready, ReloadResult, Route, Summary, Version, Why,
};

const NEIGHBOR: Answer = Answer::Json(of::<Neighbor>);
const NETWORKS: Answer = Answer::Json(of::<Vec<Network>>);
const COUPLING: Answer = Answer::Json(of::<FibCoupling>);
const APPLIED: Answer = Answer::Json(of::<Applied>);
const ERRORS: &str = "It has `errors`; nothing was changed.";

/// All of it.
pub(super) const OPERATIONS: &[Operation] = &[
    get("/v1/version", NOTHING, Answer::Json(of::<Version>), "Which program answers", ""),
    get("/v1/openapi.json", NOTHING, Answer::Text(&["application/json"]), "This document", ""),
    get(
        "/v1/summary",
        query(&[
            may(
                "state",
                Of::Word(&["established", "failed"]),
                "failed",
                "Of the neighbours those whose session stands, or those whose does not.",
            ),
            may("as", Of::Number, "65000", "Of the neighbours those in this AS."),
        ]),
        Answer::Json(of::<Summary>),
        "The node and its sessions at a glance",
        "",
    ),
    get(
        "/v1/neighbors",
        query(&[may("group", Of::Text, "mesh", "Those in this group, one of the field `groups`.")]),
        Answer::Json(of::<Vec<Neighbor>>),
        "Everything about all neighbours",
        "",
    ),
    get("/v1/neighbors/{name}", NOTHING, NEIGHBOR, "Everything about one neighbour", ""),
    post(
        "/v1/neighbors/{name}/down",
        query(&[REASON]),
        NEIGHBOR,
        "End the session until it is let up again",
        "Meant for good: a hard reset where both ends have that.",
    ),
    post("/v1/neighbors/{name}/up", NOTHING, NEIGHBOR, "Let the session begin again", ""),
    post(
        "/v1/neighbors/{name}/clear",
        query(&[REASON]),
        NEIGHBOR,
        "End the session and begin it anew",
        "With graceful restart where both ends have it.",
    ),
    post(
        "/v1/neighbors/{name}/refresh",
        NOTHING,
        NEIGHBOR,
        "Ask the neighbour for its routes again (RFC 2918)",
        "",
    ),
    post("/v1/neighbors/{name}/resend", NOTHING, NEIGHBOR, "Send it ours again", ""),
    post(
        "/v1/neighbors/{name}/drain",
        NOTHING,
        NEIGHBOR,
        "Take traffic off it while the session stays (RFC 8326)",
        "",
    ),
    post("/v1/neighbors/{name}/undrain", NOTHING, NEIGHBOR, "Not any more", ""),
    get("/v1/bfd", NOTHING, Answer::Json(of::<Vec<BfdSession>>), "The sessions of BFD", ""),
    get(
        "/v1/routes",
        query(&[
            may(
                "prefix",
                Of::Text,
                "10.244.2.0/26",
                "Exactly this prefix; with `longer` or `shorter` others too.",
            ),
            may(
                "address",
                Of::Text,
                "10.244.2.7",
                "The longest match: where a packet to it would go. Not beside `prefix`.",
            ),
            may("longer", Of::Flag, "true", "With `prefix`: also those that lie in it."),
            may(
                "shorter",
                Of::Flag,
                "true",
                "With `prefix` or `address`: also those that it lies in.",
            ),
            may(
                "from",
                Of::Text,
                "server2",
                "Paths from this neighbour, by name or address, or `local`; also what import dropped.",
            ),
            may(
                "to",
                Of::Text,
                "gw0",
                "What this neighbour is told, as it goes out; of one destination also why not.",
            ),
            may(
                "withheld",
                Of::Flag,
                "true",
                "With `to`: what is best here and not told, and why.",
            ),
            may("family", Of::Word(&["ipv4", "ipv6"]), "ipv4", "Of this family."),
            several(
                "state",
                Of::Word(&["best", "valid", "used", "stale", "unreachable", "filtered"]),
                "best",
                "Paths that stand so; `used` is best or beside it.",
            ),
            several(
                "community",
                Of::Text,
                "65000:*",
                "Paths with such a community: standard, large or extended, `*` for any number.",
            ),
            several("as", Of::Number, "65000", "Paths through this AS."),
            may(
                "as_path",
                Of::Text,
                "65000 * 65010",
                "Paths with such an AS path, whole: `?` is any AS, `*` any number of them.",
            ),
            may(
                "origin",
                Of::Word(&["igp", "egp", "incomplete"]),
                "igp",
                "Paths with this ORIGIN.",
            ),
            may(
                "detail",
                Of::Flag,
                "true",
                "All paths with all attributes, not just the first of each destination.",
            ),
        ]),
        Answer::Lines(of::<Route>),
        "Routes, in order of prefix",
        "All conditions must hold; of those that may come several times, one of each kind is enough.",
    ),
    get(
        "/v1/mrt",
        NOTHING,
        Answer::Text(&["application/octet-stream"]),
        "The table in MRT's form TABLE_DUMP_V2",
        "RFC 6396 and, for paths with identifiers, RFC 8050: every path that import lets pass, as used, the \
         best of each destination first; the first peer of the index is this node. No text but octets. Cut \
         off where it had to stop half-way.",
    ),
    get("/v1/nodes", NOTHING, Answer::Json(of::<Vec<Node>>), "The nodes, seen from this one", ""),
    get(
        "/v1/mesh",
        NOTHING,
        Answer::Json(of::<Vec<MeshRow>>),
        "Who sees whom",
        "Over the control socket the other nodes are asked; elsewhere there is this node's own row \
         alone.",
    ),
    get("/v1/memory", NOTHING, Answer::Json(of::<Memory>), "What memory is used for", ""),
    get("/v1/pods", NOTHING, Answer::Lines(of::<Pod>), "The pods of this node", ""),
    get("/v1/networks", NOTHING, NETWORKS, "What this node originates", ""),
    post(
        "/v1/networks/add",
        query(&[several("prefix", Of::Text, "10.52.0.0/16", "A prefix, once or more.")]),
        NETWORKS,
        "Announce more, until the daemon ends",
        "All of them or none; the answer is what is originated then. A body may name more, one or several \
         a line, and behind them what they carry: `10.50.0.0/16 med 50 local-pref 200 origin incomplete \
         prepend 2 community 65000:1`; `#` begins a comment. What was added before carries what is \
         said last.",
    ),
    post("/v1/networks/flush", NOTHING, NETWORKS, "Take back all that was added so", ""),
    post(
        "/v1/networks/delete",
        query(&[several("prefix", Of::Text, "10.52.0.0/16", "A prefix, once or more.")]),
        NETWORKS,
        "Take back what was added so",
        "All of them or none. A body may name more, as with `add`.",
    ),
    get(
        "/v1/nexthops",
        query(&[may("address", Of::Text, "10.1.8.10", "This one, with all of its routes.")]),
        Answer::Json(of::<Vec<Nexthop>>),
        "Next hops that accepted paths name, and who uses them",
        "",
    ),
    get(
        "/v1/interfaces",
        query(&[may("name", Of::Text, "net0", "This one.")]),
        Answer::Json(of::<Vec<Interface>>),
        "The interfaces as the daemon knows them, and who uses them",
        "",
    ),
    get(
        "/v1/fib",
        query(&[
            may("prefix", Of::Text, "10.244.2.0/26", "Exactly this prefix."),
            may("address", Of::Text, "10.244.2.7", "The longest match. Not beside `prefix`."),
            several(
                "state",
                Of::Word(&[
                    "installed",
                    "pending",
                    "refused",
                    "occupied",
                    "unresolved",
                    "out",
                    "stale",
                ]),
                "installed",
                "Routes that stand so.",
            ),
        ]),
        Answer::Lines(of::<FibEntry>),
        "The kernel's routes: wanted against present",
        "",
    ),
    post(
        "/v1/fib/audit",
        NOTHING,
        Answer::Json(of::<FibAudit>),
        "Compare the kernel's table with what should be in it, route by route",
        "",
    ),
    post("/v1/fib/couple", NOTHING, COUPLING, "Have the kernel follow what is wanted", ""),
    post(
        "/v1/fib/decouple",
        NOTHING,
        COUPLING,
        "Leave the kernel what it has",
        "Until `couple` or the daemon's restart.",
    ),
    post(
        "/v1/fib/flush",
        NOTHING,
        COUPLING,
        "Remove our routes from the kernel",
        "The node is decoupled then, so that they do not come back.",
    ),
    get(
        "/v1/why",
        query(&[
            must("address", Of::Text, "10.244.3.7", "An address or a prefix."),
            may(
                "both",
                Of::Flag,
                "true",
                "Ask the node at the other end for the way back. Over the control socket only.",
            ),
            may(
                "from",
                Of::Text,
                "10.244.1.7",
                "With `both`: the address or block here that the way back is asked for.",
            ),
        ]),
        Answer::Json(of::<Why>),
        "Why an address is reached, or is not",
        "`outcome` and `cause` are for programs.",
    ),
    get(
        "/v1/doctor",
        NOTHING,
        Answer::Json(of::<Diagnosis>),
        "What breaks such networks, looked for on this node",
        "Over the control socket other nodes are asked as well. May take some seconds.",
    ),
    get(
        "/v1/events",
        query(&[
            may(
                "kind",
                Of::Text,
                "session,route,fib",
                "Of these kinds, with commas: `session`, `route`, `fib`.",
            ),
            several("peer", Of::Text, "server2", "About this neighbour, by name or address."),
            several(
                "prefix",
                Of::Text,
                "10.244.0.0/16",
                "About this destination and those inside it.",
            ),
        ]),
        Answer::Stream(of::<Event>),
        "What happens, as it happens",
        "Without an end; over TCP and the readers' socket a connection lasts ten minutes. A reader that \
         is slow is told how many events were skipped, and delays nobody; so is any, of more than four \
         thousand at once and ten thousand a second.",
    ),
    get("/v1/policies", NOTHING, Answer::Json(of::<Vec<Policy>>), "The policies in force here", ""),
    get(
        "/v1/policy/test",
        query(&[
            may("prefix", Of::Text, "10.244.3.0/26", "The destination; this, or `address`."),
            may("address", Of::Text, "10.244.3.10", "That of the route of this address."),
            may(
                "place",
                Of::Word(&["import", "export", "kernel"]),
                "import",
                "Only there; without it everywhere.",
            ),
            may("neighbor", Of::Text, "gw0", "The policies of this neighbour, by name or address."),
            may(
                "from",
                Of::Text,
                "gw0",
                "The route is made up, from this neighbour or `local`. This and all below make it up.",
            ),
            several("community", Of::Text, "65000:100", "It carries this community."),
            may("as_path", Of::Text, "65001 65002", "It came through these, the nearest first."),
            may("next_hop", Of::Text, "10.1.5.1", "Its NEXT_HOP."),
            may("local_pref", Of::Number, "200", "Its LOCAL_PREF."),
            may("med", Of::Number, "10", "Its MULTI_EXIT_DISC."),
            may("interface", Of::Text, "eth0", "The interface of its next hop."),
        ]),
        Answer::Json(of::<Vec<PolicyTest>>),
        "Which rules decide about a route",
        "Of the route that the daemon has, or of one that is made up.",
    ),
    get("/v1/log", NOTHING, Answer::Json(of::<LogFilter>), "What is logged", ""),
    post(
        "/v1/log",
        query(&[must(
            "filter",
            Of::Text,
            "info,starling_fib=debug",
            "A level, or levels of modules.",
        )]),
        Answer::Json(of::<LogFilter>),
        "Log more, or less, until the daemon ends",
        "",
    ),
    post(
        "/v1/reload",
        query(&[WHY]),
        Answer::Json(of::<ReloadResult>),
        "Read the configuration again",
        "",
    )
    .or(&[(422, ERRORS, Answer::Json(of::<ReloadResult>))]),
    post(
        "/v1/plan",
        file(&[NAME, ALL]),
        Answer::Json(of::<Plan>),
        "What a file would do in the place of the configuration's",
        "The daemon plays the reload on copies of its tables; nothing changes.",
    )
    .or(&[(422, ERRORS, Answer::Json(of::<Plan>))]),
    post(
        "/v1/apply",
        file(&[
            NAME,
            ALL,
            may(
                "confirm_s",
                Of::Number,
                "60",
                "It is undone unless `confirm` comes within so many seconds, 1 to 86400.",
            ),
            RUNTIME,
            WHY,
        ]),
        APPLIED,
        "Put a file into force",
        "The daemon writes no file: the answer says which files are to say what, for the caller to \
         write. 409 while another change waits to be confirmed.",
    )
    .or(&[(422, ERRORS, APPLIED)]),
    post(
        "/v1/confirm",
        query(&[DRY]),
        APPLIED,
        "Keep what waits to be confirmed",
        "409 where nothing waits.",
    ),
    post(
        "/v1/rollback",
        query(&[
            may(
                "to",
                Of::Number,
                "1",
                "To this configuration; without it to the one before, or to what was before what \
                 waits to be confirmed.",
            ),
            RUNTIME,
            ALL,
            WHY,
            DRY,
        ]),
        APPLIED,
        "Go back to a former configuration",
        "404 where there is no such configuration.",
    )
    .or(&[(422, ERRORS, APPLIED)]),
    get(
        "/v1/generations",
        NOTHING,
        Answer::Json(of::<Vec<Generation>>),
        "The configurations that were in force, the newest first",
        "",
    ),
    get(
        "/livez",
        NOTHING,
        Answer::Json(of::<Live>),
        "Whether the daemon's parts still answer",
        "503 where not. Parameters are ignored.",
    ),
    get(
        "/readyz",
        NOTHING,
        Answer::Json(of::<Ready>),
        "Whether the node does its job",
        "Parameters are ignored.",
    )
    .or(&[(503, "It does not, for these reasons.", Answer::Json(of::<Ready>))]),
    get(
        "/metrics",
        NOTHING,
        Answer::Text(&["application/openmetrics-text", "text/plain"]),
        "Metrics, in OpenMetrics' text form",
        "Where Accept does not name it, in Prometheus' older one, `text/plain`. Parameters are ignored.",
    ),
    get("/", NOTHING, Answer::Text(&["text/html"]), "The node's page for a browser", "")
        .at(At::WhereNothingChanges),
];

const REASON: Parameter = may(
    "reason",
    Of::Text,
    "lunch",
    "Words for the neighbour (RFC 9003), of which at most 255 octets are sent.",
);
const NAME: Parameter =
    may("name", Of::Text, "next.toml", "What the file is called in errors, and by whom it came.");
const ALL: Parameter = may("all", Of::Flag, "true", "Everything is named, not only the first few.");
const RUNTIME: Parameter = may(
    "runtime",
    Of::Flag,
    "true",
    "No file is to be written: it is in force until the daemon's restart, or until a file changes.",
);
const WHY: Parameter = may(
    "reason",
    Of::Text,
    "new rack",
    "Words for the log and for `generations`, at most 500 octets.",
);
const DRY: Parameter = may("dry", Of::Flag, "true", "Only say what would be done.");
