//! Which sockets there are, when they are listened to, what waits to go.
//!
//! In: datagrams, and packets of sessions. Out: both, by the turn: one wake-up serves many of them.
//! While many neighbours are heard, what they send waits for up to [`PAUSE`] and is taken
//! together. A socket that cannot be had is tried for again, and why is known meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use starling_bgp::bfd::packet::LEN;
use starling_bgp::types::Time;

use super::inbox::Inside;
use super::socket::{self, Datagram, Place, Receiver, Sender};
use crate::daemon::conn;

/// A socket that could not be had is tried for again.
const RETRY: Duration = Duration::from_secs(5);
/// Datagrams taken from one socket before timers are looked at again.
const TAKEN: usize = 256;
/// Packets that come closer together than this, …
const CLOSE: Duration = Duration::from_millis(10);
/// … are taken so far apart, which is as much later as a silence may be noticed.
const PAUSE: Duration = Duration::from_millis(25);

/// The kind and family of a session: it is heard on the socket of that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Way {
    pub(super) multihop: bool,
    pub(super) v6: bool,
}

/// A socket, or why there is none and when it is tried for again.
#[derive(Debug)]
enum Opened<T> {
    Yes(T),
    No { why: String, again: Time },
}

/// A packet and whom it goes to.
type Parcel = (Place, [u8; LEN]);

/// See the module.
#[derive(Debug)]
pub(super) struct Sockets {
    receivers: BTreeMap<Way, Opened<Receiver>>,
    senders: BTreeMap<(Way, Option<IpAddr>), Opened<Sender>>,
    /// Where their ports come from: hashes, under a key of this process.
    random: RandomState,
    /// Addresses of ours that are on no interface, until the kernel says that they are.
    absent: BTreeSet<IpAddr>,
    /// What goes at the end of this turn.
    outgoing: BTreeMap<(Way, Option<IpAddr>), Vec<Parcel>>,
    /// When something came last.
    heard: Time,
    /// Until then nobody is listened to but when there is something else to do.
    pause: Time,
}

impl Sockets {
    /// None.
    pub(super) fn new() -> Sockets {
        Sockets {
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            random: RandomState::new(),
            absent: BTreeSet::new(),
            outgoing: BTreeMap::new(),
            heard: Time::ZERO,
            pause: Time::ZERO,
        }
    }

