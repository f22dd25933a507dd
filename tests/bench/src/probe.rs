//! How late a daemon's KEEPALIVEs and BFD packets are, measured by their receiver: a neighbour of
//! its own, on a thread with real-time priority, that takes part in nothing else.
//!
//! A session of BGP with a short hold time and one of BFD (RFC 5880, single hop) with the DUT.
//! Lateness is what a gap between two packets has over the interval that was agreed.
use crate::{bgp, Json};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Seconds; the KEEPALIVEs are due each third of it.
const HOLD: u16 = 3;
/// Between two packets of BFD, both ways.
pub const INTERVAL: Duration = Duration::from_millis(100);
const PORT: u16 = 3784;

/// Gaps of one kind of packet.
#[derive(Clone, Default)]
struct Gaps {
    last: Option<Instant>,
    count: u64,
    worst: Duration,
}

impl Gaps {
    fn hear(&mut self, now: Instant) {
        if let Some(before) = self.last.replace(now) {
            self.count += 1;
            self.worst = self.worst.max(now - before);
        }
    }
    /// What ends now counts, too: a packet that never came is late as well.
    fn late_ms(&self, now: Instant, due: Duration) -> f64 {
        let open = self.last.map(|t| now - t).unwrap_or_default();
        self.worst.max(open).saturating_sub(due).as_secs_f64() * 1e3
    }
}

#[derive(Default)]
struct Seen {
    keepalives: Gaps,
    bfd: Gaps,
    up: bool,
    error: Option<String>,
}

/// The neighbour; it ends with the process.
pub struct Probe(Arc<Mutex<Seen>>);

impl Probe {
    /// Brings both sessions up.
    pub fn start(dut: SocketAddrV4, addr: Ipv4Addr, asn: u32) -> Result<Probe, String> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let of_thread = seen.clone();
        std::thread::spawn(move || {
            if let Err(e) = watch(dut, addr, asn, &of_thread) {
                of_thread.lock().unwrap().error.get_or_insert(e);
            }
        });
        let t0 = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let s = seen.lock().unwrap();
            if let Some(e) = &s.error {
                return Err(format!("probe: {e}"));
            }
            if s.up && s.bfd.count > 10 {
                break;
            }
            if t0.elapsed() > Duration::from_secs(30) {
                return Err(format!("probe: BGP up: {}, BFD packets: {}", s.up, s.bfd.count));
            }
        }
        Ok(Probe(seen))
    }

    /// From here on it counts.
    pub fn mark(&self) {
        let s = &mut *self.0.lock().unwrap();
        for g in [&mut s.keepalives, &mut s.bfd] {
            (g.count, g.worst) = (0, Duration::ZERO);
        }
    }

    pub fn report(&self) -> Json {
        let (s, now) = (self.0.lock().unwrap(), Instant::now());
        let mut j = Json::new();
        j.n("keepalives", s.keepalives.count);
        j.f("keepalive_late_ms", s.keepalives.late_ms(now, Duration::from_secs(HOLD as u64 / 3)));
        j.n("bfd_packets", s.bfd.count);
        j.f("bfd_late_ms", s.bfd.late_ms(now, INTERVAL));
        if let Some(e) = &s.error {
            j.str("error", e);
        }
        j
    }
}

fn watch(dut: SocketAddrV4, addr: Ipv4Addr, asn: u32, seen: &Mutex<Seen>) -> Result<(), String> {
    let words = |e: std::io::Error| e.to_string();
    // The receiver must not be what is late; without the right to this it may be.
    let rt = libc::sched_param { sched_priority: 50 };
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &rt) };
    let s = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(words)?;
    s.bind(&SocketAddrV4::new(addr, 0).into()).map_err(words)?;
    s.connect_timeout(&dut.into(), Duration::from_secs(3)).map_err(words)?;
    let mut tcp: TcpStream = s.into();
    tcp.set_nodelay(true).map_err(words)?;
    tcp.write_all(&bgp::open(asn, HOLD, addr)).map_err(words)?;
    let hear = UdpSocket::bind((addr, PORT)).map_err(words)?;
    let say = UdpSocket::bind((addr, 49152)).map_err(words)?;
    say.set_ttl(255).map_err(words)?;
    hear.set_nonblocking(true).map_err(words)?;
    tcp.set_nonblocking(true).map_err(words)?;

    let (mut state, mut theirs) = (1u8, 0u32); // Down
    let (mut buf, mut len) = (vec![0u8; 65536], 0usize);
    let (mut next, mut alive) = (Instant::now(), Instant::now());
    loop {
        let wait = next.saturating_duration_since(Instant::now()).as_millis() as i32 + 1;
        let mut fds = [tcp.as_raw_fd(), hear.as_raw_fd()].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        unsafe { libc::poll(fds.as_mut_ptr(), 2, wait) };
        let now = Instant::now();
        let mut packet = [0u8; 64];
        while let Ok((n, from)) = hear.recv_from(&mut packet) {
            if n < 24 || from.ip() != *dut.ip() {
                continue;
            }
            theirs = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
            // RFC 5880 §6.8.6: what follows from what they say.
            let before = state;
            state = match (packet[1] >> 6, state) {
                (0, _) => 1,
                (1, 1) => 2,
                (1, 3) => 1,
                (2, 1 | 2) | (3, 2) => 3,
                (_, s) => s,
            };
            if state != before {
                next = now;
            }
            // A poll is answered with final.
            if packet[1] & 0x20 != 0 {
                let _ = say.send_to(&bfd(state, theirs, true), (*dut.ip(), PORT));
            }
            if state == 3 {
                seen.lock().unwrap().bfd.hear(now);
            }
        }
        if fds[0].revents != 0 {
            match tcp.read(&mut buf[len..]) {
                Ok(0) => return Err("closed by the DUT".into()),
                Ok(n) => len += n,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.to_string()),
            }
            let mut at = 0;
            while let Some(l) = bgp::frame(&buf[at..len])? {
                match buf[at + 18] {
                    bgp::NOTIFICATION => {
                        return Err(format!("NOTIFICATION {}/{}", buf[at + 19], buf[at + 20]));
                    }
                    bgp::OPEN => tcp.write_all(&bgp::keepalive()).map_err(words)?,
                    _ => {
                        let mut s = seen.lock().unwrap();
                        s.up = true;
                        s.keepalives.hear(now);
                    }
                }
                at += l;
            }
            buf.copy_within(at..len, 0);
            len -= at;
        }
        if now >= next {
            next = now + INTERVAL.mul_f64(0.9);
            let _ = say.send_to(&bfd(state, theirs, false), (*dut.ip(), PORT));
        }
        if now - alive > Duration::from_millis(700) {
            alive = now;
            let _ = tcp.write(&bgp::keepalive());
        }
    }
}

/// A control packet. The multiplier is large: the DUT shall not give us up when the machine is full.
fn bfd(state: u8, theirs: u32, last: bool) -> [u8; 24] {
    let mut p = [0u8; 24];
    p[..4].copy_from_slice(&[0x20, state << 6 | if last { 0x10 } else { 0 }, 50, 24]);
    p[4..8].copy_from_slice(&0x0B0B_0001u32.to_be_bytes());
    p[8..12].copy_from_slice(&theirs.to_be_bytes());
    let micros = (INTERVAL.as_micros() as u32).to_be_bytes();
    p[12..16].copy_from_slice(&micros);
    p[16..20].copy_from_slice(&micros);
    p
}
