//! One epoll loop that plays all injectors and sinks.
use crate::bgp::{self, Visitor};
use crate::gen::Workload;
use crate::nl::Watch;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Cfg {
    pub dut: SocketAddrV4,
    pub injectors: usize,
    pub sinks: usize,
    /// Beside the sinks: neighbours that read 1 kB a second, and that nobody waits for.
    pub slow: usize,
    pub inj_base: Ipv4Addr,
    pub sink_base: Ipv4Addr,
    pub inj_as: u32,
    pub sink_as: u32,
    pub ibgp: bool,
    pub hold: u16,
    pub establish: Duration,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Idle,
    OpenSent,
    Confirm,
    Up,
}

struct Peer {
    name: String,
    addr: Ipv4Addr,
    asn: u32,
    sink: Option<usize>,
    slow: bool,
    sock: Option<TcpStream>,
    state: State,
    retry: Instant,
    rbuf: Vec<u8>,
    rlen: usize,
    out: VecDeque<(Arc<Vec<u8>>, usize)>,
    writing: bool,
    last_tx: Instant,
}

pub struct Sink {
    have: Vec<u64>,
    pub plen: Vec<u8>,
    pub distinct: usize,
    pub announced: u64,
    pub withdrawn: u64,
    pub unknown: u64,
    pub msgs: u64,
    pub bytes: u64,
    pub first: Option<Instant>,
    pub full: Option<Instant>,
    pub empty: Option<Instant>,
    pub last: Option<Instant>,
}

impl Sink {
    pub fn has(&self, i: usize) -> bool {
        self.have[i / 64] >> (i % 64) & 1 == 1
    }
    /// Forgets the marks of the previous phase, keeps the routes.
    pub fn mark(&mut self) {
        (self.announced, self.withdrawn, self.msgs, self.bytes) = (0, 0, 0, 0);
        (self.first, self.full, self.empty, self.last) = (None, None, None, None);
    }
}

struct See<'a> {
    s: &'a mut Sink,
    w: &'a Workload,
}
impl Visitor for See<'_> {
    #[inline]
    fn announce(&mut self, a: u32, l: u8, plen: u8) {
        self.s.announced += 1;
        match self.w.index.get(a, l) {
            Some(i) => {
                let (q, b) = (i as usize / 64, 1u64 << (i % 64));
                if self.s.have[q] & b == 0 {
                    self.s.have[q] |= b;
                    self.s.distinct += 1;
                }
                self.s.plen[i as usize] = plen;
            }
            None => self.s.unknown += 1,
        }
    }
    #[inline]
    fn withdraw(&mut self, a: u32, l: u8) {
        self.s.withdrawn += 1;
        if let Some(i) = self.w.index.get(a, l) {
            let (q, b) = (i as usize / 64, 1u64 << (i % 64));
            if self.s.have[q] & b != 0 {
                self.s.have[q] &= !b;
                self.s.distinct -= 1;
            }
        }
    }
}

pub struct Engine {
    pub cfg: Cfg,
    pub w: Arc<Workload>,
    peers: Vec<Peer>,
    pub sinks: Vec<Sink>,
    ep: RawFd,
    pub error: Option<String>,
    running: bool,
    pub sent_at: Option<Instant>,
    pub watch: Option<Watch>,
    pub fib_hit: Option<Instant>,
    pub fib_last: Option<Instant>,
    pub fib_goal: Option<i64>,
    pub tx_bytes: u64,
    pub inj_rx: u64,
    tick: Instant,
}

const RB: usize = 256 << 10;

pub fn offset(base: Ipv4Addr, i: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(base) + i as u32)
}

impl Engine {
    pub fn new(cfg: Cfg, w: Arc<Workload>) -> Engine {
        let ep = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        let now = Instant::now();
        let mut peers = Vec::new();
        let mut mk = |name: String, addr, asn, sink, slow| {
            peers.push(Peer {
                name,
                addr,
                asn,
                sink,
                slow,
                sock: None,
                state: State::Idle,
                retry: now,
                rbuf: vec![0; RB],
                rlen: 0,
                out: VecDeque::new(),
                writing: false,
                last_tx: now,
            })
        };
        for i in 0..cfg.injectors {
            mk(
                format!("injector {i}"),
                offset(cfg.inj_base, i),
                if cfg.ibgp { cfg.inj_as } else { cfg.inj_as + i as u32 },
                None,
                false,
            );
        }
        for i in 0..cfg.sinks + cfg.slow {
            let slow = i >= cfg.sinks;
            mk(
                format!("sink {i}"),
                offset(cfg.sink_base, i),
                if cfg.ibgp { cfg.sink_as } else { cfg.sink_as + i as u32 },
                (!slow).then_some(i),
                slow,
            );
        }
        let n = w.prefixes.len();
        let sinks = (0..cfg.sinks)
            .map(|_| Sink {
                have: vec![0; n.div_ceil(64)],
                plen: vec![0; n],
                distinct: 0,
                announced: 0,
                withdrawn: 0,
                unknown: 0,
                msgs: 0,
                bytes: 0,
                first: None,
                full: None,
                empty: None,
                last: None,
            })
            .collect();
        Engine {
            cfg,
            w,
            peers,
            sinks,
            ep,
            error: None,
            running: false,
            sent_at: None,
            watch: None,
            fib_hit: None,
            fib_last: None,
            fib_goal: None,
            tx_bytes: 0,
            inj_rx: 0,
            tick: now,
        }
    }