    /// Until there is a command, or a packet that is listened to, or it is `deadline`.
    pub(super) fn wait(&self, now: Time, deadline: Option<Time>, inbox: &Inside) {
        let pause = (self.pause > now).then_some(self.pause);
        let until = [pause, deadline].into_iter().flatten().min();
        let mut waited = vec![PollFd::from_borrowed_fd(inbox.as_fd(), PollFlags::IN)];
        if pause.is_none() {
            let open = self.receivers.values().filter_map(|receiver| match receiver {
                Opened::Yes(receiver) => Some(receiver.as_fd()),
                Opened::No { .. } => None,
            });
            waited.extend(open.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        }
        // A moment beyond what a timespec holds never comes.
        let left = until.and_then(|at| Timespec::try_from(at.since(now)).ok());
        // A signal, at worst, cuts it short.
        let _ = poll(&mut waited, left.as_ref());
    }

    // ---- What comes -------------------------------------------------------------------------

    /// Opens what `way` is heard on, if that is due; the error, if it is news.
    pub(super) fn listen(&mut self, now: Time, way: Way) -> Result<(), String> {
        let before = match self.receivers.get(&way) {
            Some(Opened::Yes(_)) => return Ok(()),
            Some(Opened::No { again, .. }) if *again > now => return Ok(()),
            Some(Opened::No { why, .. }) => Some(why.clone()),
            None => None,
        };
        let (opened, news) = match Receiver::open(way.multihop, way.v6) {
            Ok(receiver) => (Opened::Yes(receiver), None),
            Err(error) => {
                let why = format!("cannot receive: {}", conn::words(&error));
                let news = (before.as_ref() != Some(&why)).then(|| why.clone());
                (Opened::No { why, again: now.after(RETRY) }, news)
            }
        };
        self.receivers.insert(way, opened);
        news.map_or(Ok(()), Err)
    }

    /// Why nothing is heard on `way`.
    pub(super) fn deaf(&self, way: Way) -> Option<String> {
        match self.receivers.get(&way) {
            Some(Opened::No { why, .. }) => Some(why.clone()),
            _ => None,
        }
    }

    /// What has come.
    pub(super) fn receive(&mut self, now: Time) -> Vec<(Way, Datagram)> {
        let mut came = Vec::new();
        for (way, receiver) in &mut self.receivers {
            let Opened::Yes(receiver) = receiver else { continue };
            for _ in 0..TAKEN {
                match receiver.next() {
                    Ok(Some(datagram)) => came.push((*way, datagram)),
                    // An error here is an ICMP of somebody else's packet: there may be more.
                    Err(_) => {}
                    Ok(None) => break,
                }
            }
        }
        if !came.is_empty() {
            let close = came.len() > 1 || now.since(self.heard) < CLOSE;
            self.pause = if close { now.after(PAUSE) } else { now };
            self.heard = now;
        }
        came
    }

    // ---- What goes --------------------------------------------------------------------------

    /// Whether `local` is on no interface: nothing is tried from it until it is. Once it is, the
    /// next packet goes, which each session that sends has every second at least.
    pub(super) fn waits(&mut self, local: IpAddr, waits: bool) {
        if waits {
            self.absent.insert(local);
            return;
        }
        self.absent.remove(&local);
        let failed = |opened: &Opened<Sender>| matches!(opened, Opened::No { .. });
        self.senders.retain(|(_, from), opened| *from != Some(local) || !failed(opened));
    }

    /// Why nothing can go from `local`, if that is known by itself.
    pub(super) fn mute(&self, local: Option<IpAddr>) -> Option<String> {
        let local = local.filter(|local| self.absent.contains(local))?;
        Some(format!("waiting: {}", socket::absent(local)))
    }

    /// Queues a packet until [`Sockets::send`].
    pub(super) fn post(&mut self, way: Way, local: Option<IpAddr>, to: Place, packet: [u8; LEN]) {
        self.outgoing.entry((way, local)).or_default().push((to, packet));
    }

    /// Sends what was queued and tells of each packet why it did not go, if so. The ways that were
    /// sent on are to be listened to.
    pub(super) fn send(
        &mut self,
        now: Time,
        mut tell: impl FnMut(Place, Option<String>),
    ) -> Vec<Way> {
        let outgoing = std::mem::take(&mut self.outgoing);
        let mut ways = Vec::with_capacity(outgoing.len());
        for ((way, local), packets) in outgoing {
            ways.push(way);
            let sender = self.sender(now, way, local);
            for (to, packet) in packets {
                let words = |error| format!("cannot send: {}", conn::words(&error));
                let port = socket::port(way.multihop);
                let sent = match &sender {
                    Ok(sender) => sender.send(to, port, &packet).map_err(words),
                    Err(why) => Err(why.clone()),
                };
                tell(to, sent.err());
            }
        }
        ways
    }

    fn sender(&mut self, now: Time, way: Way, local: Option<IpAddr>) -> Result<&Sender, String> {
        if let Some(why) = self.mute(local) {
            return Err(why);
        }
        let opened = self.senders.entry((way, local));
        let opened = opened.or_insert(Opened::No { why: String::new(), again: now });
        if let Opened::No { again, .. } = opened
            && *again <= now
        {
            let [first, second, ..] = self.random.hash_one((way.v6, local, now.0)).to_be_bytes();
            *opened = match Sender::open(local, way.v6, u16::from_be_bytes([first, second])) {
                Ok(sender) => Opened::Yes(sender),
                Err(error) => {
                    let why = format!("cannot send: {}", conn::words(&error));
                    Opened::No { why, again: now.after(RETRY) }
                }
            };
        }
        match opened {
            Opened::Yes(sender) => Ok(sender),
            Opened::No { why, .. } => Err(why.clone()),
        }
    }
}
