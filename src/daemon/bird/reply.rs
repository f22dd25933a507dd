//! A reply of BIRD: lines with codes.
//!
//! `1002-text` is a line that others follow, `0000 text` the last one; a line with the code of the
//! one before it begins with one space instead.

use std::fmt::Write;

/// Lines that are not sent yet.
#[derive(Default, Debug)]
pub(super) struct Reply {
    text: String,
    /// The code of the last line, which the next one need not repeat.
    code: Option<u16>,
}

impl Reply {
    /// One more line, which others follow. A line's end within `text` would begin another one:
    /// it becomes a space, as does all that steers a terminal.
    pub(super) fn line(&mut self, code: u16, text: &str) {
        match self.code {
            // Writing to a `String` cannot fail, here and below.
            Some(last) if last == code => self.text.push(' '),
            _ => _ = write!(self.text, "{code:04}-"),
        }
        self.code = Some(code);
        self.rest(text);
    }

    /// The last line.
    pub(super) fn end(&mut self, code: u16, text: &str) {
        let _ = write!(self.text, "{code:04} ");
        self.code = None;
        self.rest(text);
    }

    /// Octets that wait.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// What waits; the reply goes on after it.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    fn rest(&mut self, text: &str) {
        let plain = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        self.text.extend(text.chars().map(plain));
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests;