    pub fn add_watch(&mut self, w: Watch) {
        self.ctl(libc::EPOLL_CTL_ADD, w.sock.0, libc::EPOLLIN as u32, u64::MAX);
        self.watch = Some(w);
    }

    fn ctl(&self, op: i32, fd: RawFd, ev: u32, data: u64) {
        let mut e = libc::epoll_event { events: ev, u64: data };
        unsafe { libc::epoll_ctl(self.ep, op, fd, &mut e) };
    }

    fn connect(&self, p: &Peer) -> io::Result<TcpStream> {
        let s = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        s.set_reuse_address(true)?;
        if p.slow {
            s.set_recv_buffer_size(4096)?;
        }
        s.bind(&SocketAddrV4::new(p.addr, 0).into())?;
        s.connect_timeout(&self.cfg.dut.into(), Duration::from_secs(3))?;
        let t: TcpStream = s.into();
        t.set_nodelay(true)?;
        t.set_nonblocking(true)?;
        Ok(t)
    }

    fn fail(&mut self, i: usize, why: String) {
        let p = &mut self.peers[i];
        if self.running {
            let was = p.state;
            p.sock = None;
            p.state = State::Idle;
            self.error.get_or_insert(format!("{} ({:?}): {why}", p.name, was));
        } else {
            if std::env::var_os("BGPBENCH_DEBUG").is_some() {
                eprintln!("{} ({:?}): {why}", p.name, p.state);
            }
            p.sock = None;
            p.state = State::Idle;
            p.rlen = 0;
            p.writing = false;
            p.out.clear();
            p.retry = Instant::now() + Duration::from_millis(500);
        }
    }

    pub fn establish(&mut self) -> Result<Duration, String> {
        let t0 = Instant::now();
        let (mut last, mut tries) = (String::new(), 0u32);
        loop {
            let now = Instant::now();
            for i in 0..self.peers.len() {
                if self.peers[i].state == State::Idle && self.peers[i].retry <= now {
                    tries += 1;
                    match self.connect(&self.peers[i]) {
                        Ok(s) => {
                            self.ctl(
                                libc::EPOLL_CTL_ADD,
                                s.as_raw_fd(),
                                libc::EPOLLIN as u32,
                                i as u64,
                            );
                            let p = &mut self.peers[i];
                            p.sock = Some(s);
                            p.state = State::OpenSent;
                            let m = bgp::open(p.asn, self.cfg.hold, p.addr);
                            p.out.push_back((Arc::new(m), 0));
                            self.flush(i);
                        }
                        Err(e) => {
                            last = format!("{}: {e}", self.peers[i].name);
                            self.peers[i].retry = now + Duration::from_millis(200);
                        }
                    }
                }
            }
            self.step(50);
            if self.peers.iter().all(|p| p.state == State::Up) {
                self.running = true;
                for i in 0..self.peers.len() {
                    if let (true, Some(s)) = (self.peers[i].slow, &self.peers[i].sock) {
                        self.ctl(libc::EPOLL_CTL_MOD, s.as_raw_fd(), 0, i as u64);
                    }
                }
                return Ok(t0.elapsed());
            }
            if t0.elapsed() > self.cfg.establish {
                let n = self.peers.iter().filter(|p| p.state == State::Up).count();
                return Err(format!(
                    "{n}/{} sessions up after {:?}, {tries} tries, last: {last}",
                    self.peers.len(),
                    t0.elapsed()
                ));
            }
        }
    }

