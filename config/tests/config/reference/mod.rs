//! The reference of the configuration is held to the code: `REFERENCE.md`, for people, and
//! `schema.json`, for their editors, are made of [`starling_config::reference`], and what that says
//! is tried on the loader, key by key, in a [`frame`] of a file.
//!
//! `make reference` writes both files anew.

mod frame;
mod page;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;

use frame::{Place, all_places, load, plans};
use starling_config::diff;
use starling_config::reference::{Key, Reload, TABLES, Value, Without, written};

/// How a reader gets out of a failure of this file.
const HOW: &str = "a key's line is in config/src/reference; then \
                   `make reference` writes \
                   config/REFERENCE.md and config/schema.json";

#[test]
fn the_files_are_what_the_reference_says() {
    for (name, text) in [("REFERENCE.md", page::page()), ("schema.json", schema::text())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "config/{name} is not what config/src/reference says: {HOW}");
    }
}

/// The loader itself lists what it knows, to whoever gets a name wrong.
#[test]
fn the_loader_knows_these_keys_and_no_others() {
    for place in all_places() {
        let errors = load(&place.text(&[("nonsense", "1")])).unwrap_err();
        let unknown = errors.errors.iter().find(|e| e.to_string().contains("`nonsense`"));
        let unknown = unknown.unwrap_or_else(|| panic!("{place}: {errors}")).to_string();
        let list = ["one of ", "known are "].iter().find_map(|words| unknown.split_once(words));
        let (_, list) = list.unwrap_or_else(|| panic!("{place}: {unknown}"));
        let known: BTreeSet<&str> = list.lines().next().unwrap().split(", ").collect();
        let described: BTreeSet<&str> = match place.table.what {
            "the file" => TABLES.iter().skip(1).map(|table| table.what).collect(),
            _ => place.table.keys.iter().map(|key| key.name).collect(),
        };
        let missing: Vec<_> = known.difference(&described).collect();
        let gone: Vec<_> = described.difference(&known).collect();
        assert!(missing.is_empty(), "{place}: {missing:?} are not in the reference: {HOW}");
        assert!(gone.is_empty(), "{place}: nobody knows {gone:?} of the reference: {HOW}");
    }
}

#[test]
fn each_default_is_what_a_file_without_the_key_comes_to() {
    for (place, key) in all_keys() {
        let (Without::Is(value) | Without::As(_, value)) = key.without else { continue };
        let with: Vec<_> = key.beside.iter().copied().chain([(key.name, value)]).collect();
        let (without, with) = (place.text(key.beside), place.text(&with));
        let plans = [&without, &with]
            .map(|text| plans(&load(text).unwrap_or_else(|e| panic!("{place} {}: {e}", key.name))));
        assert!(plans[0] == plans[1], "{place}: the default of `{}` is not {value}", key.name);
    }
}

#[test]
fn each_example_is_accepted_and_is_not_the_default() {
    for (place, key) in all_keys() {
        let config = load(&place.with(key, key.example));
        let config =
            config.unwrap_or_else(|e| panic!("{place} {} = {}: {e}", key.name, key.example));
        let unused = |w: &&starling_config::Problem| !w.message.ends_with("is used nowhere");
        let warnings: Vec<_> = config.warnings.iter().filter(unused).collect();
        assert!(warnings.is_empty(), "{place} {}: {warnings:#?}", key.name);
        if let Without::Is(default) | Without::As(_, default) = key.without {
            assert_ne!(default, key.example, "{place} {}", key.name);
        }
    }
}

/// Another value of keys that must be there, to see what a change of it does.
const OTHERS: &[(&str, &str, &str)] = &[
    ("[cluster]", "asn", "64999"),
    ("[[pool]]", "cidr", "\"10.244.0.0/15\""),
    ("[[node]]", "address", "[\"10.1.5.20\", \"fd50::10\"]"),
    ("networks", "prefix", "\"10.52.0.0/16\""),
    ("[reflector]", "nodes", "[\"server2\"]"),
    ("[[peer]]", "address", "\"10.1.5.99\""),
    ("[[peer]]", "asn", "65009"),
    ("tcp-ao", "key-file", "\"gw0.key\""),
    ("tcp-ao", "send-id", "7"),
    ("tcp-ao", "receive-id", "7"),
    ("[[policy]]", "rules", "[{ then = \"accept\" }]"),
    ("[[prefix-set]]", "prefixes", "\"192.0.2.0/24\""),
    ("[[community-set]]", "communities", "\"65000:51\""),
];

