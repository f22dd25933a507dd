//! Physical limits: parsing, a trivial RIB, TCP, netlink; and `relay`, a DUT without a RIB.
use crate::bgp::{self, Visitor};
use crate::engine::offset;
use crate::gen::{Rng, Workload};
use crate::nl::{self, Bench, Sock};
use crate::{Args, Json};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{mpsc, Arc, Mutex};
use std::time::Instant;

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

struct Count(u64);
impl Visitor for Count {
    #[inline]
    fn announce(&mut self, a: u32, l: u8, _: u8) {
        self.0 = self.0.wrapping_add(1 + ((a as u64 ^ l as u64) << 40));
    }
    #[inline]
    fn withdraw(&mut self, _: u32, _: u8) {}
}

struct Look<'a>(&'a Workload, u64);
impl Visitor for Look<'_> {
    #[inline]
    fn announce(&mut self, a: u32, l: u8, _: u8) {
        self.1 += self.0.index.get(a, l).is_some() as u64;
    }
    #[inline]
    fn withdraw(&mut self, _: u32, _: u8) {}
}

fn frames(b: &[u8], mut f: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Ok(Some(l)) = bgp::frame(&b[at..]) {
        f(&b[at..at + l]);
        at += l;
    }
}

#[derive(Default)]
struct Mul(u64);
impl Hasher for Mul {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, b: &[u8]) {
        for c in b.chunks(8) {
            let mut x = [0u8; 8];
            x[..c.len()].copy_from_slice(c);
            self.write_u64(u64::from_le_bytes(x));
        }
    }
    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64)
    }
}
type Fast = BuildHasherDefault<Mul>;

/// A RIB with one path a prefix and interned attributes: the least a distributor must do.
struct Rib {
    ids: HashMap<Arc<[u8]>, u32, Fast>,
    routes: HashMap<u64, u32, Fast>,
    cur: u32,
}
impl Visitor for Rib {
    #[inline]
    fn announce(&mut self, a: u32, l: u8, _: u8) {
        self.routes.insert((a as u64) << 8 | l as u64, self.cur);
    }
    #[inline]
    fn withdraw(&mut self, a: u32, l: u8) {
        self.routes.remove(&((a as u64) << 8 | l as u64));
    }
}

