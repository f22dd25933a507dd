//! One BFD session (RFC 5880 §6.8): from packets and time to Up and Down.
//!
//! Names are the field's; the RFC's variables are, in its words:
//!
//! | here | RFC 5880 §6.8.1 |
//! |---|---|
//! | `state`, `diag` | bfd.SessionState, bfd.LocalDiag |
//! | `remote` | bfd.RemoteSessionState, RemoteDiscr, RemoteMinRxInterval, RemoteDemandMode as last received; `None` once a detection time has passed in silence |
//! | `offered` | bfd.DesiredMinTxInterval, bfd.RequiredMinRxInterval: what our packets say |
//! | `in_force` | the same as far as they count already (§6.8.3: a slower rate and a shorter detection only once the neighbour has answered a Poll) |
//!
//! Where the RFC leaves a choice:
//! * A packet goes at once when the state changes and when a Poll begins, so a session is Up after
//!   two round trips and not after seconds of slow start.
//! * Intervals of 20 ms and more end at moments that all sessions of that interval share, two of them
//!   within the jitter that §6.8.7 asks for, so that one wake-up serves many sessions.
//! * A change of intervals during a Poll Sequence waits for its end (§6.5: the F that comes must
//!   be an answer to what it changes).

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Cause, Config, Diag, Loss, Packet, Role, SLOW, State, Status};
use crate::msg::{BfdIn, BfdOut};
use crate::session::timer::Jitter;
use crate::types::Time;

/// Shorter intervals have no shared moments: what a wake-up costs is little beside their packets.
const LEAST_SHARED: Duration = Duration::from_millis(20);

/// What the two ends negotiate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Intervals {
    transmit: Duration,
    receive: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Session {
    config: Config,
    discriminator: NonZeroU32,
    jitter: Jitter,
    state: State,
    since: Time,
    diag: Diag,
    remote: Option<Packet>,
    offered: Intervals,
    in_force: Intervals,
    polling: bool,
    /// When the last periodic packet went.
    last_sent: Option<Time>,
    /// When the next one is due; `None`: the neighbour wants none.
    transmit_at: Option<Time>,
    /// The interval that `transmit_at` was drawn from.
    pace: Duration,
    /// When silence becomes a loss.
    detect_at: Option<Time>,
    /// When the last packet came that left the session Up.
    heard: Time,
    sent: u64,
    received: u64,
    flaps: u32,
    last_down: Option<(Loss, Time)>,
}

impl Session {
    /// A session that is Down and says so at its first `Tick`. `discriminator` must be no other
    /// session's of this system, and hard to guess (§6.8.1); `seed` decides the jitter.
    pub fn new(now: Time, config: Config, discriminator: NonZeroU32, seed: u64) -> Session {
        let wanted = wanted(&config, State::Down);
        Session {
            config,
            discriminator,
            jitter: Jitter::new(seed),
            state: State::Down,
            since: now,
            diag: Diag::NONE,
            remote: None,
            offered: wanted,
            in_force: wanted,
            polling: false,
            last_sent: None,
            transmit_at: (config.role == Role::Active).then_some(now),
            pace: wanted.transmit,
            detect_at: None,
            heard: now,
            sent: 0,
            received: 0,
            flaps: 0,
            last_down: None,
        }
    }

    /// Our number of the session.
    pub fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// The state of our end.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether it is Up and nothing was heard for more than half the detection time. Of a
    /// neighbour that lives something is heard in each part of it, of which there are mostly three.
    pub fn is_overdue(&self, now: Time) -> bool {
        let (Some(remote), Some(at)) = (&self.remote, self.detect_at) else { return false };
        self.state == State::Up && at.since(now) < self.detection(remote) / 2
    }

