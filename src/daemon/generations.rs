//! The configurations that were in force: which one is, where each came from, and the way back.
//!
//! A number counts what was in force on this node, and a configuration that is taken back to is a
//! new one of that count. The last few are kept, word for word, so that `bgpctl rollback` needs
//! nothing from anybody: in memory, and with a state directory also in files ([`shelf`]), so that
//! the count goes on after a restart of the daemon. A restart that finds the same files goes on with
//! the same number.
//!
//! What was never confirmed was not meant: it is listed, and not gone back to unless by its number.

pub mod shelf;

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

use starling_config::Texts;

/// So many are kept, the one in force among them.
pub const KEPT: usize = 10;

/// Who wants a configuration in force, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish<'a> {
    /// Who ("the file changed", "bgpctl reload").
    pub source: &'a str,
    /// Why, in that one's words; may be empty.
    pub reason: &'a str,
}

impl<'a> Wish<'a> {
    /// Of somebody who says nothing of why.
    pub fn of(source: &'a str) -> Wish<'a> {
        Wish { source, reason: "" }
    }
}

/// For the log.
impl fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            "" => f.write_str(self.source),
            reason => write!(f, "{}: {reason}", self.source),
        }
    }
}

/// A configuration that is, or was, in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generation {
    /// Counts them, from 1.
    pub number: u64,
    /// Since when. It may have been before the daemon's start, so by the clock on the wall.
    pub since: SystemTime,
    /// Who wanted it, for people ("the file changed", "bgpctl apply new.toml").
    pub source: String,
    /// Why, in that one's words; may be empty.
    pub reason: String,
    /// What differs from the one before it, a sentence each.
    pub changes: Vec<String>,
    /// Nobody has to confirm it, or somebody did.
    pub confirmed: bool,
    /// What its files say.
    pub texts: Texts,
}

/// The last of them, in their order.
#[derive(Clone, Default, Debug)]
pub struct Generations {
    kept: VecDeque<Generation>,
    /// The highest number that any had, whatever became of it.
    last: u64,
}

impl Generations {
    /// Those that are there, oldest first; `last` is the highest number that was ever given.
    pub fn of(kept: Vec<Generation>, last: u64) -> Generations {
        Generations {
            last: kept.last().map_or(last, |newest| newest.number.max(last)),
            kept: kept.into(),
        }
    }

    /// The number of the next one.
    pub fn next(&self) -> u64 {
        self.last + 1
    }

    /// One more is in force; the number of the one that it displaces.
    pub fn push(&mut self, generation: Generation) -> Option<u64> {
        let displaced = (self.kept.len() == KEPT).then(|| self.kept.pop_front()).flatten();
        self.last = self.last.max(generation.number);
        self.kept.push_back(generation);
        displaced.map(|oldest| oldest.number)
    }

    /// The one that came into force last.
    pub fn newest(&self) -> Option<&Generation> {
        self.kept.back()
    }

    /// That one is meant.
    pub fn confirm(&mut self) {
        if let Some(newest) = self.kept.back_mut() {
            newest.confirmed = true;
        }
    }

    /// All that are kept, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Generation> {
        self.kept.iter()
    }

    /// The one of that number.
    pub fn get(&self, number: u64) -> Option<&Generation> {
        self.iter().find(|generation| generation.number == number)
    }

    /// The last one that was meant and said something else than the one in force.
    pub fn former(&self) -> Option<&Generation> {
        let (now, before) = (self.newest()?, self.iter().rev().skip(1));
        before.into_iter().find(|generation| generation.confirmed && generation.texts != now.texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64, text: &str) -> Generation {
        let texts = [("a.toml".into(), text.to_owned())].into_iter().collect();
        let (since, source, reason) = (SystemTime::UNIX_EPOCH, String::new(), String::new());
        Generation { number, since, source, reason, changes: Vec::new(), confirmed: true, texts }
    }

    #[test]
    fn the_former_one_says_something_else_and_was_meant() {
        let mut all = Generations::default();
        assert!(all.former().is_none());
        for (number, text) in [(1, "a"), (2, "b"), (3, "b")] {
            all.push(generation(number, text));
        }
        // A reload that changed nothing is not gone back to.
        assert_eq!(all.former().unwrap().number, 1);
        all.push(generation(4, "a"));
        assert_eq!(all.former().unwrap().number, 3);
        all.push(Generation { confirmed: false, ..generation(5, "c") });
        all.push(generation(6, "a"));
        assert_eq!(all.former().unwrap().number, 3, "5 was taken back");
        all.push(Generation { confirmed: false, ..generation(7, "d") });
        all.confirm();
        all.push(generation(8, "a"));
        assert_eq!(all.former().unwrap().number, 7);
    }

    #[test]
    fn the_oldest_go_first_and_numbers_go_on() {
        let mut all = Generations::of(vec![generation(1, "a")], 4);
        assert_eq!((all.next(), all.newest().unwrap().number), (5, 1));
        let displaced: Vec<_> = (5..=14).map(|n| all.push(generation(n, "a"))).collect();
        assert_eq!(displaced[..9], [None; 9]);
        assert_eq!(displaced[9], Some(1));
        assert_eq!(all.iter().map(|g| g.number).collect::<Vec<_>>(), (5..=14).collect::<Vec<_>>());
        assert!(all.get(1).is_none() && all.get(5).is_some());
        assert_eq!(Generations::of(vec![generation(9, "a")], 4).next(), 10);
    }
}