pub fn limits(a: &Args) -> i32 {
    let w = crate::run::workload(a);
    let n = w.prefixes.len() as f64;
    let reps = a.num("reps", 5);
    let nh = Ipv4Addr::new(10, 255, 1, 1);
    let t = Instant::now();
    let s = w.announce(0, 65101, nh, 0, false, false, |_| true);
    let build = t.elapsed().as_secs_f64();
    let mut j = Json::new();
    j.n("prefixes", n as u64);
    j.n("updates", w.groups.len() as u64);
    j.n("attr_sets", w.sets as u64);
    j.n("stream_bytes", s.len() as u64);
    j.f("build_ns_per_prefix", build * 1e9 / n);
    let ns = |f: &mut dyn FnMut()| {
        median(
            (0..reps)
                .map(|_| {
                    let t = Instant::now();
                    f();
                    t.elapsed().as_secs_f64() * 1e9 / n
                })
                .collect(),
        )
    };
    let mut sum = 0;
    j.f(
        "parse_ns_per_prefix",
        ns(&mut || {
            let mut c = Count(0);
            frames(&s, |m| bgp::update(m, &mut c).unwrap());
            sum ^= c.0;
        }),
    );
    let mut hit = 0;
    j.f(
        "parse_lookup_ns_per_prefix",
        ns(&mut || {
            let mut c = Look(&w, 0);
            frames(&s, |m| bgp::update(m, &mut c).unwrap());
            hit = c.1;
        }),
    );
    j.n("lookup_hits", hit);
    let rss = |_: ()| crate::sample::take(&[std::process::id() as i32], false).rss as f64;
    let mut bytes = Vec::new();
    j.f(
        "parse_intern_rib_ns_per_prefix",
        ns(&mut || {
            let r0 = rss(());
            let mut r = Rib { ids: HashMap::default(), routes: HashMap::default(), cur: 0 };
            frames(&s, |m| {
                let al = u16::from_be_bytes([m[21], m[22]]) as usize;
                let at = &m[23..23 + al];
                let next = r.ids.len() as u32;
                r.cur = match r.ids.get(at) {
                    Some(&i) => i,
                    None => {
                        r.ids.insert(at.into(), next);
                        next
                    }
                };
                bgp::update(m, &mut r).unwrap();
            });
            bytes.push((rss(()) - r0) / n);
            std::hint::black_box((&r.routes, &r.ids));
        }),
    );
    j.f("trivial_rib_bytes_per_route", bytes[0]);
    // TCP over loopback: a writer thread, a parsing reader.
    let s = Arc::new(s);
    let mut raw = Vec::new();
    let mut par = Vec::new();
    for rep in 0..reps * 2 {
        let l = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = l.local_addr().unwrap();
        let s2 = s.clone();
        let t = Instant::now();
        let h = std::thread::spawn(move || {
            let mut c = TcpStream::connect(to).unwrap();
            c.write_all(&s2).unwrap();
        });
        let (mut c, _) = l.accept().unwrap();
        let (mut buf, mut len) = (vec![0u8; 256 << 10], 0);
        let mut cnt = Count(0);
        loop {
            let k = c.read(&mut buf[len..]).unwrap();
            if k == 0 {
                break;
            }
            if rep % 2 == 0 {
                continue;
            }
            len += k;
            let mut at = 0;
            while let Ok(Some(l)) = bgp::frame(&buf[at..len]) {
                bgp::update(&buf[at..at + l], &mut cnt).unwrap();
                at += l;
            }
            buf.copy_within(at..len, 0);
            len -= at;
        }
        h.join().unwrap();
        let d = t.elapsed().as_secs_f64() * 1e9 / n;
        if rep % 2 == 0 {
            raw.push(d)
        } else {
            par.push(d)
        }
    }
    let raw = median(raw);
    j.f("tcp_ns_per_prefix", raw);
    j.f("tcp_mb_per_s", s.len() as f64 / n / raw * 1e3);
    j.f("tcp_parse_ns_per_prefix", median(par));
    j.str("load", &crate::sample::loadavg());
    std::hint::black_box(sum);
    println!("{}", j.done());
    0
}

/// Adds and deletes routes with batched netlink messages.
pub fn netlink(a: &Args) -> i32 {
    let w = crate::run::workload(a);
    let mut ps = w.prefixes.clone();
    match a.get("order").unwrap_or("stream") {
        "stream" => {}
        "sorted" => ps.sort(),
        "shuffled" => {
            let mut r = Rng(9);
            for i in (1..ps.len()).rev() {
                ps.swap(i, r.below(i as u64 + 1) as usize);
            }
        }
        o => crate::die(&format!("unknown order {o}")),
    }
    let ns = a.get("ns");
    let dev = a.get("dev").unwrap_or_else(|| crate::die("--dev NAME"));
    let oif = nl::in_netns(ns, || nl::ifindex(dev)).unwrap();
    let gw: Ipv4Addr = a.get("via").unwrap_or("10.255.1.1").parse().unwrap();
    let b = Bench {
        batch: a.num("batch", 256),
        ack: a.has("ack"),
        replace: a.has("replace"),
        nhid: a.has("nhid"),
        proto: a.num("proto", 12) as u8,
        oif,
        gw: u32::from(gw),
    };
    let listeners: Vec<_> = (0..a.num("listeners", 0))
        .map(|_| nl::Watch::open(ns, b.proto, 1 << 30).unwrap())
        .collect();
    let s = Sock::open(ns, 0, 64 << 20).unwrap();
    let cnt = Sock::open(ns, 0, 4 << 20).unwrap();
    if b.nhid {
        let c = nl::nexthop(&s, &b, true).unwrap();
        if c != 0 {
            crate::die(&format!("nexthop object: error {c}"));
        }
    }
    let n = ps.len() as f64;
    let mut j = Json::new();
    j.str("label", a.get("label").unwrap_or(""));
    j.n("routes", ps.len() as u64);
    j.n("batch", b.batch as u64);
    j.bool("ack", b.ack);
    j.bool("nhid", b.nhid);
    j.bool("replace", b.replace);
    j.n("listeners", listeners.len() as u64);
    let t = Instant::now();
    let (calls, e, acks) = nl::pass(&s, &ps, true, &b).unwrap();
    let add = t.elapsed().as_secs_f64();
    j.f("add_s", add);
    j.f("add_us_per_route", add * 1e6 / n);
    j.n("add_calls", calls);
    j.n("add_errors", e);
    j.n("add_acks", acks);
    let t = Instant::now();
    j.n("in_kernel", cnt.count(b.proto).unwrap() as u64);
    j.f("dump_s", t.elapsed().as_secs_f64());
    if !a.has("keep") {
        let t = Instant::now();
        let (_, e, _) = nl::pass(&s, &ps, false, &b).unwrap();
        let del = t.elapsed().as_secs_f64();
        j.f("del_s", del);
        j.f("del_us_per_route", del * 1e6 / n);
        j.n("del_errors", e);
        j.n("left", cnt.count(b.proto).unwrap() as u64);
        if b.nhid {
            let _ = nl::nexthop(&s, &b, false);
        }
    }
    j.str("load", &crate::sample::loadavg());
    println!("{}", j.done());
    0
}