    fn flush(&mut self, i: usize) {
        let p = &mut self.peers[i];
        let Some(s) = p.sock.as_mut() else { return };
        let mut budget = 1usize << 20;
        let mut bad = None;
        while let Some((b, off)) = p.out.front_mut() {
            let n = (b.len() - *off).min(256 << 10);
            match s.write(&b[*off..*off + n]) {
                Ok(k) => {
                    *off += k;
                    self.tx_bytes += k as u64;
                    p.last_tx = Instant::now();
                    if *off == b.len() {
                        p.out.pop_front();
                    }
                    budget = budget.saturating_sub(k);
                    if budget == 0 {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => {
                    bad = Some(e.to_string());
                    break;
                }
            }
        }
        let want = !p.out.is_empty();
        if want != p.writing {
            p.writing = want;
            let fd = s.as_raw_fd();
            let input = if p.slow && self.running { 0 } else { libc::EPOLLIN as u32 };
            let ev = input | if want { libc::EPOLLOUT as u32 } else { 0 };
            self.ctl(libc::EPOLL_CTL_MOD, fd, ev, i as u64);
        }
        if let Some(e) = bad {
            self.fail(i, e);
        }
        if self.running && self.peers.iter().all(|p| p.sink.is_some() || p.out.is_empty()) {
            self.sent_at.get_or_insert_with(Instant::now);
        }
    }

    fn readable(&mut self, i: usize) {
        for _ in 0..4 {
            let p = &mut self.peers[i];
            let Some(s) = p.sock.as_mut() else { return };
            let n = match s.read(&mut p.rbuf[p.rlen..]) {
                Ok(0) => return self.fail(i, "closed by DUT".into()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) => return self.fail(i, e.to_string()),
            };
            let more = p.rlen + n == RB;
            p.rlen += n;
            if let Err(e) = self.parse(i) {
                return self.fail(i, e);
            }
            if !more {
                return;
            }
        }
    }

    fn parse(&mut self, i: usize) -> Result<(), String> {
        let mut at = 0;
        let mut reply = false;
        let now = Instant::now();
        let total = self.w.prefixes.len();
        let p = &mut self.peers[i];
        while let Some(l) = bgp::frame(&p.rbuf[at..p.rlen])? {
            let m = &p.rbuf[at..at + l];
            at += l;
            match m[18] {
                bgp::UPDATE => match p.sink {
                    Some(k) => {
                        let s = &mut self.sinks[k];
                        if l > 23 {
                            s.msgs += 1;
                            s.bytes += l as u64;
                            s.first.get_or_insert(now);
                            s.last = Some(now);
                            bgp::update(m, &mut See { s, w: &self.w })?;
                            if s.distinct == total {
                                s.full.get_or_insert(now);
                            }
                            if s.distinct == 0 {
                                s.empty.get_or_insert(now);
                            } else {
                                s.empty = None;
                            }
                        }
                    }
                    None => self.inj_rx += 1,
                },
                bgp::OPEN => {
                    p.state = State::Confirm;
                    reply = true;
                }
                bgp::KEEPALIVE if p.state == State::Confirm => p.state = State::Up,
                bgp::NOTIFICATION => return Err(format!("NOTIFICATION {}/{}", m[19], m[20])),
                _ => {}
            }
        }
        p.rbuf.copy_within(at..p.rlen, 0);
        p.rlen -= at;
        if reply {
            p.out.push_back((Arc::new(bgp::keepalive()), 0));
            self.flush(i);
        }
        Ok(())
    }

    pub fn step(&mut self, timeout_ms: i32) {
        let mut ev: [libc::epoll_event; 128] = unsafe { std::mem::zeroed() };
        let n = unsafe { libc::epoll_wait(self.ep, ev.as_mut_ptr(), 128, timeout_ms) };
        for e in ev.iter().take(n.max(0) as usize) {
            let (events, data) = (e.events, e.u64);
            if data == u64::MAX {
                let w = self.watch.as_mut().unwrap();
                if w.poll() {
                    let now = Instant::now();
                    self.fib_last = Some(now);
                    if self.fib_goal == Some(w.count) {
                        self.fib_hit.get_or_insert(now);
                    }
                }
                continue;
            }
            let i = data as usize;
            if events & libc::EPOLLOUT as u32 != 0 {
                self.flush(i);
            }
            if events & !(libc::EPOLLOUT as u32) != 0 {
                self.readable(i);
            }
        }
        let now = Instant::now();
        if now - self.tick > Duration::from_millis(500) {
            self.tick = now;
            if let Some(w) = self.watch.as_mut() {
                if w.lost && self.fib_last.is_none_or(|t| now - t > Duration::from_millis(300)) {
                    w.resync();
                    if self.fib_goal == Some(w.count) {
                        let at = self.fib_last.unwrap_or(now);
                        self.fib_hit.get_or_insert(at);
                    }
                }
            }
            let every = Duration::from_secs((self.cfg.hold as u64 / 3).max(1));
            for i in 0..self.peers.len() {
                let p = &mut self.peers[i];
                if let (true, Some(s)) = (p.slow && self.running, p.sock.as_mut()) {
                    // Half a kilobyte each half second; what it says is of no interest.
                    let _ = s.read(&mut [0; 500]);
                }
                if p.state == State::Up && p.out.is_empty() && now - p.last_tx > every {
                    p.out.push_back((Arc::new(bgp::keepalive()), 0));
                    self.flush(i);
                }
            }
        }
    }

    /// Queues a stream on injector `k` and starts to write it.
    pub fn queue(&mut self, k: usize, b: Arc<Vec<u8>>) {
        self.sent_at = None;
        if !b.is_empty() {
            self.peers[k].out.push_back((b, 0));
        }
    }
    pub fn start(&mut self) {
        for k in 0..self.cfg.injectors {
            self.flush(k);
        }
    }
    pub fn injector(&self, k: usize) -> (u32, Ipv4Addr) {
        (self.peers[k].asn, self.peers[k].addr)
    }
    /// Cuts the injectors' TCP sessions.
    pub fn drop_injectors(&mut self) {
        for k in 0..self.cfg.injectors {
            self.peers[k].sock = None;
            self.peers[k].state = State::Idle;
        }
        self.sent_at = Some(Instant::now());
    }
    pub fn close(&mut self) {
        for p in &mut self.peers {
            if let Some(s) = p.sock.as_mut() {
                let _ = s.write(&bgp::cease());
            }
            p.sock = None;
        }
    }
}
