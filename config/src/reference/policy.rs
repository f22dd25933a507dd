//! `[[policy]]` with its rules, `[[prefix-set]]` and `[[community-set]]`.

use super::Reload::{Depends, Judged};
use super::Value::{Either, Number, OneOrList, Text, Word};
use super::Without::{Needed, None};
use super::{ASN, Key, MOST, Reload, Table, Value, key, kinds, number};

/// What is inside of a rule changes with it.
const WITH_RULE: Reload = Depends("as `rules` of the policy");
const NUMBERS: Value = Either(&[Number { least: 0, most: MOST }, Text(kinds::RANGE)]);
const ASNS: Value = OneOrList(&ASN);

pub(super) const POLICY: &Table = &Table {
    what: "[[policy]]",
    about: "Rules, of which the first that matches decides. `import-policy` and `export-policy` of \
            `[[peer]]` and `[cluster]`, and `policy` of `[kernel]`, say where it is asked; one that \
            is asked nowhere is warned of.",
    keys: &[
        key(
            "name",
            Text(kinds::NAME),
            Needed,
            "\"from-gw0\"",
            Depends("it is another policy for who names it"),
            "Its name, which no other policy has.",
        ),
        key(
            "rules",
            Value::Tables(RULE),
            Needed,
            "[{ prefix = \"bogons\", then = \"reject\" }]",
            Judged,
            "The rules, in order; or a table `[[policy.rules]]` for each. Those for the kernel: \
             routes are replaced in place.",
        ),
    ],
};

const RULE: &Table = &Table {
    what: "a rule",
    about: "It matches if all that it asks holds; of an array one is enough. Without a condition it \
            matches every route.",
    keys: &[
        key(
            "name",
            Text(kinds::NAME),
            None("its number"),
            "\"no-bogons\"",
            WITH_RULE,
            "A name for people.",
        ),
        PREFIX,
        FAMILY,
        FROM,
        key(
            "to",
            OneOrList(&Text(kinds::WHO)),
            None("to all"),
            "\"ebgp\"",
            WITH_RULE,
            "Whom the route goes to; for export only. Not `\"local\"`.",
        ),
        COMMUNITY,
        AS_PATH,
        NEXT_HOP,
        INTERFACE,
        LOCAL_PREF,
        MED,
        key(
            "unless",
            Value::Table(UNLESS),
            None("always"),
            "{ prefix = \"192.0.2.0/24 or longer\" }",
            WITH_RULE,
            "The rule does not match if all of this holds.",
        ),
        key(
            "then",
            Word(&["accept", "reject"]),
            Needed,
            "\"accept\"",
            WITH_RULE,
            "What happens to the route.",
        ),
        key(
            "set",
            Value::Table(SET),
            None("nothing"),
            "{ local-pref = 200 }",
            WITH_RULE,
            "What is changed on it. With `then = \"accept\"`.",
        ),
    ],
};

const UNLESS: &Table = &Table {
    what: "`unless`",
    about: "Conditions as in a rule, under which it does not match.",
    keys: &[PREFIX, FAMILY, FROM, COMMUNITY, AS_PATH, NEXT_HOP, INTERFACE, LOCAL_PREF, MED],
};

const PREFIX: Key = key(
    "prefix",
    OneOrList(&Text(kinds::PREFIX_WORD)),
    None("any"),
    "[\"pools\", \"10.0.0.0/8 ge 16 le 24\"]",
    WITH_RULE,
    "The destination: `\"10.0.0.0/8\"` exactly, `\"10.0.0.0/8 or longer\"`, with `ge` and `le` for \
     lengths; `\"pools\"` and `\"own-blocks\"` with all inside; the name of a `[[prefix-set]]`.",
);
const FAMILY: Key =
    key("family", Word(&["ipv4", "ipv6"]), None("both"), "\"ipv4\"", WITH_RULE, "Its family.");
const FROM: Key = key(
    "from",
    OneOrList(&Text(kinds::WHO)),
    None("from all"),
    "[\"ibgp\", \"server2\"]",
    WITH_RULE,
    "Whom it is from: `\"mesh\"`, `\"peer\"`, `\"local\"` (this node), `\"ibgp\"`, `\"ebgp\"`, or a \
     neighbour's name.",
);
const COMMUNITY: Key = key(
    "community",
    OneOrList(&Text(kinds::COMMUNITY_WORD)),
    None("any"),
    "[\"65000:*\", \"no-export\"]",
    WITH_RULE,
    "A community that it has: standard, large (`\"65000:1:2\"`) or extended (`\"rt:65000:1\"`), `*` \
     for any number; or the name of a `[[community-set]]`.",
);
const AS_PATH: Key = key(
    "as-path",
    Value::Table(PATH),
    None("any"),
    "{ origin = 65010, length = \"le 5\" }",
    WITH_RULE,
    "Its AS_PATH.",
);
const NEXT_HOP: Key = key(
    "next-hop",
    OneOrList(&Text(kinds::NEXT_HOP)),
    None("any"),
    "\"10.1.5.0/24\"",
    WITH_RULE,
    "Its NEXT_HOP, or a prefix that holds it.",
);
const INTERFACE: Key = key(
    "interface",
    OneOrList(&Text(kinds::INTERFACE)),
    None("any"),
    "\"eth*\"",
    WITH_RULE,
    "The interface on which its next hop is. Judged again when it is another.",
);
const LOCAL_PREF: Key =
    key("local-pref", NUMBERS, None("any"), "200", WITH_RULE, "Its LOCAL_PREF.");
