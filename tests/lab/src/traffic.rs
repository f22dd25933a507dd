//! Packets between pods while something happens: sent at a steady pace, numbered, and counted
//! where they arrive.
//!
//! A [`Route`](crate::Route) that is there says little about the moment in which it was not. So
//! one thread sends a datagram on every flow at each beat of a pace, and one thread a pod ticks off
//! what comes in; both hold sockets of the pods' namespaces, so that every packet is forwarded by
//! the kernels of two nodes. A *beat* is one round of packets, one a flow. What was lost between
//! two beats is asked for afterwards, with [`Traffic::lost`].
//!
//! A sender that the machine kept from running does not make up for it with a burst: it leaves
//! out beats, so nothing is lost for want of room in a queue. Unconnected sockets are used, since
//! a connected one reports an ICMP error in place of sending the next packet.

use crate::{Netns, Result, wait_until};
use anyhow::Context;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The port that every pod listens on.
const PORT: u16 = 4000;
/// Beats of a run, at most: half an hour at one a millisecond.
const MOST_BEATS: usize = 1 << 21;
/// Room for what comes in while the counting thread does not run: 16 MB.
const ROOM: usize = 16 << 20;
/// Beats that may be made up for after a pause.
const BEHIND: u32 = 20;
/// A receiver looks so often whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// Nothing arrived for so long: nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(500);
/// A sender that the machine keeps from running is waited for so long.
const SOON: Duration = Duration::from_secs(60);

/// A pod that packets come from or go to.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// What reports call it.
    pub name: &'a str,
    /// Its namespace.
    pub netns: &'a Netns,
    /// Its address.
    pub address: IpAddr,
}

/// The packets from one pod to another.
#[derive(Debug)]
struct Flow {
    from: String,
    to: String,
    /// A bit a beat: it arrived.
    arrived: Box<[AtomicU64]>,
}

impl Flow {
    fn has(&self, beat: usize) -> bool {
        let word = self.arrived.get(beat / 64).map_or(0, |word| word.load(Ordering::Relaxed));
        word >> (beat % 64) & 1 == 1
    }
}

/// What became of the packets of some flows in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Packets sent.
    pub sent: usize,
    /// Those of them that never arrived.
    pub lost: usize,
    /// The longest time between the sending of two packets of one flow that arrived, none
    /// between them having done so; 0 if none was lost.
    pub gap: Duration,
}

impl Lost {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Lost) -> Lost {
        Lost {
            sent: self.sent + other.sent,
            lost: self.lost + other.lost,
            gap: self.gap.max(other.gap),
        }
    }
}

#[derive(Debug)]
struct Shared {
    flows: Vec<Flow>,
    /// When each beat was sent, in microseconds since the start.
    sent: Mutex<Vec<u64>>,
    end: AtomicBool,
    start: Instant,
}

