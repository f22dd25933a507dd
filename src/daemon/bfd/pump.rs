//! The thread's inside: sessions by discriminator, their deadlines, and whose packet is whose.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use starling_bgp::bfd::packet::LEN;
use starling_bgp::bfd::{Config, Packet, Session};
use starling_bgp::msg::{BfdIn, BfdOut};
use starling_bgp::types::Time;
use tokio::sync::mpsc;

use super::socket::{self, Datagram, Place, Receiver, Sender};
use super::{Command, News, Report, Target};
use crate::daemon::clock::Clock;
use crate::daemon::conn;

/// How long one that is not watched any more goes on saying AdminDown.
const FAREWELL: Duration = Duration::from_secs(3);
/// At the daemon's end it is said so often, so far apart.
const LAST_WORDS: (u32, Duration) = (3, Duration::from_millis(20));
/// A socket that could not be had is tried for again.
const RETRY: Duration = Duration::from_secs(5);
/// Datagrams taken from one socket before timers are looked at again.
const TAKEN: usize = 256;

/// A receiving socket: its kind and family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Way {
    multihop: bool,
    v6: bool,
}

impl Way {
    fn of(target: &Target) -> Way {
        Way { multihop: target.bfd.multihop, v6: target.who.address.is_ipv6() }
    }
}

/// One session and what it is about.
#[derive(Debug)]
struct Entry {
    target: Target,
    place: Place,
    session: Session,
    /// As it stands in `Pump::deadlines`.
    deadline: Option<Time>,
    /// It is not watched any more, and goes then.
    leaves: Option<Time>,
    heard: bool,
    discarded: u64,
    /// Why nothing could be sent last time.
    unsent: Option<String>,
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
pub struct Pump {
    clock: Clock,
    /// Discriminators, source ports and jitter: hashes, under a key of this process, of a count.
    random: (RandomState, u64),
    news: mpsc::UnboundedSender<News>,
    entries: BTreeMap<NonZeroU32, Entry>,
    /// Those that are watched.
    by_place: BTreeMap<Place, NonZeroU32>,
    /// When each session wants to be looked at.
    deadlines: BTreeSet<(Time, NonZeroU32)>,
    receivers: BTreeMap<Way, Opened<Receiver>>,
    senders: BTreeMap<(Way, Option<IpAddr>), Opened<Sender>>,
    /// Addresses of ours that are on no interface, until the kernel says that they are.
    absent: BTreeSet<IpAddr>,
    /// What goes at the end of this turn.
    outgoing: BTreeMap<(Way, Option<IpAddr>), Vec<Parcel>>,
    out: Vec<BfdOut>,
}

impl Pump {
    /// With nobody to watch.
    pub fn new(clock: Clock, news: mpsc::UnboundedSender<News>) -> Pump {
        Pump {
            clock,
            random: (RandomState::new(), 0),
            news,
            entries: BTreeMap::new(),
            by_place: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            absent: BTreeSet::new(),
            outgoing: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Until it is told to stop, or nobody is left to tell it.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let next = self.deadlines.first().map(|(at, _)| *at);
            tokio::select! {
                () = readable(&self.receivers) => {}
                () = self.clock.sleep_until(next) => {}
                command = inbox.recv() => match command {
                    Some(Command::Watch(targets)) => self.watch(targets),
                    Some(Command::Waits(local, waits)) => self.waits(local, waits),
                    Some(Command::Report(answer)) => {
                        // Whoever asked may have gone away.
                        let _ = answer.send(self.report());
                    }
                    Some(Command::Stop(answer)) => {
                        self.last_words().await;
                        let _ = answer.send(());
                        return;
                    }
                    None => return,
                },
            }
            // Before silence is judged, what waits in the sockets is heard: it may be we who slept.
            self.receive();
            self.tick();
            self.send();
        }
    }

    // ---- Who is watched ---------------------------------------------------------------------

    fn watch(&mut self, targets: Vec<Target>) {
        let now = self.clock.now();
        // An interface that comes later, or again, is looked up at the next reload.
        let targets: BTreeMap<Place, Target> =
            targets.into_iter().map(|target| (place(&target), target)).collect();
        let stays = |entry: &Entry| {
            targets.get(&entry.place).is_some_and(|target| {
                Way::of(target) == Way::of(&entry.target)
                    && target.local == entry.target.local
                    && target.peer.id == entry.target.peer.id
            })
        };
        let watched: Vec<NonZeroU32> = self.by_place.values().copied().collect();
        for number in watched {
            let Some(entry) = self.entries.get_mut(&number) else { continue };
            if !stays(entry) {
                self.by_place.remove(&entry.place);
                entry.leaves = Some(now.after(FAREWELL));
                // What nobody watches is not missed.
                entry.target.peer.bfd.send_replace(None);
                self.handle(number, BfdIn::AdminDown);
            }
        }
        for (place, target) in targets {
            match self.by_place.get(&place).copied() {
                Some(number) => {
                    if let Some(entry) = self.entries.get_mut(&number) {
                        let config = config(&target);
                        entry.target = target;
                        self.handle(number, BfdIn::Configure(config));
                    }
                }
                None => self.begin(now, place, target),
            }
        }
    }