const MED: Key =
    key("med", NUMBERS, None("any"), "\"ge 5 le 9\"", WITH_RULE, "Its MULTI_EXIT_DISC.");

const PATH: &Table = &Table {
    what: "`as-path`",
    about: "What is asked of AS_PATH. All of it must hold.",
    keys: &[
        key("origin", ASNS, None("any"), "65010", WITH_RULE, "The AS that announced it first."),
        key(
            "neighbor",
            ASNS,
            None("any"),
            "[65001, 65002]",
            WITH_RULE,
            "The AS it came from last.",
        ),
        key("contains", ASNS, None("any"), "65010", WITH_RULE, "An AS anywhere in it."),
        key(
            "starts-with",
            ASNS,
            None("anything"),
            "[65001, 65002]",
            WITH_RULE,
            "It begins with these, in this order, the nearest first.",
        ),
        key("length", NUMBERS, None("any"), "\"ge 2 le 5\"", WITH_RULE, "How many AS are in it."),
        key(
            "regex",
            Text(kinds::REGEX),
            None("any"),
            "\"^65001_\"",
            WITH_RULE,
            "A regular expression over `65001 65002 {65003,65004}`; `_` is any gap, also begin and \
             end.",
        ),
    ],
};

const SET: &Table = &Table {
    what: "`set`",
    about: "What is changed on a route that is accepted.",
    keys: &[
        key("local-pref", number(0, MOST), None("as it is"), "50", WITH_RULE, "LOCAL_PREF."),
        key(
            "med",
            Either(&[Number { least: 0, most: MOST }, Word(&["none"])]),
            None("as it is"),
            "10",
            WITH_RULE,
            "MULTI_EXIT_DISC; `\"none\"` takes it away.",
        ),
        key(
            "add-community",
            OneOrList(&Text(kinds::COMMUNITY)),
            None("none"),
            "\"64512:7\"",
            WITH_RULE,
            "Communities that it gets, after others were removed.",
        ),
        key(
            "remove-community",
            OneOrList(&Text(kinds::COMMUNITIES)),
            None("none"),
            "[\"65000:*\"]",
            WITH_RULE,
            "Communities that it loses, `*` for any number.",
        ),
        key(
            "prepend",
            Either(&[number(1, 25), Value::List(&ASN)]),
            None("nothing"),
            "2",
            WITH_RULE,
            "How often our AS comes in front of AS_PATH, or an array of 1 to 25 AS numbers.",
        ),
        key(
            "next-hop",
            Either(&[Word(&["self", "keep"]), Text(kinds::ADDRESS)]),
            None("as it is"),
            "\"10.1.5.7\"",
            WITH_RULE,
            "NEXT_HOP. `\"self\"` (ours) and `\"keep\"` (as it came) for export only.",
        ),
        key(
            "metric",
            number(0, MOST),
            None("that of `[kernel]`"),
            "512",
            WITH_RULE,
            "The route's metric in the kernel; in a policy of `[kernel]` only.",
        ),
        key(
            "encapsulation",
            Word(&["always", "never", "by-pool"]),
            None("`\"by-pool\"`"),
            "\"always\"",
            WITH_RULE,
            "Whether its packets go through the tunnel; in a policy of `[kernel]` only.",
        ),
    ],
};

pub(super) const PREFIX_SET: &Table = &Table {
    what: "[[prefix-set]]",
    about: "Prefixes that rules call by a name.",
    keys: &[
        key(
            "name",
            Text(kinds::NAME),
            Needed,
            "\"bogons\"",
            Depends("it is another set for who names it"),
            "Its name. Not `pools` or `own-blocks`, which have a meaning of their own.",
        ),
        key(
            "prefixes",
            OneOrList(&Text(kinds::PREFIX_PATTERN)),
            Needed,
            "[\"127.0.0.0/8 or longer\", \"169.254.0.0/16 or longer\"]",
            Judged,
            "The prefixes.",
        ),
    ],
};

pub(super) const COMMUNITY_SET: &Table = &Table {
    what: "[[community-set]]",
    about: "Communities that rules call by a name.",
    keys: &[
        key(
            "name",
            Text(kinds::NAME),
            Needed,
            "\"backup\"",
            Depends("it is another set for who names it"),
            "Its name. Not that of a well-known community.",
        ),
        key(
            "communities",
            OneOrList(&Text(kinds::COMMUNITIES)),
            Needed,
            "[\"65000:50\", \"65000:50:*\"]",
            Judged,
            "The communities.",
        ),
    ],
};
