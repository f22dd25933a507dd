//! The timers of one neighbour (RFC 4271 §8.1.3, §10), and what spreads them: jitter, backoff.
//!
//! A timer is a moment or nothing; nobody here waits. Jitter comes from a seed that the
//! constructor was given, so that one seed gives one run.

use std::time::Duration;

use super::Running;
use crate::msg::Slot;
use crate::types::Time;

/// The hold time while an OPEN is awaited (RFC 4271 §8.2.2 suggests four minutes).
pub(crate) const LARGE_HOLD: Duration = Duration::from_secs(240);

/// The first wait before another attempt; it doubles up to the configured `connect_retry`.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// No attempt follows another sooner, whatever is configured.
const LEAST_RETRY: Duration = Duration::from_millis(100);

/// How long our bytes may wait unsent, unless that is configured, and at least twice the hold
/// time (RFC 9687 §4.3).
const SEND_HOLD: Duration = Duration::from_secs(480);

/// KEEPALIVEs go no faster (RFC 4271 §4.4).
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);

/// The send hold time of a session whose hold time is `hold`: what is configured, or the default
/// (RFC 9687 §4.3).
pub fn send_hold(configured: Option<Duration>, hold: Duration) -> Duration {
    configured.unwrap_or_else(|| SEND_HOLD.max(hold * 2))
}

/// See [`Jitter::keepalive`]: two moments fall into the last quarter of an interval.
const SHARED: u64 = 8;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// Until then, after an error, the neighbour's connections are refused. Of a stopped session:
    /// when it begins again by itself.
    IdleHold,
    /// The next attempt to dial, or the end of the one under way.
    ConnectRetry,
    /// The neighbour must be heard on that connection.
    Hold(Slot),
    /// Half of that time is over: a neighbour that lives would have been heard.
    Overdue(Slot),
    /// The neighbour must hear us on that connection.
    Keepalive(Slot),
    /// The neighbour of the Established session must take what we send (RFC 9687).
    SendHold,
}

impl Timer {
    /// All, in the order in which those due at the same moment are served.
    pub(crate) const ALL: [Timer; 9] = [
        Timer::IdleHold,
        Timer::Hold(Slot::Dialled),
        Timer::Hold(Slot::Accepted),
        Timer::SendHold,
        Timer::Keepalive(Slot::Dialled),
        Timer::Keepalive(Slot::Accepted),
        Timer::Overdue(Slot::Dialled),
        Timer::Overdue(Slot::Accepted),
        Timer::ConnectRetry,
    ];
}

/// The deadlines that are set.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Timers {
    idle_hold: Option<Time>,
    connect_retry: Option<Time>,
    send_hold: Option<Time>,
    dialled: OfConn,
    accepted: OfConn,
}

#[derive(Clone, Copy, Default, Debug)]
struct OfConn {
    hold: Option<Time>,
    overdue: Option<Time>,
    keepalive: Option<Time>,
}

impl Timers {
    fn of(&mut self, slot: Slot) -> &mut OfConn {
        match slot {
            Slot::Dialled => &mut self.dialled,
            Slot::Accepted => &mut self.accepted,
        }
    }

    fn entry(&mut self, timer: Timer) -> &mut Option<Time> {
        match timer {
            Timer::IdleHold => &mut self.idle_hold,
            Timer::ConnectRetry => &mut self.connect_retry,
            Timer::Hold(slot) => &mut self.of(slot).hold,
            Timer::Overdue(slot) => &mut self.of(slot).overdue,
            Timer::Keepalive(slot) => &mut self.of(slot).keepalive,
            Timer::SendHold => &mut self.send_hold,
        }
    }

    /// (Re)starts a timer.
    pub(crate) fn start(&mut self, timer: Timer, at: Time) {
        *self.entry(timer) = Some(at);
    }

    /// Stops a timer.
    pub(crate) fn stop(&mut self, timer: Timer) {
        *self.entry(timer) = None;
    }

    /// Stops both timers of a connection.
    pub(crate) fn stop_conn(&mut self, slot: Slot) {
        *self.of(slot) = OfConn::default();
    }

    /// When the timer ends, if it runs.
    pub(crate) fn at(&mut self, timer: Timer) -> Option<Time> {
        *self.entry(timer)
    }

    /// Until when the neighbour is left alone.
    pub(crate) fn idle_hold(&self) -> Option<Time> {
        self.idle_hold
    }

    /// What an operator should see of them. Where two connections are made, of the one that ends
    /// first.
    pub(crate) fn running(&self) -> Running {
        let first = |of: fn(&OfConn) -> Option<Time>| {
            [of(&self.dialled), of(&self.accepted)].into_iter().flatten().min()
        };
        Running {
            connect_retry: self.connect_retry,
            hold: first(|conn| conn.hold),
            keepalive: first(|conn| conn.keepalive),
            send_hold: self.send_hold,
        }
    }

    /// Whether the timer's moment has come; it is stopped then.
    pub(crate) fn take_due(&mut self, timer: Timer, now: Time) -> bool {
        self.entry(timer).take_if(|at| *at <= now).is_some()
    }

    /// The next moment of all.
    pub(crate) fn next(&self) -> Option<Time> {
        let OfConn { hold: a, keepalive: b, overdue: c } = self.dialled;
        let OfConn { hold: d, keepalive: e, overdue: f } = self.accepted;
        let [g, h, i] = [self.idle_hold, self.connect_retry, self.send_hold];
        [a, b, c, d, e, f, g, h, i].into_iter().flatten().min()
    }
}

