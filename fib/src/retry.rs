//! When to try again: routes that were refused, routes that somebody keeps changing, dumps.
//!
//! In: failures and drift with the time. Out: whether something may be tried now, when next, and
//! whether a failure is news. Waits double, so that neither a kernel that will not have a route
//! nor a second daemon that wants it otherwise is fought in a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Changes by others that are put back at once, within [`DRIFT_WINDOW`].
const DRIFTS_AT_ONCE: u32 = 5;
/// Changes remembered without looking which are old.
const MOST_CALM: usize = 1024;
const DRIFT_WINDOW: Duration = Duration::from_secs(1);

fn longer(wait: Duration) -> Duration {
    (wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT)
}

/// Why a route could not be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// errno.
    pub errno: i32,
    /// The kernel's words.
    pub reason: String,
    told: BTreeSet<i32>,
    times: u32,
    wait: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Drift {
    since: Duration,
    times: u32,
    wait: Duration,
    last: Duration,
}

/// The waits of prefixes.
#[derive(Clone, Default, Debug)]
pub struct Retry {
    refusals: BTreeMap<IpNet, Refusal>,
    drifts: BTreeMap<IpNet, Drift>,
    /// How many of them before old ones are looked for again.
    tidy_at: usize,
    until: BTreeMap<IpNet, Duration>,
    order: BTreeSet<(Duration, IpNet)>,
}

impl Retry {
    /// A write was refused. `is_race`: the errno also comes of news that is still on its way; the
    /// first one is then neither told nor waited for. Whether this is news for people.
    pub fn refused(
        &mut self,
        prefix: IpNet,
        errno: i32,
        reason: &str,
        is_race: bool,
        now: Duration,
    ) -> bool {
        let refusal = self.refusals.entry(prefix).or_insert_with(|| Refusal {
            errno,
            reason: String::new(),
            told: BTreeSet::new(),
            times: 0,
            wait: Duration::ZERO,
        });
        refusal.errno = errno;
        refusal.reason = reason.to_owned();
        refusal.times = refusal.times.saturating_add(1);
        if is_race && refusal.times == 1 {
            return false;
        }
        refusal.wait = longer(refusal.wait);
        let news = refusal.told.insert(errno);
        let until = now.saturating_add(refusal.wait);
        self.block(prefix, until);
        news
    }

    /// Somebody changed a route of ours. It may be put back at once, or after a wait that grows
    /// if this repeats. Whether it was changed a moment ago too.
    pub fn drifted(&mut self, prefix: IpNet, now: Duration) -> bool {
        if self.drifts.len() >= self.tidy_at.max(MOST_CALM) {
            self.drifts.retain(|_, drift| now.saturating_sub(drift.last) < LONGEST_WAIT);
            self.tidy_at = self.drifts.len() * 2;
        }
        let repeated = self
            .drifts
            .get(&prefix)
            .is_some_and(|drift| now.saturating_sub(drift.last) < LONGEST_WAIT);
        let fresh = Drift { since: now, times: 0, wait: Duration::ZERO, last: now };
        let drift = self.drifts.entry(prefix).or_insert(fresh);
        if now.saturating_sub(drift.last) >= LONGEST_WAIT.saturating_add(drift.wait) {
            *drift = fresh;
        }
        // Once it repeats, every further change costs a longer wait; before that, only the
        // changes of one window count together.
        if drift.wait.is_zero() && now.saturating_sub(drift.since) >= DRIFT_WINDOW {
            drift.since = now;
            drift.times = 0;
        }
        drift.last = now;
        drift.times = drift.times.saturating_add(1);
        if drift.times > DRIFTS_AT_ONCE {
            drift.wait = longer(drift.wait);
            let until = now.saturating_add(drift.wait);
            self.block(prefix, until);
        }
        repeated
    }

    /// Not before `until`.
    pub fn delay(&mut self, prefix: IpNet, until: Duration) {
        self.block(prefix, until);
    }

    /// The kernel holds what it should: a former refusal is history.
    pub fn settled(&mut self, prefix: IpNet) {
        if self.refusals.remove(&prefix).is_some() {
            self.unblock(prefix);
        }
    }