    /// Nothing is tried from an address that is not there; once it is, the next packet goes, which
    /// each session has every second at least.
    fn waits(&mut self, local: IpAddr, waits: bool) {
        if waits {
            self.absent.insert(local);
            return;
        }
        self.absent.remove(&local);
        let failed = |opened: &Opened<Sender>| matches!(opened, Opened::No { .. });
        self.senders.retain(|(_, from), opened| *from != Some(local) || !failed(opened));
    }

    fn begin(&mut self, now: Time, place: Place, target: Target) {
        let mut number = self.draw();
        while self.entries.contains_key(&number) {
            number = self.draw();
        }
        let way = Way::of(&target);
        self.open_receiver(now, way);
        // Two sessions of ours would contradict each other in the neighbour's one.
        self.entries.retain(|_, entry| {
            !(entry.leaves.is_some() && entry.place == place && Way::of(&entry.target) == way)
        });
        self.by_place.insert(place, number);
        let session = Session::new(now, config(&target), number, self.random());
        let entry = Entry {
            target,
            place,
            session,
            deadline: None,
            leaves: None,
            heard: false,
            discarded: 0,
            unsent: None,
        };
        self.entries.insert(number, entry);
        self.handle(number, BfdIn::Tick);
    }

    fn random(&mut self) -> u64 {
        self.random.1 += 1;
        self.random.0.hash_one(self.random.1)
    }

    /// A discriminator that nobody outside can guess (RFC 5880 §6.8.1).
    fn draw(&mut self) -> NonZeroU32 {
        let [a, b, c, d, ..] = self.random().to_be_bytes();
        NonZeroU32::new(u32::from_be_bytes([a, b, c, d])).unwrap_or(NonZeroU32::MIN)
    }

    fn report(&self) -> Vec<(starling_bgp::types::PeerId, Report)> {
        let watched = self.by_place.values().filter_map(|number| self.entries.get(number));
        let all = watched.map(|entry| {
            let deaf = match self.receivers.get(&Way::of(&entry.target)) {
                Some(Opened::No { why, .. }) => Some(why.clone()),
                _ => None,
            };
            let report = Report {
                bfd: entry.target.bfd,
                local: entry.target.local,
                status: entry.session.status(),
                heard: entry.heard,
                discarded: entry.discarded,
                trouble: deaf.or_else(|| entry.unsent.clone()),
            };
            (entry.target.peer.id, report)
        });
        all.collect()
    }

    async fn last_words(&mut self) {
        let (times, apart) = LAST_WORDS;
        for _ in 0..times {
            let numbers: Vec<NonZeroU32> = self.entries.keys().copied().collect();
            for number in numbers {
                self.handle(number, BfdIn::AdminDown);
            }
            self.send();
            tokio::time::sleep(apart).await;
        }
    }

    // ---- What comes -------------------------------------------------------------------------

    fn open_receiver(&mut self, now: Time, way: Way) {
        match self.receivers.get(&way) {
            Some(Opened::Yes(_)) => return,
            Some(Opened::No { again, .. }) if *again > now => return,
            _ => {}
        }
        let opened = match Receiver::open(way.multihop, way.v6) {
            Ok(receiver) => Opened::Yes(receiver),
            Err(error) => {
                let why = format!("cannot receive: {}", conn::words(&error));
                let known = matches!(
                    self.receivers.get(&way), Some(Opened::No { why: before, .. }) if *before == why
                );
                if !known {
                    let family = if way.v6 { "IPv6" } else { "IPv4" };
                    self.tell(News::Trouble(None, format!("BFD over {family} {why}")));
                }
                Opened::No { why, again: now.after(RETRY) }
            }
        };
        self.receivers.insert(way, opened);
    }

    fn receive(&mut self) {
        let ways: Vec<Way> = self.receivers.keys().copied().collect();
        for way in ways {
            for _ in 0..TAKEN {
                let Some(Opened::Yes(receiver)) = self.receivers.get_mut(&way) else { break };
                match receiver.next() {
                    Ok(Some(datagram)) => self.hear(way, &datagram),
                    // An error here is an ICMP of somebody else's packet: there may be more.
                    Err(_) => {}
                    Ok(None) => break,
                }
            }
        }
    }

    /// Finds the session (RFC 5880 §6.8.6, RFC 5881 §3, RFC 5883 §3) of a datagram that came from
    /// where it may come from.
    fn hear(&mut self, way: Way, datagram: &Datagram) {
        let read = Packet::read(datagram.payload());
        let number = match read {
            Ok(Packet { your_discriminator: Some(number), .. }) => Some(number),
            _ => self.by_place.get(&datagram.source).copied(),
        };
        let Some(number) = number else { return };
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let target = &entry.target;
        let to_us = match (target.local, datagram.destination) {
            (Some(local), Some(destination)) => local == destination,
            _ => true,
        };
        let trusted = Way::of(target) == way
            && entry.place == datagram.source
            && to_us
            && datagram.ttl >= target.bfd.min_ttl;
        match read {
            Ok(packet) if trusted => {
                entry.heard = true;
                self.handle(number, BfdIn::Received(packet));
            }
            _ if entry.place == datagram.source => entry.discarded += 1,
            _ => {}
        }
    }