/// A sequence of numbers that a seed decides (splitmix64: every seed is as good as another).
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// More than zero, at most `most`, to the microsecond.
    pub(crate) fn within(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next() % micros + 1)
    }

    /// A number below `count`.
    pub(crate) fn one_of(&mut self, count: u64) -> u64 {
        self.next() % count.max(1)
    }

    /// Three quarters of `mean` to all of it (RFC 4271 §10).
    pub(crate) fn scale(&mut self, mean: Duration) -> Duration {
        mean - mean / 4 + self.within(mean / 4).min(mean / 4)
    }

    /// When the next KEEPALIVE goes: after three quarters of a third of the hold time to all of
    /// it. Zero has none.
    ///
    /// It is one of the moments that all sessions with this hold time share, [`SHARED`] of them in
    /// each interval, so that one wake-up of an idle daemon serves many neighbours; which one
    /// is the jitter. The moments count from the daemon's start: no two daemons share them.
    pub(crate) fn keepalive(&mut self, now: Time, hold: Duration) -> Option<Time> {
        if hold.is_zero() {
            return None;
        }
        let interval = (hold / 3).max(LEAST_KEEPALIVE);
        let step = (interval.as_micros() as u64 / SHARED).max(1);
        let latest = now.after(interval).0 / step - self.next() % 2;
        Some(Time(latest * step).max(now.after(LEAST_KEEPALIVE)))
    }
}

/// How long to wait after the next failure: quick at first, so that a mesh that starts one node
/// after the other forms in seconds.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure, before jitter, at most `most`.
    pub(crate) fn next(&mut self, most: Duration) -> Duration {
        self.next_from(FIRST_RETRY, most).max(LEAST_RETRY)
    }

    /// The same where the first wait is another one; no wait is too short.
    pub(crate) fn next_from(&mut self, first: Duration, most: Duration) -> Duration {
        let wait = first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        wait.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds_and_repeats_with_its_seed() {
        let mean = Duration::from_secs(120);
        let (mut one, mut two) = (Jitter::new(7), Jitter::new(7));
        let drawn: Vec<Duration> = (0..1000).map(|_| one.scale(mean)).collect();
        assert!(drawn.iter().all(|d| (Duration::from_secs(90)..=mean).contains(d)));
        let spread = *drawn.iter().max().unwrap() - *drawn.iter().min().unwrap();
        assert!(spread > Duration::from_secs(29), "it uses the whole range: {spread:?}");
        assert!(drawn.iter().all(|d| two.scale(mean) == *d));
        assert_ne!(Jitter::new(8).scale(mean), drawn[0]);
        assert_eq!(one.scale(Duration::ZERO), Duration::ZERO);
        assert!(!one.within(Duration::ZERO).is_zero());
    }

    #[test]
    fn keepalives_go_at_a_third_of_the_hold_time_but_once_a_second_at_most() {
        let mut jitter = Jitter::new(1);
        assert_eq!(jitter.keepalive(Time(5), Duration::ZERO), None);
        for n in 0..100 {
            let now = Time(n * 777_777);
            let next = jitter.keepalive(now, Duration::from_secs(90)).unwrap().since(now);
            assert!((22_500..=30_000).contains(&next.as_millis()), "{next:?}");
            let next = jitter.keepalive(now, Duration::from_secs(3)).unwrap().since(now);
            assert_eq!(next, Duration::from_secs(1));
        }
    }

    #[test]
    fn keepalives_of_many_neighbours_go_at_few_moments() {
        let hold = Duration::from_secs(90);
        // A thousand sessions came up within a minute, each with a seed of its own.
        let sessions = (0..1000).map(|n| (Jitter::new(n), Time(n * 61_237)));
        let next = sessions.flat_map(|(mut jitter, mut now)| {
            let step = move |_| {
                now = jitter.keepalive(now, hold)?;
                Some(now)
            };
            (0..10).map_while(step).collect::<Vec<Time>>()
        });
        let moments: std::collections::BTreeSet<Time> = next.collect();
        // Six minutes of 3.75 s.
        assert!((50..=100).contains(&moments.len()), "{}", moments.len());
    }

    #[test]
    fn backoff_doubles_to_its_cap() {
        let mut backoff = Backoff::default();
        let most = Duration::from_secs(10);
        let waits: Vec<u64> = (0..6).map(|_| backoff.next(most).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(backoff.next(Duration::ZERO), LEAST_RETRY);
        for _ in 0..100 {
            assert!(backoff.next(Duration::MAX) <= Duration::from_secs(1 << 16));
        }
    }

    #[test]
    fn the_table_gives_the_earliest_and_each_once() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        for (n, timer) in Timer::ALL.into_iter().enumerate() {
            timers.start(timer, Time(10 + n as u64));
        }
        assert_eq!(timers.next(), Some(Time(10)));
        assert!(!timers.take_due(Timer::IdleHold, Time(9)));
        assert!(timers.take_due(Timer::IdleHold, Time(10)));
        assert!(!timers.take_due(Timer::IdleHold, Time(10)));
        assert_eq!(timers.next(), Some(Time(11)), "the dialled one's hold timer");
        timers.stop_conn(Slot::Dialled);
        assert_eq!(timers.next(), Some(Time(12)));
        timers.stop_conn(Slot::Accepted);
        assert_eq!(timers.next(), timers.at(Timer::SendHold));
        timers.stop(Timer::SendHold);
        assert_eq!(timers.next(), timers.at(Timer::ConnectRetry));
        timers.stop(Timer::ConnectRetry);
        assert_eq!(timers.next(), None);
    }
}
