//! The shape of the document: which tables there are, in which brackets.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::TABLES;
use crate::reader::{Field, Section, kind, nearest, place};
use crate::source::{At, Problems, Sp, shown};

/// `include`: read with the machinery of tables, as if the document were one.
pub(super) fn patterns(document: &DeTable<'_>, at: At, problems: &mut Problems) -> Vec<Sp<String>> {
    let Some((key, value)) = document.get_key_value("include") else { return Vec::new() };
    let mut only = DeTable::new();
    only.insert(key.clone(), value.clone());
    match Section::new("the file", &only, at, &["include"], &[], problems).list("include") {
        Field::Is(patterns) => patterns.value,
        _ => Vec::new(),
    }
}

pub(super) fn unknown_table(name: &str, at: At, problems: &mut Problems) {
    let names = || TABLES.iter().map(|(what, _)| what.trim_matches(['[', ']']));
    let written = |name: &str| {
        TABLES.iter().map(|(what, _)| *what).find(|what| what.trim_matches(['[', ']']) == name)
    };
    // `nodes` and `peers` are what half of the people write first.
    let near = nearest(name, names()).or_else(|| nearest(name.trim_end_matches('s'), names()));
    let home = TABLES.iter().find(|(_, keys)| keys.contains(&name));
    let hint = match (near.and_then(written), home) {
        (Some(near), _) => Some(format!("did you mean {near}?")),
        (None, Some((home, _))) => Some(format!("`{}` belongs into {home}", shown(name))),
        (None, None) => None,
    };
    let tables: Vec<&str> = TABLES.iter().map(|(what, _)| *what).collect();
    problems
        .error(at, format!("unknown table or key `{}`", shown(name)))
        .expected(format!("include or one of {}", tables.join(", ")))
        .maybe_hint(hint);
}

/// The tables of a `[[ ]]`.
pub(super) fn tables<'r, 'i>(
    what: &str,
    value: &'r Spanned<DeValue<'i>>,
    key_at: At,
    problems: &mut Problems,
) -> Vec<(&'r DeTable<'i>, At)> {
    let DeValue::Array(array) = value.get_ref() else {
        let name = what.trim_matches(['[', ']']);
        let found = value.get_ref();
        let note = problems.error(key_at, format!("`{name}` is {}", kind(found)));
        note.expected(format!("a table under {what}, one for each {name}"));
        if matches!(found, DeValue::Table(_)) {
            note.hint(format!("with double brackets: {what}"));
        }
        return Vec::new();
    };
    let mut found = Vec::with_capacity(array.len());
    for element in array.iter() {
        let at = place(key_at.file, element);
        match element.get_ref() {
            DeValue::Table(table) => found.push((table, at)),
            other => {
                problems
                    .error(at, format!("this is {}", kind(other)))
                    .expected(format!("a table under {what}"));
            }
        }
    }
    found
}

/// The table of a `[ ]`.
pub(super) fn table<'r, 'i>(
    what: &str,
    value: &'r Spanned<DeValue<'i>>,
    key_at: At,
    problems: &mut Problems,
) -> Option<&'r DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        other => {
            let note = problems
                .error(key_at, format!("`{}` is {}", what.trim_matches(['[', ']']), kind(other)));
            note.expected(format!("one table {what}"));
            if matches!(other, DeValue::Array(_)) {
                note.hint(format!("with single brackets: {what}"));
            }
            None
        }
    }
}
