//! `bgpctl fib audit`: what the kernel's table came to.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::text::paragraph;
use super::{BAD, FAINT, GOOD, Page, WARN};
use crate::api::FibAudit;

/// What was compared and found, and the destinations one by one.
///
/// # Errors
/// Those of `out`.
pub fn audit(page: &Page, audit: &FibAudit, out: &mut impl Write) -> io::Result<()> {
    let FibAudit { compared, missing, wrong, extra, unheard, repaired, findings, took_ms } = audit;
    let found = missing + wrong + extra;
    let (word, style) = match found {
        0 => ("clean", GOOD),
        found if found == *repaired => ("repaired", WARN),
        _ => ("not as it should be", BAD),
    };
    let text = format!(
        "{compared} routes compared in {took_ms} ms: {missing} missing, {wrong} wrong, {extra} \
         extra, {repaired} repaired"
    );
    paragraph(page, &format!("{word}: "), &text, style, out)?;
    if *unheard > 0 {
        let text = format!("{unheard} changed without news from the kernel");
        paragraph(page, "  (!) ", &text, WARN, out)?;
    }
    if findings.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::left("PREFIX"),
        Column::left("FOUND"),
        Column::words("WANTED"),
        Column::words("PRESENT"),
    ];
    let rows: Vec<Vec<Cell>> = findings
        .iter()
        .map(|finding| {
            let nothing = || Cell::styled("nothing", FAINT);
            vec![
                Cell::of(finding.prefix),
                Cell::new(finding.fault.as_str()),
                finding.want.as_ref().map_or_else(nothing, Cell::new),
                match finding.have.as_slice() {
                    [] => nothing(),
                    have => Cell::lines(have),
                },
            ]
        })
        .collect();
    writeln!(out)?;
    Table::new(page, columns).rows(&rows, out)
}
