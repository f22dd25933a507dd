//! `bgpctl why`: the verdict, what to do, and below that the facts, a line a cause.

use std::io::{self, Write};

use anstyle::Style;

use super::text::{clean, field, paragraph};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{Back, Outcome, Tone, Why};

/// One answer, and that of the other end where it was asked for.
///
/// # Errors
/// Those of `out`.
pub fn why(page: &Page, why: &Why, out: &mut impl Write) -> io::Result<()> {
    one_way(page, why, out)?;
    match &why.back {
        Some(back) => {
            writeln!(out)?;
            way_back(page, back, out)
        }
        None => Ok(()),
    }
}

fn one_way(page: &Page, why: &Why, out: &mut impl Write) -> io::Result<()> {
    paragraph(page, "", &clean(&why.verdict), verdict_style(why.outcome), out)?;
    field(page, "what to do", why.advice.as_deref().unwrap_or(""), BOLD, out)?;
    for fact in &why.facts {
        let style = match fact.tone {
            Tone::Plain => PLAIN,
            Tone::Warn => WARN,
            Tone::Bad => BAD,
        };
        field(page, fact.about.as_str(), &fact.text, style, out)?;
    }
    Ok(())
}

fn way_back(page: &Page, back: &Back, out: &mut impl Write) -> io::Result<()> {
    let mut title = format!("the way back to {}", back.target);
    if let Some(node) = &back.node {
        title.push_str(&format!(", from {node}"));
    }
    if let Some(place) = back.at {
        title.push_str(&format!(" (asked at {place})"));
    }
    paragraph(page, "", &clean(&title), FAINT, out)?;
    match (&back.why, &back.unasked) {
        (Some(why), _) => one_way(page, why, out),
        (None, words) => {
            let words = words.as_deref().unwrap_or("it was not asked");
            paragraph(page, "", &clean(words), WARN, out)
        }
    }
}

fn verdict_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Local | Outcome::Reached => GOOD,
        Outcome::Astray => WARN,
        Outcome::Unreached => BAD,
    }
}
