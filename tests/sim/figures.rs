//! What the games of a scenario came to, for people: distributions of virtual time, and holes.

use std::fmt;
use std::time::Duration;

use crate::blackholes::Account;

/// Gathered over all seeds of a scenario.
#[derive(Default)]
pub struct Figures {
    times: Vec<(&'static str, Vec<Duration>)>,
    holes: Vec<(&'static str, Vec<Account>)>,
}

impl Figures {
    /// How long something took in one game.
    pub fn time(&mut self, what: &'static str, took: Duration) {
        push(&mut self.times, what, took);
    }

    /// How long pods were not reached in a part of one game.
    pub fn holes(&mut self, what: &'static str, account: Account) {
        push(&mut self.holes, what, account);
    }

    /// Both.
    pub fn with(mut self, other: Figures) -> Figures {
        for (what, times) in other.times {
            times.into_iter().for_each(|time| push(&mut self.times, what, time));
        }
        for (what, holes) in other.holes {
            holes.into_iter().for_each(|account| push(&mut self.holes, what, account));
        }
        self
    }
}

fn push<T>(rows: &mut Vec<(&'static str, Vec<T>)>, what: &'static str, value: T) {
    match rows.iter_mut().find(|(name, _)| *name == what) {
        Some((_, values)) => values.push(value),
        None => rows.push((what, vec![value])),
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.times {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100];
            writeln!(
                f,
                "  {what}: min {:.3?}, median {:.3?}, 95 % {:.3?}, max {:.3?}",
                at(0),
                at(50),
                at(95),
                at(100)
            )?;
        }
        for (what, accounts) in &self.holes {
            let total: Duration = accounts.iter().map(|account| account.total).sum();
            let times: u64 = accounts.iter().map(|account| account.times).sum();
            if let Some(worst) = accounts.iter().max_by_key(|account| account.longest) {
                writeln!(f, "  {what}: {times} holes, {total:.1?}; the worst game: {worst}")?;
            }
        }
        Ok(())
    }
}
