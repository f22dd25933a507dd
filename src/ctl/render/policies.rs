//! `bgpctl show policies` and `bgpctl policy test`: rules, and which of them decides.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::text::{clean, field};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page};
use crate::api::{Place, Policy, PolicyTest, PolicyUse, TestedRoute};

/// How many neighbours a line names.
const NAMES: usize = 6;

/// A block for each policy.
///
/// # Errors
/// Those of `out`.
pub fn policies(page: &Page, policies: &[Policy], out: &mut impl Write) -> io::Result<()> {
    if policies.is_empty() {
        return writeln!(
            out,
            "no policies: `import` and `export` decide, and every best route enters the kernel"
        );
    }
    for (i, policy) in policies.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{BOLD}{}{BOLD:#}", clean(&policy.name))?;
        field(page, "asked", &uses(&policy.used), PLAIN, out)?;
        let columns = vec![
            Column::right("    RULE"),
            Column::right("HITS"),
            Column::words("NAME"),
            Column::words("MATCHES"),
            Column::words("THEN"),
        ];
        let mut table = Table::new(page, columns);
        let rows: Vec<Vec<Cell>> = policy
            .rules
            .iter()
            .map(|rule| {
                vec![
                    Cell::of(rule.number),
                    Cell::of(rule.hits),
                    Cell::new(rule.name.as_deref().unwrap_or("-")),
                    Cell::new(match &rule.unless {
                        Some(unless) => format!("{} unless {unless}", rule.when),
                        None => rule.when.clone(),
                    }),
                    verdict(rule.then != "reject", &rule.then),
                ]
            })
            .collect();
        table.rows(&rows, out)?;
    }
    Ok(())
}

/// `import from gw0, export to gw0 and 3 more, kernel`.
fn uses(all: &[PolicyUse]) -> String {
    let names = |place: Place, word: &str| {
        let names: Vec<&str> = all
            .iter()
            .filter(|used| used.place == place)
            .map(|used| used.neighbor.as_deref().unwrap_or(""))
            .collect();
        match (names.as_slice(), place) {
            ([], _) => None,
            (_, Place::Kernel) => Some(word.to_owned()),
            (names, _) if names.len() <= NAMES => Some(format!("{word} {}", names.join(", "))),
            (names, _) => {
                let shown = names.get(..NAMES - 1).unwrap_or_default().join(", ");
                Some(format!("{word} {shown} and {} more", names.len() - (NAMES - 1)))
            }
        }
    };
    let said = [
        names(Place::Import, "import from"),
        names(Place::Export, "export to"),
        names(Place::Kernel, "into the kernel"),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn verdict(accepted: bool, words: &str) -> Cell {
    Cell::styled(words, if accepted { GOOD } else { BAD })
}

/// A block for each place where a route was judged.
///
/// # Errors
/// Those of `out`.
pub fn policy_tests(page: &Page, tests: &[PolicyTest], out: &mut impl Write) -> io::Result<()> {
    for (i, test) in tests.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        one_test(page, test, out)?;
    }
    Ok(())
}

fn one_test(page: &Page, test: &PolicyTest, out: &mut impl Write) -> io::Result<()> {
    let whose = match (test.place, &test.neighbor) {
        (Place::Import, Some(name)) => format!("import from {name}"),
        (Place::Export, Some(name)) => format!("export to {name}"),
        (Place::Kernel, _) => "into the kernel".to_owned(),
        (place, None) => place.to_string(),
    };
    let (word, style) = if test.accepted { ("accepted", GOOD) } else { ("rejected", BAD) };
    writeln!(out, "{BOLD}{}{BOLD:#}  {}: {style}{word}{style:#}", test.prefix, clean(&whose))?;
    field(page, "why", &test.why, PLAIN, out)?;
    field(page, "changes", test.changes.as_deref().unwrap_or(""), PLAIN, out)?;
    field(page, "route", &route(&test.route), PLAIN, out)?;
    if test.steps.is_empty() {
        return Ok(());
    }
    let columns =
        vec![Column::left("    RULE"), Column::words("SAYS"), Column::words("AND THE ROUTE")];
    let mut table = Table::new(page, columns);
    let rows: Vec<Vec<Cell>> = test
        .steps
        .iter()
        .map(|step| {
            let fares = match &step.miss {
                Some(miss) => Cell::styled(miss, FAINT),
                None => verdict(test.accepted, "matches: this rule decides"),
            };
            vec![Cell::new(format!("    {}", step.rule)), Cell::new(&step.says), fares]
        })
        .collect();
    table.rows(&rows, out)
}

/// `from gw0, next hop 10.1.5.1, AS path 65000, local pref 100`.
fn route(route: &TestedRoute) -> String {
    let mut words = Vec::new();
    if route.hypothetical {
        words.push("made up".to_owned());
    }
    words.push(match route.from.as_str() {
        "local" => "of this node".to_owned(),
        from => format!("from {from}"),
    });
    words.extend(route.next_hop.map(|address| format!("next hop {address}")));
    words.push(match route.as_path.as_str() {
        "" => "AS path empty".to_owned(),
        path => format!("AS path {path}"),
    });
    words.push(format!("local pref {}", route.local_pref));
    words.extend(route.med.map(|med| format!("MED {med}")));
    if !route.communities.is_empty() {
        words.push(format!("communities {}", route.communities.join(" ")));
    }
    words.join(", ")
}
