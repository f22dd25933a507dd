//! The thread's inside: sessions by discriminator, their deadlines, and whose packet is whose.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use starling_bgp::bfd::{Config, Packet, Role, Session};
use starling_bgp::msg::{BfdIn, BfdOut};
use starling_bgp::types::{PeerId, Time};
use tokio::sync::{mpsc, oneshot};

use super::inbox::Inside;
use super::socket::{self, Datagram, Place};
use super::sockets::{Sockets, Way};
use super::{Command, News, Report, Target};
use crate::daemon::clock::Clock;

/// How long one that is not watched any more goes on saying AdminDown.
const FAREWELL: Duration = Duration::from_secs(3);
/// At the daemon's end it is said so often, so far apart.
const LAST_WORDS: (u32, Duration) = (3, Duration::from_millis(20));

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

/// See the module.
#[derive(Debug)]
pub struct Pump {
    clock: Clock,
    /// Discriminators and jitter: hashes, under a key of this process, of a count.
    random: (RandomState, u64),
    news: mpsc::UnboundedSender<News>,
    entries: BTreeMap<NonZeroU32, Entry>,
    /// Those that are watched.
    by_place: BTreeMap<Place, NonZeroU32>,
    /// When each session wants to be looked at.
    deadlines: BTreeSet<(Time, NonZeroU32)>,
    sockets: Sockets,
    /// Neighbours whose BGP session is Established, watched or not.
    established: BTreeSet<PeerId>,
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
            sockets: Sockets::new(),
            established: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    /// Until it is told to stop.
    pub fn run(mut self, inbox: &Inside) {
        loop {
            let deadline = self.deadlines.first().map(|(at, _)| *at);
            self.sockets.wait(self.clock.now(), deadline, inbox);
            for command in inbox.take() {
                match command {
                    Command::Watch(targets) => self.watch(targets),
                    Command::Waits(local, waits) => self.sockets.waits(local, waits),
                    Command::Established(peer, established) => self.is(peer, established),
                    Command::Report(answer) => {
                        // Whoever asked may have gone away.
                        let _ = answer.send(self.report());
                    }
                    Command::Stop(answer) => return self.stop(answer),
                }
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
                        entry.target = target;
                        self.configure(number);
                    }
                }
                None => self.begin(now, place, target),
            }
        }
    }

    /// What is Established is worth watching; before that, the neighbour has to begin.
    fn is(&mut self, peer: PeerId, established: bool) {
        match established {
            true => self.established.insert(peer),
            false => self.established.remove(&peer),
        };
        let mut watched = self.by_place.values().copied();
        let is_of = |number: &NonZeroU32| {
            self.entries.get(number).is_some_and(|entry| entry.target.peer.id == peer)
        };
        if let Some(number) = watched.find(is_of) {
            self.configure(number);
        }
    }

    fn configure(&mut self, number: NonZeroU32) {
        if let Some(entry) = self.entries.get(&number) {
            let config = self.config(&entry.target);
            self.handle(number, BfdIn::Configure(config));
        }
    }

    fn config(&self, target: &Target) -> Config {
        let role = match self.established.contains(&target.peer.id) {
            true => Role::Active,
            false => Role::Passive,
        };
        Config { interval: target.bfd.interval, multiplier: target.bfd.multiplier, role }
    }

    fn begin(&mut self, now: Time, place: Place, target: Target) {
        let mut number = self.draw();
        while self.entries.contains_key(&number) {
            number = self.draw();
        }
        let way = Way::of(&target);
        self.listen(now, way);
        // Two sessions of ours would contradict each other in the neighbour's one.
        self.entries.retain(|_, entry| {
            !(entry.leaves.is_some() && entry.place == place && Way::of(&entry.target) == way)
        });
        self.by_place.insert(place, number);
        let session = Session::new(now, self.config(&target), number, self.random());
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

    fn report(&self) -> Vec<(PeerId, Report)> {
        let watched = self.by_place.values().filter_map(|number| self.entries.get(number));
        let all = watched.map(|entry| {
            let sockets = &self.sockets;
            let deaf = sockets.deaf(Way::of(&entry.target));
            let trouble = deaf.or_else(|| sockets.mute(entry.target.local));
            let report = Report {
                bfd: entry.target.bfd,
                local: entry.target.local,
                status: entry.session.status(),
                heard: entry.heard,
                discarded: entry.discarded,
                trouble: trouble.or_else(|| entry.unsent.clone()),
            };
            (entry.target.peer.id, report)
        });
        all.collect()
    }

    /// Says goodbye to all, so often that somebody hears it.
    fn stop(&mut self, done: oneshot::Sender<()>) {
        let (times, apart) = LAST_WORDS;
        for _ in 0..times {
            let numbers: Vec<NonZeroU32> = self.entries.keys().copied().collect();
            for number in numbers {
                self.handle(number, BfdIn::AdminDown);
            }
            self.send();
            std::thread::sleep(apart);
        }
        // Whoever waited may have given up.
        let _ = done.send(());
    }

    // ---- What comes -------------------------------------------------------------------------

    fn listen(&mut self, now: Time, way: Way) {
        if let Err(why) = self.sockets.listen(now, way) {
            let family = if way.v6 { "IPv6" } else { "IPv4" };
            self.tell(News::Trouble(None, format!("BFD over {family} {why}")));
        }
    }

    fn receive(&mut self) {
        for (way, datagram) in self.sockets.receive(self.clock.now()) {
            self.hear(way, &datagram);
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
                    self.sockets.post(way, target.local, entry.place, packet.bytes());
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
        let mut told = Vec::new();
        let ways = self.sockets.send(now, |to, why| told.push((to, why)));
        for (to, why) in told {
            self.sent(to, why);
        }
        for way in ways {
            // A packet a second at least of each session tries for it again soon enough.
            self.listen(now, way);
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
}

/// Where a neighbour's packets come from.
fn place(target: &Target) -> Place {
    let scope = target.who.interface.as_deref().map_or(0, socket::index);
    Place { address: target.who.address, scope }
}
