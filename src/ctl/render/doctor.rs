//! `bgpctl doctor`: findings, the worst first, each with its cure below it.

use std::io::{self, Write};

use anstyle::Style;

use super::text::{clean, paragraph, width};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{Diagnosis, Finding, Level};

/// Longer subjects push their sentence to the right.
const SUBJECTS: std::ops::RangeInclusive<usize> = 8..=20;

/// All of it.
///
/// # Errors
/// Those of `out`.
pub fn doctor(page: &Page, diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    let fits = |subject: &str| Some(width(&clean(subject))).filter(|n| n <= SUBJECTS.end());
    let subjects = diagnosis.findings.iter().map(|finding| &finding.subject);
    let subjects = subjects.chain(diagnosis.unchecked.iter().map(|unchecked| &unchecked.check));
    let column = subjects.filter_map(|subject| fits(subject)).max().unwrap_or(0);
    let column = column.max(*SUBJECTS.start());
    for finding in &diagnosis.findings {
        line(page, column, finding, out)?;
    }
    for unchecked in &diagnosis.unchecked {
        let lead = format!("{FAINT}{:7}{FAINT:#}  {:column$}  ", "?", clean(&unchecked.check));
        indented(page, &lead, &clean(&unchecked.why), FAINT, out)?;
    }
    let count = |level| diagnosis.findings.iter().filter(|f| f.level == level).count();
    let counts: Vec<String> = [Level::Problem, Level::Warning, Level::Hint, Level::Ok]
        .into_iter()
        .map(|level| (level, count(level)))
        .filter(|(_, n)| *n > 0)
        .map(|(level, n)| match (level, n) {
            (Level::Ok, n) => format!("{n} ok"),
            (level, 1) => format!("1 {level}"),
            (level, n) => format!("{n} {level}s"),
        })
        .chain(
            (!diagnosis.unchecked.is_empty())
                .then(|| format!("{} not to be known from here", diagnosis.unchecked.len())),
        )
        .collect();
    let node = diagnosis.node.as_deref().map(|node| format!("{}: ", clean(node)));
    let style = style(diagnosis.worst);
    let (node, counts) = (node.unwrap_or_default(), counts.join(", "));
    writeln!(out)?;
    match page.has_room(width(&node) + width(&counts)) {
        true => writeln!(out, "{BOLD}{node}{BOLD:#}{style}{counts}{style:#}"),
        false => paragraph(page, "", &format!("{node}{counts}"), style, out),
    }
}

fn line(page: &Page, column: usize, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let style = style(finding.level);
    let word = finding.level.as_str();
    let subject = clean(&finding.subject);
    let lead = format!("{style}{word:7}{style:#}  {subject:column$}  ");
    indented(page, &lead, &clean(&finding.text), PLAIN, out)?;
    match &finding.cure {
        Some(cure) => {
            let lead = format!("{:9}{FAINT}cure:{FAINT:#} ", "");
            indented(page, &lead, &clean(cure), BOLD, out)
        }
        None => Ok(()),
    }
}

/// A lead with styles in it, and words that wrap behind it.
fn indented(
    page: &Page,
    lead: &str,
    text: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let plain = anstream::adapter::strip_str(lead).to_string();
    let mut whole = Vec::new();
    paragraph(page, &plain, text, style, &mut whole)?;
    // The paragraph had to know the width alone.
    out.write_all(lead.as_bytes())?;
    out.write_all(whole.get(plain.len()..).unwrap_or_default())
}

fn style(level: Level) -> Style {
    match level {
        Level::Ok => GOOD,
        Level::Hint => PLAIN,
        Level::Warning => WARN,
        Level::Problem => BAD,
    }
}
