//! The configurations that were in force: which one is, where each came from, and the way back.
//!
//! A number counts what was in force since the daemon started, and a configuration that is taken
//! back to is a new one of that count. The last few are kept in memory, word for word, so that
//! `bgpctl rollback` needs nothing from anybody; after a restart of the daemon the file alone says
//! what was.

use std::collections::VecDeque;
use std::sync::Arc;

use starling_bgp::types::Time;
use starling_config::Config;

/// So many are kept, the one in force among them.
pub const KEPT: usize = 10;

/// A configuration that is, or was, in force.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Counts them, from 1.
    pub number: u64,
    /// Since when.
    pub since: Time,
    /// Who wanted it, for people ("the file changed", "bgpctl apply new.toml").
    pub source: String,
    /// What differs from the one before it, a sentence each.
    pub changes: Vec<String>,
    /// What it says.
    pub config: Arc<Config>,
}

/// The last of them, in their order.
#[derive(Clone, Default, Debug)]
pub struct Generations(VecDeque<Generation>);

impl Generations {
    /// One more is in force.
    pub fn push(&mut self, generation: Generation) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(generation);
    }

    /// All that are kept, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Generation> {
        self.0.iter()
    }

    /// The one of that number.
    pub fn get(&self, number: u64) -> Option<&Generation> {
        self.iter().find(|generation| generation.number == number)
    }

    /// The last one that said something else than the one in force.
    pub fn former(&self) -> Option<&Generation> {
        let (now, before) = (self.0.back()?, self.iter().rev().skip(1));
        before.into_iter().find(|generation| generation.config.texts != now.config.texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64, asn: u32) -> Generation {
        let text =
            format!("[cluster]\nasn = {asn}\n[[node]]\nname = \"a\"\naddress = \"10.0.0.1\"");
        let config = Arc::new(starling_config::parse(&text).unwrap());
        let (source, changes) = (String::new(), Vec::new());
        Generation { number, since: Time::ZERO, source, changes, config }
    }

    #[test]
    fn the_former_one_says_something_else() {
        let mut all = Generations::default();
        assert!(all.former().is_none());
        for (number, asn) in [(1, 1), (2, 2), (3, 2)] {
            all.push(generation(number, asn));
        }
        // A reload that changed nothing is not gone back to.
        assert_eq!(all.former().unwrap().number, 1);
        all.push(generation(4, 1));
        assert_eq!(all.former().unwrap().number, 3);
    }

    #[test]
    fn the_oldest_go_first() {
        let mut all = Generations::default();
        (1..=KEPT as u64 + 2).for_each(|number| all.push(generation(number, 1)));
        assert_eq!(all.iter().map(|g| g.number).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>());
        assert!(all.get(2).is_none() && all.get(3).is_some());
    }
}