#[test]
fn a_reload_does_what_is_said() {
    let mut wrong = Vec::new();
    for (place, key) in all_keys() {
        if matches!(key.reload, Reload::Depends(_)) {
            continue;
        }
        let (from, to) = match key.without {
            Without::Needed => {
                let other =
                    OTHERS.iter().find(|(t, k, _)| (*t, *k) == (place.table.what, key.name));
                let (.., other) = other.unwrap_or_else(|| {
                    panic!("{place} {}: OTHERS in this file has no other value", key.name)
                });
                (place.with(key, key.example), place.with(key, other))
            }
            _ => (place.text(key.beside), place.with(key, key.example)),
        };
        // A table that must not be empty: then that it is there at all is the change.
        let from = load(&from).or_else(|_| load(&frame::plain(&place)));
        let (from, to) = (plans(&from.unwrap()), plans(&load(&to).unwrap()));
        let found = from.iter().zip(&to).map(|(from, to)| class(&diff(from, to))).max().unwrap();
        if found != Some(key.reload) {
            wrong.push(format!("{place} {}: {:?}, not {found:?}", key.name, key.reload));
        }
    }
    assert!(wrong.is_empty(), "said and done: {wrong:#?}");
}

/// What a reload does, at the most.
fn class(changes: &starling_config::Changes) -> Option<Reload> {
    use starling_config::diff::What;
    let (mut anew, mut judged) = (false, false);
    for peer in &changes.peers_changed {
        anew |= !peer.session.is_empty();
        judged |= !peer.policy.is_empty();
    }
    for range in &changes.ranges {
        anew |= matches!(&range.what, What::Changed { session, .. } if !session.is_empty());
    }
    let come_or_go = !changes.peers_added.is_empty() || !changes.peers_removed.is_empty();
    if changes.is_empty() {
        None
    } else if changes.restart().next().is_some() {
        Some(Reload::Restart)
    } else if come_or_go {
        Some(Reload::Neighbours)
    } else if anew {
        Some(Reload::Anew)
    } else if judged {
        Some(Reload::Judged)
    } else {
        Some(Reload::Live)
    }
}

/// Bounds that another key of the file draws.
const RELATIVE: [&str; 1] = ["idle-hold-max"];

#[test]
fn each_bound_is_where_values_are_refused() {
    let mut tried = 0;
    for (place, key) in all_keys() {
        for (inside, outside) in bounds(&key.value) {
            if RELATIVE.contains(&key.name) {
                continue;
            }
            for (value, fits) in
                inside.iter().map(|v| (v, true)).chain(outside.iter().map(|v| (v, false)))
            {
                tried += 1;
                let loaded = load(&place.with(key, value));
                assert_eq!(loaded.is_ok(), fits, "{place} {} = {value}: {loaded:?}", key.name);
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

/// What is just inside and just outside of the bounds of a value.
fn bounds(value: &Value) -> Vec<(Vec<String>, Vec<String>)> {
    match value {
        Value::Number { least, most } => {
            let outside = [i128::from(*least) - 1, i128::from(*most) + 1];
            vec![(
                [least, most].map(u64::to_string).to_vec(),
                outside.map(|n| n.to_string()).to_vec(),
            )]
        }
        Value::Time(span) => {
            let step = if span.whole { 1000 } else { 1 };
            let mut inside = vec![written(span.least), written(span.most)];
            inside.extend(span.zero.then(|| written(0)));
            let mut outside = vec![written(span.most + step)];
            outside
                .extend(span.least.checked_sub(step).map(written).filter(|w| !inside.contains(w)));
            outside.extend(span.whole.then(|| written(span.least + 3500)));
            vec![(inside, outside)]
        }
        Value::Either(several) => several.iter().flat_map(bounds).collect(),
        Value::OneOrList(element) => bounds(element),
        _ => Vec::new(),
    }
}

#[test]
fn the_words_are_those_that_are_known() {
    for (place, key) in all_keys() {
        let Value::Word(words) = key.value else { continue };
        let errors = load(&place.with(key, "\"nonsense\"")).unwrap_err().to_string();
        for word in words {
            assert!(errors.contains(word), "{place} {}: {word}: {errors}", key.name);
        }
        if place.path.is_empty() {
            let expected = errors.lines().find_map(|line| line.split_once("expected: ")).unwrap().1;
            let quoted: BTreeSet<&str> = expected.split('"').skip(1).step_by(2).collect();
            assert_eq!(quoted, words.iter().copied().collect(), "{place} {}", key.name);
        }
    }
}

fn all_keys() -> impl Iterator<Item = (Place, &'static Key)> {
    all_places()
        .into_iter()
        .flat_map(|place| place.table.keys.iter().map(move |key| (place.clone(), key)))
}

/// Tables inside of values go by their names: two of one name are the same.
#[test]
fn a_name_is_one_table() {
    let places = all_places();
    for place in &places {
        let keys = |place: &Place| place.table.keys.iter().map(|key| key.name).collect::<Vec<_>>();
        let same = places.iter().filter(|other| other.table.what == place.table.what);
        assert!(same.into_iter().all(|other| keys(other) == keys(place)), "{place}");
    }
}
