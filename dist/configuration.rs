//! The manual page of the configuration file, from its reference: `cluster.toml.5`.

use std::fs::File;
use std::io::Result;
use std::path::Path;

use clap_mangen::roff::{Inline, Roff, bold, roman};
use starling_config::reference::{KINDS, Key, Reload, TABLES, Without};

/// Writes it into `folder`.
pub fn page(folder: &Path) -> Result<()> {
    let mut page = Roff::new();
    page.control("TH", ["CLUSTER.TOML", "5", "", "Starling", "Starling"]);
    page.control("SH", ["NAME"]);
    page.text([roman("cluster.toml - the configuration of Starling")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text(words(
        "One TOML file, the same on every node, mostly `/etc/starling/cluster.toml`. Tables in single \
         brackets may come once in all files together, those in double brackets as often as there are \
         such things; a key that is not known is an error. Times are `\"90s\"`, `\"1m30s\"`, \
         `\"500ms\"`, or a number of seconds. `starlingd check` says what comes of it.",
    ));
    for table in TABLES {
        page.control("SH", [table.what.to_uppercase().as_str()]);
        page.text(words(table.about));
        described(&mut page, table.keys);
    }
    page.control("SH", ["KINDS OF VALUES"]);
    for kind in KINDS {
        page.control("TP", []);
        page.text([bold(kind.name)]);
        page.text([roman(kind.expected)]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("starlingd"), roman("(8), "), bold("bgpctl"), roman("(8)")]);
    page.to_writer(&mut File::create(folder.join("cluster.toml.5"))?)
}

fn described(page: &mut Roff, keys: &[Key]) {
    for key in keys {
        let Key { name, value, without, example, reload, about, .. } = key;
        let without = match without {
            Without::Needed => "Needed.".to_owned(),
            Without::Is(value) => format!("Default: `{value}`."),
            Without::As(words, _) | Without::None(words) => format!("Default: {words}."),
        };
        let reload = match reload {
            Reload::Live => "it counts at once",
            Reload::Judged => "routes are judged again",
            Reload::Anew => "sessions begin anew",
            Reload::Neighbours => "neighbours come or go",
            Reload::Restart => "nothing, until the daemon's restart",
            Reload::Depends(words) => words,
        };
        page.control("TP", []);
        page.text([bold(*name), roman(format!(" ({value})"))]);
        page.text(words(&format!(
            "{about} {without} A reload: {reload}. Example: `{name} = {example}`"
        )));
        for inner in value.tables() {
            page.control("RS", []);
            page.control("PP", []);
            page.text(words(inner.about));
            described(page, inner.keys);
            page.control("RE", []);
        }
    }
}

/// Text whose code is bold.
fn words(markdown: &str) -> Vec<Inline> {
    let parts = markdown.split('`').zip([false, true].into_iter().cycle());
    parts.map(|(text, code)| if code { bold(text) } else { roman(text) }).collect()
}