    // ---- Time -------------------------------------------------------------------------------

    fn tick(&mut self) {
        let now = self.clock.now();
        while let Some((at, number)) = self.deadlines.first().copied() {
            if at > now {
                return;
            }
            let gone = |entry: &Entry| entry.leaves.is_some_and(|at| at <= now);
            if self.entries.get(&number).is_none_or(gone) {
                self.deadlines.remove(&(at, number));
                self.entries.remove(&number);
                continue;
            }
            self.handle(number, BfdIn::Tick);
        }
    }

    /// One input of one session, and what follows from it.
    fn handle(&mut self, number: NonZeroU32, input: BfdIn) {
        let now = self.clock.now();
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let mut out = std::mem::take(&mut self.out);
        let mut down = None;
        entry.session.handle(now, input, &mut out);
        let next = [entry.session.next_deadline(), entry.leaves].into_iter().flatten().min();
        if entry.deadline != next {
            if let Some(before) = entry.deadline {
                self.deadlines.remove(&(before, number));
            }
            self.deadlines.extend(next.map(|at| (at, number)));
            entry.deadline = next;
        }
        for out in out.drain(..) {
            let target = &entry.target;
            match out {
                BfdOut::Send(packet) => {
                    let way = Way::of(target);
                    let batch = self.outgoing.entry((way, target.local)).or_default();
                    batch.push((entry.place, packet.bytes()));
                }
                // Nobody left to tell: the daemon is stopping.
                BfdOut::Up => drop(self.news.send(News::Up(target.clone()))),
                BfdOut::Down(loss) => down = Some((target.clone(), loss)),
            }
        }
        self.out = out;
        if let Some((target, loss)) = down {
            let watched = self.by_place.values().filter_map(|number| self.entries.get(number));
            let overdue = watched.filter(|entry| entry.session.is_overdue(now));
            let overdue = overdue.map(|entry| entry.target.peer.id).collect();
            self.tell(News::Down(target, loss, overdue));
        }
    }

    fn tell(&self, news: News) {
        // Nobody left to tell: the daemon is stopping.
        let _ = self.news.send(news);
    }

    // ---- What goes --------------------------------------------------------------------------

    fn send(&mut self) {
        let now = self.clock.now();
        for (key, packets) in std::mem::take(&mut self.outgoing) {
            let (way, local) = key;
            // Slow as unheard sessions are, this tries again soon enough.
            self.open_receiver(now, way);
            for (to, packet) in packets {
                let sent = self.sender(now, way, local).and_then(|sender| {
                    let words = |error| format!("cannot send: {}", conn::words(&error));
                    sender.send(to, socket::port(way.multihop), &packet).map_err(words)
                });
                self.sent(to, sent.err());
            }
        }
    }

    /// Keeps why the last packet to `place` did not go, and says it when it is news.
    fn sent(&mut self, place: Place, why: Option<String>) {
        let number = self.by_place.get(&place);
        let Some(entry) = number.and_then(|number| self.entries.get_mut(number)) else { return };
        if entry.unsent == why {
            return;
        }
        let news = why.clone().map(|words| News::Trouble(Some(entry.target.clone()), words));
        entry.unsent = why;
        if let Some(news) = news {
            self.tell(news);
        }
    }

    fn sender(&mut self, now: Time, way: Way, local: Option<IpAddr>) -> Result<&Sender, String> {
        if let Some(local) = local.filter(|local| self.absent.contains(local)) {
            return Err(format!("waiting: {}", socket::absent(local)));
        }
        let [first, second, ..] = self.random().to_be_bytes();
        let port = u16::from_be_bytes([first, second]);
        let opened = self.senders.entry((way, local));
        let opened = opened.or_insert(Opened::No { why: String::new(), again: now });
        if let Opened::No { again, .. } = opened
            && *again <= now
        {
            *opened = match Sender::open(local, way.v6, port) {
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

/// Waits until one of the sockets has something.
async fn readable(receivers: &BTreeMap<Way, Opened<Receiver>>) {
    std::future::poll_fn(|cx| {
        let mut ready = std::task::Poll::Pending;
        for receiver in receivers.values() {
            if let Opened::Yes(receiver) = receiver
                && receiver.poll_ready(cx).is_ready()
            {
                ready = std::task::Poll::Ready(());
            }
        }
        ready
    })
    .await;
}

/// Where a neighbour's packets come from.
fn place(target: &Target) -> Place {
    let scope = target.who.interface.as_deref().map_or(0, socket::index);
    Place { address: target.who.address, scope }
}

fn config(target: &Target) -> Config {
    Config { interval: target.bfd.interval, multiplier: target.bfd.multiplier }
}
