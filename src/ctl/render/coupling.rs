//! `bgpctl fib couple`, `decouple`, `flush`: how the kernel stands.

use std::io::{self, Write};

use super::text::paragraph;
use super::{GOOD, PLAIN, Page, WARN};
use crate::api::FibCoupling;

/// One line, and what to know of it.
///
/// # Errors
/// Those of `out`.
pub fn coupling(page: &Page, stands: &FibCoupling, out: &mut impl Write) -> io::Result<()> {
    let differing = match stands.differing {
        0 => "it holds what it should".to_owned(),
        1 => "1 destination is not as it should be".to_owned(),
        n => format!("{n} destinations are not as they should be"),
    };
    if stands.coupled {
        let more = if stands.differing > 0 { ": `bgpctl show fib` says why" } else { "" };
        let text = format!("the kernel follows, {differing}{more}");
        return paragraph(page, "coupled: ", &text, GOOD, out);
    }
    if let Some(removed) = stands.removed {
        let what = if removed == 1 { "route of ours was" } else { "routes of ours were" };
        let text = format!("{removed} {what} removed from the kernel");
        paragraph(page, "flushed: ", &text, WARN, out)?;
    }
    let text = format!(
        "nothing is written to the kernel any more, {differing}; `bgpctl fib couple` or a restart \
         of the daemon ends that"
    );
    paragraph(page, "decoupled: ", &text, if stands.differing > 0 { WARN } else { PLAIN }, out)
}