/// Prints `ip -batch` lines for the workload.
pub fn batchfile(a: &Args) -> i32 {
    let w = crate::run::workload(a);
    let verb = if a.has("delete") { "del" } else { "add" };
    let (via, dev) = (a.get("via").unwrap_or("10.255.1.1"), a.get("dev").unwrap_or("dut0"));
    let mut o = std::io::BufWriter::new(std::io::stdout().lock());
    for &(p, l) in &w.prefixes {
        if writeln!(o, "route {verb} {}/{l} via {via} dev {dev} proto 12", Ipv4Addr::from(p))
            .is_err()
        {
            return 1;
        }
    }
    0
}

/// A DUT without a RIB: passes each injector's UPDATE messages on to all sinks as they are.
/// Shows what the harness and TCP alone can do.
pub fn relay(a: &Args) -> i32 {
    let listen = a.get("listen").unwrap_or("10.255.0.1:179");
    let asn = a.num("as", 65000) as u32;
    let sink_base: Ipv4Addr = a.get("sink-addr").unwrap_or("10.255.2.1").parse().unwrap();
    let sinks_n = a.num("sinks", 1);
    let hi = u32::from(offset(sink_base, sinks_n));
    let l = TcpListener::bind(listen).unwrap_or_else(|e| crate::die(&format!("{listen}: {e}")));
    type Out = mpsc::SyncSender<Arc<Vec<u8>>>;
    let outs: Arc<Mutex<Vec<Out>>> = Arc::default();
    for c in l.incoming() {
        let Ok(mut c) = c else { continue };
        let Ok(std::net::SocketAddr::V4(from)) = c.peer_addr() else { continue };
        let is_sink = (u32::from(sink_base)..hi).contains(&u32::from(*from.ip()));
        let outs = outs.clone();
        std::thread::spawn(move || {
            let _ = c.set_nodelay(true);
            let _ = c.write_all(&bgp::open(asn, 180, Ipv4Addr::new(10, 255, 0, 1)));
            let _ = c.write_all(&bgp::keepalive());
            if is_sink {
                let (tx, rx) = mpsc::sync_channel::<Arc<Vec<u8>>>(16);
                outs.lock().unwrap().push(tx);
                let mut w = c.try_clone().unwrap();
                std::thread::spawn(move || {
                    for b in rx {
                        if w.write_all(&b).is_err() {
                            return;
                        }
                    }
                });
            }
            let (mut buf, mut len) = (vec![0u8; 256 << 10], 0);
            while let Ok(k) = c.read(&mut buf[len..]) {
                if k == 0 {
                    return;
                }
                len += k;
                let (mut at, mut keep) = (0, Vec::with_capacity(len));
                while let Ok(Some(l)) = bgp::frame(&buf[at..len]) {
                    if buf[at + 18] == bgp::UPDATE && l > 23 {
                        keep.extend_from_slice(&buf[at..at + l]);
                    }
                    at += l;
                }
                buf.copy_within(at..len, 0);
                len -= at;
                if !is_sink && !keep.is_empty() {
                    let b = Arc::new(keep);
                    let v: Vec<Out> = outs.lock().unwrap().clone();
                    for o in v {
                        let _ = o.send(b.clone());
                    }
                }
            }
        });
    }
    0
}
