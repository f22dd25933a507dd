//! `--watch`: what a command shows, again and again, until Ctrl-C.
//!
//! ```text
//!   a clock, a new size of the terminal ──► the command, into memory ──► [Face]
//!                                              [Face::Screen]  in its place, cut to the height
//!                                              [Face::Pipe]    under a line with the time
//!                                              [Face::Json]    a line; of a table an array of its rows
//! ```
//!
//! The screen is a page of its own, as an editor has one; what was seen last is left behind when that
//! is closed, which happens however this ends. Where no daemon answers at first that is an error as
//! ever; one that goes away later is told of and waited for.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use jiff::Zoned;
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::crossterm::{execute, queue};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval as ticking};

use super::cli::{Cli, Command};
use super::client::{Client, Failure};
use super::render::{self, Page};
use super::{monitor, once};
use crate::api::ApiError;

/// The shortest wait and the longest.
const LIMITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3600)];
/// Lines of the screen that are not the command's.
const FRAME: usize = 2;

/// Reads `2s`, `500ms`, `1m`, or a number of seconds.
///
/// # Errors
/// Where it is no time, or one that makes no sense.
pub fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("ms") => Some(1),
        Some("s" | "") => Some(1000),
        Some("m") => Some(60_000),
        _ => None,
    };
    let millis = digits.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    let time = millis.map(Duration::from_millis);
    let time = time.ok_or_else(|| format!("`{text}` is no time: expected 2s, 500ms or 1m"))?;
    let [least, most] = LIMITS;
    match (least..=most).contains(&time) {
        true => Ok(time),
        false => Err(format!("it is shown again after 100ms to 60m, not after `{text}`")),
    }
}

/// Shows it until somebody has seen enough.
///
/// # Errors
/// As [`super::run`], of the first time; later those of `out`.
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    every: Duration,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let mut ticks = ticking(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let of = |kind| signal(kind).map_err(Failure::Output);
    let mut interrupt = of(SignalKind::interrupt())?;
    let (mut terminate, mut hangup) = (of(SignalKind::terminate())?, of(SignalKind::hangup())?);
    let mut resized = of(SignalKind::window_change())?;
    let mut reader = std::pin::pin!(monitor::reader_gone());
    let is_screen = !cli.json && io::stdout().is_terminal();
    let mut screen: Option<Screen> = None;
    let mut begun = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = resized.recv(), if is_screen => {}
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => break,
            () = &mut reader => break,
        }
        let page = Page::of_stdout();
        let room = if is_screen { rows().saturating_sub(FRAME) } else { usize::MAX };
        let mut shown = Shown { room, ..Shown::default() };
        let outcome = tokio::select! {
            outcome = once(cli, client, &page, &mut shown) => outcome,
            // A daemon that is slow to answer is no reason to stay.
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        let trouble = match outcome {
            Ok(_) => None,
            Err(Failure::Absent(error) | Failure::Refused(error)) if begun => Some(error),
            Err(failure) => return Err(failure),
        };
        begun = true;
        if is_screen {
            let screen = match &mut screen {
                Some(screen) => screen,
                none => none.insert(Screen::open().map_err(Failure::Output)?),
            };
            screen.draw(shown, trouble.as_ref(), &head(every), out).map_err(Failure::Output)?;
            continue;
        }
        let written = match (&trouble, cli.json) {
            // Out of the way of whoever reads the rows.
            (Some(error), _) => {
                render::error(&Page::of_stderr(), error, &mut anstream::stderr().lock())
            }
            (None, true) => out.write_all(&line(&cli.command, &shown.bytes)),
            (None, false) => writeln!(out, "--- {}", Zoned::now().strftime("%H:%M:%S"))
                .and_then(|()| out.write_all(&shown.bytes)),
        };
        written.and_then(|()| out.flush()).map_err(Failure::Output)?;
    }
    Ok(0)
}

/// What is shown, and how often.
fn head(every: Duration) -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("every {every:?}, at {}: bgpctl {}", Zoned::now().strftime("%H:%M:%S"), words.join(" "))
}