    /// When `Tick` is due, if nothing comes before.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.transmit_at, self.detect_at].into_iter().flatten().min()
    }

    /// Takes one input at `now`, which never goes back; appends what is to be done to `out`.
    pub fn handle(&mut self, now: Time, input: BfdIn, out: &mut Vec<BfdOut>) {
        match input {
            BfdIn::Received(packet) => self.receive(now, packet, out),
            BfdIn::Configure(config) => {
                self.config = config;
                self.renegotiate(now, out);
                self.reschedule(now);
            }
            BfdIn::AdminDown if self.state == State::AdminDown => self.transmit(now, out),
            BfdIn::AdminDown => {
                self.enter(now, State::AdminDown, Diag::ADMINISTRATIVELY_DOWN, out);
            }
            BfdIn::Tick => self.tick(now, out),
        }
    }

    /// What there is to tell an operator.
    pub fn status(&self) -> Status {
        Status {
            state: self.state,
            since: self.since,
            remote: self.remote,
            diag: self.diag,
            transmit: self.interval(),
            receive: self.remote.map(|remote| self.reception(&remote)),
            detection: self.remote.map(|remote| self.detection(&remote)),
            polling: self.polling,
            sent: self.sent,
            received: self.received,
            flaps: self.flaps,
            last_down: self.last_down,
        }
    }

    // ---- What comes (§6.8.6) ----------------------------------------------------------------

    fn receive(&mut self, now: Time, packet: Packet, out: &mut Vec<BfdOut>) {
        if packet.your_discriminator.is_some_and(|ours| ours != self.discriminator) {
            return;
        }
        self.received += 1;
        self.remote = Some(packet);
        if packet.finish && self.polling {
            self.polling = false;
            self.in_force = self.offered;
        }
        self.transition(now, &packet, out);
        if self.state == State::Up {
            self.heard = now;
        }
        self.renegotiate(now, out);
        self.detect_at = Some(now.after(self.detection(&packet)));
        if packet.poll {
            self.send(true, out);
        }
        self.reschedule(now);
    }

    /// The table of §6.8.6.
    fn transition(&mut self, now: Time, packet: &Packet, out: &mut Vec<BfdOut>) {
        use State::{AdminDown, Down, Init, Up};
        let signalled = Diag::NEIGHBOUR_SIGNALLED_DOWN;
        match (self.state, packet.state) {
            (AdminDown, _) | (Down, AdminDown | Up) | (Init, Down) | (Up, Init | Up) => {}
            (Down, Down) => self.enter(now, Init, self.diag, out),
            (Down, Init) | (Init, Init | Up) => self.enter(now, Up, Diag::NONE, out),
            (Init, AdminDown) => self.enter(now, Down, signalled, out),
            (Up, AdminDown | Down) => {
                let (cause, heard) = match packet.state {
                    AdminDown => (Cause::AdminDown, self.heard),
                    _ => {
                        let there = self.interval().saturating_mul(self.config.multiplier.into());
                        (Cause::Signalled(packet.diag), self.heard.min(now.before(there)))
                    }
                };
                let loss = Loss { cause, forwarding_lost: packet.independent, heard };
                self.lose(now, signalled, loss, out);
            }
        }
    }

    // ---- States -----------------------------------------------------------------------------

    fn enter(&mut self, now: Time, state: State, diag: Diag, out: &mut Vec<BfdOut>) {
        self.diag = diag;
        if self.state == state {
            return;
        }
        self.state = state;
        self.since = now;
        if state == State::Up {
            out.push(BfdOut::Up);
            if !self.renegotiate(now, out) {
                self.transmit(now, out);
            }
        } else {
            // A Poll Sequence is about the rates of a session that is Up.
            self.polling = false;
            self.offered = wanted(&self.config, state);
            self.in_force = self.offered;
            self.transmit(now, out);
        }
    }

    /// It was Up and is Down.
    fn lose(&mut self, now: Time, diag: Diag, loss: Loss, out: &mut Vec<BfdOut>) {
        if loss.cause != Cause::AdminDown {
            self.flaps = self.flaps.saturating_add(1);
        }
        self.last_down = Some((loss, now));
        out.push(BfdOut::Down(loss));
        self.enter(now, State::Down, diag, out);
    }

    // ---- Rates (§6.8.2, §6.8.3) -------------------------------------------------------------

    /// Brings what we offer in line with the settings and the state. Whether a Poll Sequence
    /// began, and with it a packet went.
    fn renegotiate(&mut self, now: Time, out: &mut Vec<BfdOut>) -> bool {
        let wanted = wanted(&self.config, self.state);
        if self.polling || wanted == self.offered {
            return false;
        }
        self.offered = wanted;
        if self.state == State::Up {
            self.polling = true;
            self.in_force.transmit = self.in_force.transmit.min(wanted.transmit);
            self.in_force.receive = self.in_force.receive.max(wanted.receive);
            self.transmit(now, out);
        } else {
            self.in_force = wanted;
            self.reschedule(now);
        }
        if let Some(remote) = self.remote {
            // The neighbour may send as slowly as we demand from now on.
            let least = now.after(self.detection(&remote));
            self.detect_at = self.detect_at.max(Some(least));
        }
        self.polling
    }

    /// How often we send: no faster than the neighbour can take it.
    fn interval(&self) -> Duration {
        let takes = self.remote.map_or(1, |remote| remote.required_min_rx);
        self.in_force.transmit.max(Duration::from_micros(takes.into()))
    }

    /// How often the neighbour sends at least.
    fn reception(&self, remote: &Packet) -> Duration {
        self.in_force.receive.max(Duration::from_micros(remote.desired_min_tx.into()))
    }

    /// §6.8.4.
    fn detection(&self, remote: &Packet) -> Duration {
        self.reception(remote).saturating_mul(remote.multiplier.into())
    }

    // ---- Time -------------------------------------------------------------------------------

    fn tick(&mut self, now: Time, out: &mut Vec<BfdOut>) {
        if self.detect_at.is_some_and(|at| at <= now) {
            self.detect_at = None;
            self.silence(now, out);
        }
        if self.transmit_at.is_some_and(|at| at <= now) {
            self.transmit(now, out);
        }
    }

    /// A detection time has passed without a packet.
    fn silence(&mut self, now: Time, out: &mut Vec<BfdOut>) {
        let Some(remote) = self.remote.take() else { return };
        let expired = Diag::DETECTION_TIME_EXPIRED;
        match self.state {
            State::Up => {
                let cause = Cause::Silent(self.detection(&remote));
                let forwarding_lost = remote.independent;
                self.lose(now, expired, Loss { cause, forwarding_lost, heard: self.heard }, out);
            }
            State::Init => self.enter(now, State::Down, expired, out),
            State::Down | State::AdminDown => self.reschedule(now),
        }
    }

    // ---- What goes (§6.8.7) -----------------------------------------------------------------

    /// The periodic packet, now; the next one after an interval.
    fn transmit(&mut self, now: Time, out: &mut Vec<BfdOut>) {
        self.last_sent = Some(now);
        self.transmit_at = None;
        if self.is_wanted() {
            self.send(false, out);
        }
        self.reschedule(now);
    }

    /// Whether the neighbour takes packets; one that is not heard, whether it gets any.
    fn is_wanted(&self) -> bool {
        match self.remote {
            Some(remote) => remote.required_min_rx > 0,
            None => self.config.role == Role::Active,
        }
    }

    /// Sets the next periodic packet, an interval after the last one: also when the interval has
    /// changed in between, so that a rate that rises does so at once.
    fn reschedule(&mut self, now: Time) {
        let demand = self.remote.is_some_and(|remote| {
            remote.demand && remote.state == State::Up && self.state == State::Up && !self.polling
        });
        if demand || !self.is_wanted() {
            self.transmit_at = None;
            return;
        }
        let interval = self.interval();
        if self.transmit_at.is_none() || self.pace != interval {
            let next = self.last_sent.map_or(now, |last| self.spread(last, interval).max(now));
            self.transmit_at = Some(next);
            self.pace = interval;
        }
    }

    /// `interval` after `from`, shortened by 0 to 25 %, by 10 to 25 % where a single loss counts.
    fn spread(&mut self, from: Time, interval: Duration) -> Time {
        let most = if self.config.multiplier <= 1 { interval - interval / 10 } else { interval };
        let room = most - (interval - interval / 4);
        // Of the multiples of half the room, two fall into it: which one is the jitter.
        let step = u64::try_from((room / 2).as_micros()).unwrap_or(u64::MAX);
        if interval < LEAST_SHARED || step == 0 {
            return from.after(most - self.jitter.within(room).min(room));
        }
        let latest = from.after(most).0 / step;
        Time((latest - self.jitter.one_of(2)) * step)
    }

    fn send(&mut self, finish: bool, out: &mut Vec<BfdOut>) {
        self.sent += 1;
        out.push(BfdOut::Send(Packet {
            diag: self.diag,
            state: self.state,
            // Never both (§6.5).
            poll: self.polling && !finish,
            finish,
            // This daemon is the control plane.
            independent: false,
            demand: false,
            multiplier: self.config.multiplier.max(1),
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.map(|remote| remote.my_discriminator),
            desired_min_tx: micros(self.offered.transmit),
            required_min_rx: micros(self.offered.receive),
            required_min_echo_rx: 0,
        }));
    }
}

/// What our packets should say in `state`.
fn wanted(config: &Config, state: State) -> Intervals {
    // The wire has microseconds in 32 bits, and 0 would mean "none at all".
    let most = Duration::from_micros(u32::MAX.into());
    let interval = config.interval.clamp(Duration::from_micros(1), most);
    let transmit = if state == State::Up { interval } else { interval.max(SLOW) };
    Intervals { transmit, receive: interval }
}

fn micros(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
