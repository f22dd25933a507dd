//! The reference as a page: `REFERENCE.md`.

use starling_config::reference::{KINDS, Key, Reload, TABLES, Table, Value, Without};

use super::frame::all_places;

const HEAD: &str = "\
# Every key of the configuration

<!-- Written by `make reference`; its source is config/src/reference. -->

What a file may say, table by table. The tests hold this page to the code: the keys are those that are
known, each default is what a file without the key comes to, each example is accepted, each bound is where
values are refused, and what a reload does is what one does.

Times are `\"90s\"`, `\"1m30s\"`, `\"500ms\"` (units ms, s, m, h; at most a day), or a number of seconds. An
unknown key is an error. A table in single brackets may come once in all files together, one in double
brackets as often as there are such things.

[schema.json](schema.json) says the same to editors: with Taplo, or Even Better TOML in VS Code, a first line
`#:schema /usr/share/starling/schema.json` in `cluster.toml` (there the package puts it; any path or URL will do)
completes keys and marks what is wrong while it is written. `starlingd check` finds more: it compares values
with each other.

What a reload that changes a key does:

| | |
|---|---|
| at once | it counts from then on; no session is touched |
| judged again | sessions stay; routes are judged again, and asked for again where that takes it |
| sessions anew | the sessions that it concerns begin anew; graceful restart keeps their routes |
| neighbours | neighbours come or go, the sessions of the others stay |
| restart | it is said that it takes a restart of the daemon; until then what was before counts |

";

pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "| table | keys |\n|---|---|\n";
    for table in TABLES {
        let keys: Vec<String> = table.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        page += &format!("| {} | {} |\n", link(table), keys.join(" "));
    }
    let mut inner: Vec<&Table> = Vec::new();
    for place in all_places().iter().filter(|place| !place.path.is_empty()) {
        if !inner.iter().any(|known| known.what == place.table.what) {
            inner.push(place.table);
        }
    }
    for table in TABLES {
        page += &section(table, "##");
        for table in inner.iter().filter(|inner| home(inner) == table.what) {
            page += &section(table, "##");
        }
    }
    page += "\n## Kinds of values\n\n| | |\n|---|---|\n";
    for kind in KINDS {
        page += &format!("| {} | {} |\n", kind.name, kind.expected.replace('|', "\\|"));
    }
    page
}

/// The table after which an inner one is described: the first that has it.
fn home(inner: &Table) -> &'static str {
    let places = all_places();
    let place = places.iter().find(|p| !p.path.is_empty() && p.table.what == inner.what);
    place.unwrap().path[0].0.what
}

fn title(table: &Table) -> String {
    match table.what {
        "the file" => "The file itself".to_owned(),
        what if what.starts_with('[') => format!("Table `{what}`"),
        what => format!("Inside: {}", what.replace('`', "")),
    }
}

/// As GitHub makes them of headings: small letters, no punctuation, blanks to dashes.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn link(table: &Table) -> String {
    let words = match table.what {
        "the file" => "the file itself".to_owned(),
        what if what.starts_with('[') => format!("`{what}`"),
        what => what.to_owned(),
    };
    format!("[{words}](#{})", anchor(&title(table)))
}

fn section(table: &Table, level: &str) -> String {
    let keys: String = table.keys.iter().map(key).collect();
    format!("\n{level} {}\n\n{}\n{keys}", title(table), table.about)
}

fn key(key: &Key) -> String {
    let Key { name, value, without, example, beside, reload, about } = key;
    let without = match without {
        Without::Needed => "**needed**".to_owned(),
        Without::Is(value) => format!("default `{value}`"),
        Without::As(words, _) | Without::None(words) => format!("default: {words}"),
    };
    let reload = match reload {
        Reload::Live => "at once",
        Reload::Judged => "judged again",
        Reload::Anew => "sessions anew",
        Reload::Neighbours => "neighbours",
        Reload::Restart => "restart",
        Reload::Depends(words) => words,
    };
    let example: Vec<String> = beside
        .iter()
        .copied()
        .chain([(*name, *example)])
        .map(|(key, value)| format!("`{key} = {value}`"))
        .collect();
    format!(
        "\n### `{name}`\n\n{about}\n\n* {}; {without}\n* for example {}\n* a reload: {reload}\n",
        words(value),
        example.join(" with ")
    )
}

/// As the value says itself, with links.
fn words(value: &Value) -> String {
    match value {
        Value::Table(table) => format!("a table: {}", link(table)),
        Value::Tables(table) => format!("an array of tables: {}", link(table)),
        Value::Text(kind) => format!("[{}](#kinds-of-values)", kind.name),
        Value::Either(several) => several.iter().map(words).collect::<Vec<_>>().join(", or "),
        Value::List(element) => format!("an array, each {}", words(element)),
        Value::OneOrList(element) => format!("{}; or an array of such", words(element)),
        Value::Word(several) => {
            several.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
        }
        Value::Flag => "`true` or `false`".to_owned(),
        Value::Labels | Value::Number { .. } | Value::Time(_) => value.to_string(),
    }
}