/// What came as JSON, on one line.
fn line(command: &Command, bytes: &[u8]) -> Vec<u8> {
    let rows = matches!(command, Command::Show(show) if show.is_of_rows());
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut line = Vec::with_capacity(bytes.len() + 3);
    line.extend(rows.then_some(b'['));
    // There is no newline within a row: JSON writes it as an escape.
    line.extend(bytes.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }));
    line.extend(rows.then_some(b']'));
    line.push(b'\n');
    line
}

/// What a command wrote, as far as there is room for its lines.
#[derive(Default, Debug)]
struct Shown {
    bytes: Vec<u8>,
    /// Lines that are kept yet.
    room: usize,
    /// Lines that were not.
    more: usize,
}

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if self.room > 0 {
                self.bytes.extend_from_slice(piece);
                self.room -= usize::from(ends);
            } else {
                self.more += usize::from(ends);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal's height.
fn rows() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or(24, |(_, height)| usize::from(height.0))
}

/// A page of the terminal's own; dropped, it is as it was, with what was seen last.
struct Screen {
    last: Shown,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        execute!(io::stdout(), EnterAlternateScreen, Hide, DisableLineWrap)?;
        Ok(Screen { last: Shown::default() })
    }

    /// `out` leaves out colours where they are not wanted; what moves the cursor goes beside it.
    fn draw(
        &mut self,
        shown: Shown,
        trouble: Option<&ApiError>,
        head: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // What was seen last is better than nothing.
        if trouble.is_none() {
            self.last = shown;
        }
        let end = || queue!(io::stdout(), Clear(ClearType::UntilNewLine));
        queue!(io::stdout(), MoveTo(0, 0))?;
        match trouble {
            None => render::faint(head, out)?,
            Some(error) => render::trouble(&error.error, out)?,
        }
        out.flush().and_then(|()| end())?;
        writeln!(out)?;
        // Behind the last line there is none: at the bottom it would move all others up.
        let body = self.last.bytes.strip_suffix(b"\n").unwrap_or(&self.last.bytes);
        for line in body.split(|byte| *byte == b'\n') {
            out.write_all(line)?;
            out.flush().and_then(|()| end())?;
            writeln!(out)?;
        }
        out.flush()?;
        // The last line break led one line further.
        queue!(io::stdout(), Clear(ClearType::FromCursorDown))?;
        if self.last.more > 0 {
            let more = format!("… and {} more lines: a higher terminal, or a pipe", self.last.more);
            let bottom = u16::try_from(rows().saturating_sub(1)).unwrap_or(u16::MAX);
            queue!(io::stdout(), MoveTo(0, bottom))?;
            render::faint(&more, out)?;
            out.flush().and_then(|()| end())?;
        }
        io::stdout().flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        let _ = execute!(io::stdout(), EnableLineWrap, Show, LeaveAlternateScreen);
        let mut out = anstream::stdout();
        let _ = out.write_all(&self.last.bytes).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, millis) in [("2s", 2000), ("2", 2000), ("500ms", 500), ("1m", 60_000)] {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "s", "0s", "99ms", "61m", "1h", "-2s", "2.5s", "2 s", "99999999999999999999s"]
        {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let mut shown = Shown { room: 2, ..Shown::default() };
        // As it comes, in pieces.
        for piece in ["a", "b\nc", "\nd", "\ne\n", "f\n"] {
            shown.write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!((shown.bytes.as_slice(), shown.more), (&b"ab\nc\n"[..], 3));
    }

    #[test]
    fn rows_become_an_array() {
        let parse = |words: &[&str]| {
            super::super::cli::parse(&words.iter().map(Into::into).collect::<Vec<_>>())
        };
        let of = |words: &[&str], bytes: &[u8]| {
            String::from_utf8(line(&parse(words).unwrap().command, bytes)).unwrap()
        };
        let routes = ["bgpctl", "show", "routes"];
        assert_eq!(of(&routes, b"{\"a\":1}\n{\"b\":\"\\n\"}\n"), "[{\"a\":1},{\"b\":\"\\n\"}]\n");
        assert_eq!(of(&routes, b""), "[]\n");
        assert_eq!(of(&["bgpctl", "show", "summary"], b"{}\n"), "{}\n");
    }
}