/// Flows that run until this value is dropped.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<Shared>,
    sockets: Vec<Arc<UdpSocket>>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Starts a flow for each pair of positions in `ends` (from, to), a packet each `pace`.
    ///
    /// # Errors
    /// When a namespace cannot be entered, or an address not be bound.
    pub fn start(ends: &[End<'_>], pairs: &[(usize, usize)], pace: Duration) -> Result<Self> {
        let end = |at: usize| ends.get(at).with_context(|| format!("there is no end {at}"));
        let mut flows = Vec::new();
        for (from, to) in pairs {
            flows.push(Flow {
                from: end(*from)?.name.to_owned(),
                to: end(*to)?.name.to_owned(),
                arrived: (0..MOST_BEATS / 64).map(|_| AtomicU64::new(0)).collect(),
            });
        }
        let shared = Arc::new(Shared {
            flows,
            sent: Mutex::default(),
            end: AtomicBool::new(false),
            start: Instant::now(),
        });
        let mut threads = Vec::new();
        let mut sockets = Vec::new();
        for end in ends {
            let socket = Arc::new(open(end)?);
            sockets.push(Arc::clone(&socket));
            let shared = Arc::clone(&shared);
            threads.push(std::thread::spawn(move || receive(&socket, &shared)));
        }
        let mut ways = Vec::new();
        for (from, to) in pairs {
            let socket = sockets.get(*from).context("no socket")?;
            ways.push((Arc::clone(socket), SocketAddr::from((end(*to)?.address, PORT))));
        }
        let sender = Arc::clone(&shared);
        threads.push(std::thread::spawn(move || send(&ways, &sender, pace)));
        Ok(Self { shared, sockets, threads })
    }

    /// The beat that comes next: where something begins or ends.
    #[must_use]
    pub fn beat(&self) -> usize {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until so many beats were sent since beat `from`: a fast machine is done with what is
    /// watched before a packet could tell.
    ///
    /// # Errors
    /// When the sender stands still.
    pub fn beats(&self, from: usize, beats: usize) -> Result {
        wait_until("beats", SOON, || self.beat() >= from + beats)
    }

    /// Waits until nothing of what was sent since beat `from` can be on its way any more, and
    /// gives the beat up to which that holds.
    #[must_use]
    pub fn calm(&self, from: usize) -> usize {
        let until = self.beat();
        let missing = || -> usize {
            let of = |flow: &Flow| (from..until).filter(|beat| !flow.has(*beat)).count();
            self.shared.flows.iter().map(of).sum()
        };
        let mut last = (missing(), Instant::now());
        // Threads that the machine keeps from counting what has come to them.
        let mut behind: Vec<&Arc<UdpSocket>> = self.sockets.iter().collect();
        while last.0 > 0 && (last.1.elapsed() < QUIET || !behind.is_empty()) {
            std::thread::sleep(QUIET / 20);
            let now = missing();
            if now != last.0 {
                last = (now, Instant::now());
            }
            if last.1.elapsed() >= QUIET {
                behind.retain(|socket| rustix::io::ioctl_fionread(socket).is_ok_and(|n| n > 0));
            }
        }
        until
    }

    /// What became of the packets of beats `from` to before `until`, of the flows that `of` picks
    /// by the names of their ends.
    #[must_use]
    pub fn lost(&self, from: usize, until: usize, of: impl Fn(&str, &str) -> bool) -> Lost {
        let sent = self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Lost::default();
        for flow in self.shared.flows.iter().filter(|flow| of(&flow.from, &flow.to)) {
            let mut last = from.saturating_sub(1);
            for beat in from..until.min(sent.len()) {
                all.sent += 1;
                if !flow.has(beat) {
                    all.lost += 1;
                    // The gap ends with the next one that arrives, or is still open.
                    let ends = (beat + 1).min(sent.len() - 1);
                    if let (Some(begin), Some(end)) = (sent.get(last), sent.get(ends)) {
                        all.gap = all.gap.max(Duration::from_micros(end.saturating_sub(*begin)));
                    }
                } else {
                    last = beat;
                }
            }
        }
        all
    }

    /// The flows that lost something in that time, in words: `n1>n2 17 (23 ms) from beat 5`.
    #[must_use]
    pub fn losers(
        &self,
        from: usize,
        until: usize,
        of: impl Fn(&str, &str) -> bool,
    ) -> Vec<String> {
        let words = |flow: &Flow| {
            let Flow { from: a, to: b, .. } = flow;
            let first = (from..until).find(|beat| !flow.has(*beat))? - from;
            let Lost { lost, gap, .. } = self.lost(from, until, |x, y| (x, y) == (a, b));
            Some(format!("{a}>{b} {lost} ({} ms) from beat {first}", gap.as_millis()))
        };
        self.shared.flows.iter().filter(|flow| of(&flow.from, &flow.to)).filter_map(words).collect()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn open(end: &End<'_>) -> Result<UdpSocket> {
    let bind = || -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind((end.address, PORT))?;
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, ROOM)?;
        // What the kernel keeps for a neighbour that it seeks must not hold up the other flows.
        rustix::net::sockopt::set_socket_send_buffer_size_force(&socket, ROOM)?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(socket)
    };
    let words = || format!("{}:{PORT} in {}", end.address, end.netns.name());
    end.netns.inside(bind)?.with_context(words)
}

/// A packet: its flow's position, its beat.
fn packet(flow: usize, beat: usize) -> [u8; 8] {
    (((flow as u64) << 32) | beat as u64).to_be_bytes()
}

fn send(ways: &[(Arc<UdpSocket>, SocketAddr)], shared: &Shared, pace: Duration) {
    let mut due = Instant::now();
    for beat in 0..MOST_BEATS {
        let now = Instant::now();
        if let Some(wait) = due.checked_duration_since(now) {
            std::thread::sleep(wait);
        } else if now - due > pace * BEHIND {
            due = now;
        }
        due += pace;
        if shared.end.load(Ordering::Relaxed) {
            return;
        }
        let elapsed = u64::try_from(shared.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        for (flow, (socket, to)) in ways.iter().enumerate() {
            // What cannot even be sent is lost as any other.
            socket.send_to(&packet(flow, beat), to).ok();
        }
        shared.sent.lock().unwrap_or_else(PoisonError::into_inner).push(elapsed);
    }
}

fn receive(socket: &UdpSocket, shared: &Shared) {
    let mut octets = [0; 8];
    while !shared.end.load(Ordering::Relaxed) {
        let Ok((8, _)) = socket.recv_from(&mut octets) else { continue };
        let number = u64::from_be_bytes(octets);
        let (flow, beat) = ((number >> 32) as usize, (number & 0xffff_ffff) as usize);
        let word = shared.flows.get(flow).and_then(|flow| flow.arrived.get(beat / 64));
        if let Some(word) = word {
            word.fetch_or(1 << (beat % 64), Ordering::Relaxed);
        }
    }
}
