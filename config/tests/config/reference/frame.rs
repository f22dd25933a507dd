//! A file in which a key can be tried: each table that must be there, and something for selectors,
//! policies and sets to name.

use std::fmt;

use starling_config::reference::{Key, TABLES, Table, Value, Without};
use starling_config::{Config, Errors, NodePlan};

/// The tables and what they say. The first of a kind is the one that is tried.
const FRAME: &[(&str, &[(&str, &str)])] = &[
    ("[cluster]", &[("asn", "64512")]),
    ("[[pool]]", &[("cidr", "\"10.244.0.0/16\"")]),
    ("[[pool]]", &[("cidr", "\"fd00:244::/32\"")]),
    (
        "[[node]]",
        &[
            ("name", "\"server1\""),
            ("address", "[\"10.1.5.10\", \"fd50::10\"]"),
            ("blocks", "[\"10.244.1.0/26\", \"10.244.9.0/26\"]"),
        ],
    ),
    (
        "[[node]]",
        &[
            ("name", "\"server2\""),
            ("address", "[\"10.1.5.11\", \"fd50::11\"]"),
            ("labels", "{ rack = \"rack0\" }"),
        ],
    ),
    ("[[node]]", &[("name", "\"server3\""), ("address", "[\"10.1.5.12\", \"fd50::12\"]")]),
    ("[[peer]]", &[("address", "\"10.1.5.1\""), ("asn", "65000")]),
    (
        "[[peer]]",
        &[
            ("name", "\"tor\""),
            ("address", "\"10.1.5.2\""),
            ("asn", "65001"),
            ("nodes", "{ rack = \"rack0\" }"),
            ("import-policy", "\"from-gw0\""),
        ],
    ),
    (
        "[[policy]]",
        &[
            ("name", "\"from-gw0\""),
            (
                "rules",
                "[{ prefix = \"bogons\", then = \"reject\" }, { community = \"backup\", then = \"accept\" }]",
            ),
        ],
    ),
    ("[[policy]]", &[("name", "\"from-nodes\""), ("rules", "[{ then = \"accept\" }]")]),
    ("[[policy]]", &[("name", "\"to-all\""), ("rules", "[{ then = \"accept\" }]")]),
    ("[[policy]]", &[("name", "\"into-kernel\""), ("rules", "[{ then = \"accept\" }]")]),
    ("[[prefix-set]]", &[("name", "\"bogons\""), ("prefixes", "\"127.0.0.0/8 or longer\"")]),
    ("[[community-set]]", &[("name", "\"backup\""), ("communities", "\"65000:50\"")]),
];

/// A table, and the values in which it lies.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) path: Vec<(&'static Table, &'static Key)>,
    pub(super) table: &'static Table,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, key) in &self.path {
            write!(f, "{} {} > ", table.what, key.name)?;
        }
        f.write_str(self.table.what)
    }
}

/// Every table, also those inside of values.
pub(super) fn all_places() -> Vec<Place> {
    let mut places: Vec<Place> =
        TABLES.iter().map(|table| Place { path: Vec::new(), table }).collect();
    let mut at = 0;
    while let Some(place) = places.get(at).cloned() {
        at += 1;
        for key in place.table.keys {
            let path: Vec<_> = place.path.iter().copied().chain([(place.table, key)]).collect();
            let inner = key.value.tables();
            places.extend(inner.into_iter().map(|table| Place { path: path.clone(), table }));
        }
    }
    assert!(places.len() > TABLES.len() + 5);
    places
}

impl Place {
    /// A file in which this table says that.
    pub(super) fn text(&self, said: &[(&str, &str)]) -> String {
        let Some((parent, key)) = self.path.last() else {
            return file(self.table.what, said, true);
        };
        let mut inner: Vec<(&str, &str)> = self
            .table
            .keys
            .iter()
            .filter(|key| matches!(key.without, Without::Needed))
            .map(|key| (key.name, key.example))
            .collect();
        set(&mut inner, said);
        let words: Vec<String> =
            inner.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let mut value = format!("{{ {} }}", words.join(", "));
        if matches!(key.value, Value::Tables(_) | Value::List(_)) {
            value = format!("[{value}]");
        }
        let said: Vec<_> = key.beside.iter().copied().chain([(key.name, &*value)]).collect();
        let outer = &self.path[..self.path.len() - 1];
        match outer.is_empty() {
            // What a rule says may make no sense where the policy is asked: it is asked nowhere.
            true => file(parent.what, &said, parent.what != "[[policy]]"),
            false => Place { path: outer.to_vec(), table: parent }.text(&said),
        }
    }

    /// A file in which `key` of this table is `value`, and what it needs stands beside it.
    pub(super) fn with(&self, key: &Key, value: &str) -> String {
        let said: Vec<_> = key.beside.iter().copied().chain([(key.name, value)]).collect();
        self.text(&said)
    }
}

/// The frame without the value in which a place lies.
pub(super) fn plain(place: &Place) -> String {
    let (table, key) = place.path.first().unwrap();
    file(table.what, key.beside, true)
}

fn set<'a>(lines: &mut Vec<(&'a str, &'a str)>, said: &[(&'a str, &'a str)]) {
    for (key, value) in said {
        lines.retain(|(known, _)| known != key);
        lines.push((key, value));
    }
}

/// The frame, where the first table `what` says that.
fn file(what: &str, said: &[(&str, &str)], policies_are_used: bool) -> String {
    let mut text = String::new();
    let mut put = |what: &str, lines: &[(&str, &str)]| {
        text += &format!("{what}\n");
        for (key, value) in lines {
            text += &format!("{key} = {value}\n");
        }
    };
    let mut done = false;
    if what == "the file" {
        put("", said);
        done = true;
    }
    for (known, lines) in FRAME {
        let mut lines = lines.to_vec();
        if !policies_are_used {
            lines.retain(|(key, _)| *key != "import-policy");
        }
        if *known == what && !done {
            set(&mut lines, said);
            done = true;
        }
        put(known, &lines);
    }
    if !done {
        put(what, said);
    }
    if what == "[reflector]" && !said.iter().any(|(key, _)| *key == "nodes") {
        put("", &[("nodes", "[\"server1\"]")]);
    }
    text
}

/// Reads it, with the files that examples name.
pub(super) fn load(text: &str) -> Result<Config, Errors> {
    let node = "[[node]]\nname = \"server9\"\naddress = [\"10.1.5.19\", \"fd50::19\"]\n";
    let mut files = vec![("cluster.toml", text), ("nodes.d/rack1.toml", node)];
    files.extend(["mesh.key", "gw0.key", "leaf.key"].map(|name| (name, name)));
    Config::parse(&files)
}

/// What every node makes of it.
pub(super) fn plans(config: &Config) -> Vec<NodePlan> {
    config.nodes.iter().map(|node| config.plan(node)).collect()
}