    /// What the refusal rested on has changed: try at once.
    pub fn unblock(&mut self, prefix: IpNet) {
        if let Some(until) = self.until.remove(&prefix) {
            self.order.remove(&(until, prefix));
        }
    }

    /// Every wait ends.
    pub fn clear(&mut self) {
        *self = Retry::default();
    }

    /// Whether a prefix has to wait.
    pub fn waits(&self, prefix: IpNet) -> bool {
        self.until.contains_key(&prefix)
    }

    /// Prefixes that were refused when they were tried last, races aside.
    pub fn refused_now(&self) -> usize {
        self.refusals.values().filter(|refusal| !refusal.wait.is_zero()).count()
    }

    /// Why a prefix was refused last.
    pub fn refusal(&self, prefix: IpNet) -> Option<&Refusal> {
        self.refusals.get(&prefix)
    }

    /// Prefixes whose wait is over.
    pub fn due(&mut self, now: Duration) -> Vec<IpNet> {
        let mut due = Vec::new();
        while let Some(&(until, prefix)) = self.order.first() {
            if until > now {
                break;
            }
            self.order.pop_first();
            self.until.remove(&prefix);
            due.push(prefix);
        }
        due
    }

    /// When the next wait ends.
    pub fn deadline(&self) -> Option<Duration> {
        self.order.first().map(|(until, _)| *until)
    }

    fn block(&mut self, prefix: IpNet, until: Duration) {
        let until = self.until.get(&prefix).map_or(until, |there| until.max(*there));
        self.unblock(prefix);
        self.until.insert(prefix, until);
        self.order.insert((until, prefix));
    }
}

/// When to read everything.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reading {
    due: Option<Duration>,
    last: Option<Duration>,
    pause: Duration,
    /// The last one failed, so that the pause is for failing, not for reading often.
    failing: bool,
}

impl Reading {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(30);
    /// Of the time, one part in so many may be spent reading, where reading is wanted all the time.
    const SHARE: u32 = 10;
    /// Doubt waits so long, so that a burst of events costs one dump.
    const DOUBT: Duration = Duration::from_secs(1);

    /// As soon as the pause since the last time allows.
    pub fn soon(&mut self, now: Duration) {
        let at = self.last.map_or(now, |last| now.max(last.saturating_add(self.pause)));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// In a while: what is known is likely right.
    pub fn eventually(&mut self, now: Duration) {
        self.soon(now.saturating_add(Reading::DOUBT));
    }

    /// It failed: the pause grows.
    pub fn failed(&mut self, now: Duration) {
        self.pause = match self.failing {
            true => (self.pause * 2).clamp(Reading::SHORTEST, Reading::LONGEST),
            false => self.pause.max(Reading::SHORTEST),
        };
        self.failing = true;
        self.last = Some(now);
        self.soon(now);
    }

    /// It succeeded: failures before it are history. Until the next is read nothing is written, so
    /// one that costs little is not put off for long, however often it is wanted.
    pub fn succeeded(&mut self, now: Duration) {
        if std::mem::take(&mut self.failing) {
            self.pause = Duration::ZERO;
        }
        let cost = self.last.map_or(Duration::ZERO, |begun| now.saturating_sub(begun));
        self.pause = self.pause.min((cost * Reading::SHARE).max(Reading::SHORTEST));
    }

    /// Whether it is time; if so, it counts as begun.
    pub fn begin(&mut self, now: Duration) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        // Reading often is a sign of trouble that reading does not mend.
        self.pause = match self.last {
            _ if self.failing => self.pause,
            Some(last) if now.saturating_sub(last) < self.pause.max(Reading::SHORTEST) * 10 => {
                (self.pause * 2).clamp(Reading::SHORTEST, Reading::LONGEST)
            }
            _ => Duration::ZERO,
        };
        self.last = Some(now);
        true
    }

    /// When.
    pub fn deadline(&self) -> Option<Duration> {
        self.due
    }
}

#[cfg(test)]
mod tests;
