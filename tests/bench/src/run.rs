//! `run`, `inject` and `sink`: phases over one engine, a JSON line out.
use crate::churn;
use crate::engine::{Cfg, Engine, Sink};
use crate::gen::{Mix, Workload};
use crate::nl::Watch;
use crate::probe::Probe;
use crate::sample::{self, Sample};
use crate::{Args, Json};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn workload(a: &Args) -> Arc<Workload> {
    let n = a.num("prefixes", 100_000);
    let mix = match a.get("mix").unwrap_or("internet") {
        "internet" => Mix::Internet,
        "pods" => Mix::Pods,
        o => crate::die(&format!("unknown mix {o}")),
    };
    let sets = a.num("paths", n.div_ceil(6));
    Arc::new(Workload::new(mix, n, sets, a.num("seed", 1) as u64))
}

fn cfg(a: &Args, injectors: usize, sinks: usize) -> Cfg {
    let ibgp = a.has("ibgp");
    let local = a.num("as", 65000) as u32;
    Cfg {
        dut: a
            .get("dut")
            .unwrap_or("10.255.0.1:179")
            .parse()
            .unwrap_or_else(|_| crate::die("--dut ADDR:PORT")),
        injectors,
        sinks,
        slow: a.num("slow", 0),
        inj_base: a.get("inj-addr").unwrap_or("10.255.1.1").parse().unwrap(),
        sink_base: a.get("sink-addr").unwrap_or("10.255.2.1").parse().unwrap(),
        inj_as: if ibgp { local } else { a.num("inj-as", 65101) as u32 },
        sink_as: if ibgp { local } else { a.num("sink-as", 64601) as u32 },
        ibgp,
        hold: a.num("hold", 180) as u16,
        establish: Duration::from_secs(a.num("establish-timeout", 60) as u64),
    }
}

struct Phase {
    name: &'static str,
    t0: Instant,
    before: Sample,
    own0: f64,
}

fn own_cpu() -> f64 {
    sample::take(&[std::process::id() as i32], false).cpu()
}

struct Ctx {
    e: Engine,
    pids: Vec<i32>,
    quiet: Duration,
    timeout: Duration,
    out: Json,
    fib: bool,
}

fn secs(t: Option<Instant>, t0: Instant) -> f64 {
    t.map(|t| t.saturating_duration_since(t0).as_secs_f64()).unwrap_or(-1.0)
}

impl Ctx {
    fn begin(&mut self, name: &'static str, fib_goal: i64) -> Phase {
        for s in &mut self.e.sinks {
            s.mark();
        }
        self.e.fib_hit = None;
        self.e.fib_last = None;
        self.e.fib_goal = self.fib.then_some(fib_goal);
        sample::reset_peak(&self.pids);
        Phase { name, before: sample::take(&self.pids, false), own0: own_cpu(), t0: Instant::now() }
    }

    /// Turns the loop until `done` holds and nothing has come for the quiet time.
    fn wait(&mut self, ph: &Phase, sink_done: impl Fn(&Sink) -> bool) -> bool {
        loop {
            self.e.step(20);
            let now = Instant::now();
            if self.e.error.is_some() || now - ph.t0 > self.timeout {
                return false;
            }
            let calm = |t: Option<Instant>| t.is_none_or(|t| now - t >= self.quiet);
            if self.e.sent_at.is_some()
                && self.e.sinks.iter().all(|s| sink_done(s) && calm(s.last))
                && calm(self.e.sent_at)
                && (!self.fib || (self.e.fib_hit.is_some() && calm(self.e.fib_last)))
            {
                return true;
            }
        }
    }

    fn finish(&mut self, ph: Phase, ok: bool, at: impl Fn(&Sink) -> Option<Instant>) {
        let a = sample::take(&self.pids, false);
        let own = own_cpu() - ph.own0;
        let mut j = Json::new();
        j.bool("ok", ok);
        if let Some(e) = &self.e.error {
            j.str("error", e);
        }
        j.f("sent_s", secs(self.e.sent_at, ph.t0));
        if !self.e.sinks.is_empty() {
            let mut v: Vec<f64> = self.e.sinks.iter().map(|s| secs(at(s), ph.t0)).collect();
            v.sort_by(f64::total_cmp);
            j.f(
                "first_s",
                self.e.sinks.iter().map(|s| secs(s.first, ph.t0)).fold(f64::MAX, f64::min),
            );
            j.f("all_min_s", v[0]);
            j.f("all_med_s", v[v.len() / 2]);
            j.f("all_s", if v[0] < 0.0 { -1.0 } else { v[v.len() - 1] });
            j.f("last_s", self.e.sinks.iter().map(|s| secs(s.last, ph.t0)).fold(-1.0, f64::max));
            let sum = |f: fn(&Sink) -> u64| self.e.sinks.iter().map(f).sum::<u64>();
            j.n("rx_announced", sum(|s| s.announced));
            j.n("rx_withdrawn", sum(|s| s.withdrawn));
            j.n("rx_unknown", sum(|s| s.unknown));
            j.n("rx_msgs", sum(|s| s.msgs));
            j.n("rx_bytes", sum(|s| s.bytes));
            j.n("distinct_min", self.e.sinks.iter().map(|s| s.distinct as u64).min().unwrap());
        }
        if let Some(w) = &self.e.watch {
            j.f("fib_s", secs(self.e.fib_hit, ph.t0));
            j.n("fib_events_add", w.adds);
            j.n("fib_events_del", w.dels);
            j.bool("fib_lost_events", w.lost);
            j.n("fib_dump", w.dump().unwrap_or(0) as u64);
        }
        j.n("inj_rx_msgs", self.e.inj_rx);
        j.f("dut_cpu_s", a.cpu() - ph.before.cpu());
        j.f("dut_user_s", a.user - ph.before.user);
        j.f("dut_sys_s", a.sys - ph.before.sys);
        j.f("harness_cpu_s", own);
        j.n("rss_before", ph.before.rss);
        j.n("rss_after", a.rss);
        j.n("rss_peak", a.hwm);
        let took = a.since(&ph.before);
        j.n("ctx_vol", took.vol);
        j.n("ctx_invol", took.invol);
        j.str("load", &sample::loadavg());
        if ph.name == "announce" && ok {
            let n = self.e.w.prefixes.len() as f64;
            j.f("bytes_per_route", (a.rss as f64 - ph.before.rss as f64) / n);
            j.f("bytes_per_route_peak", (a.hwm as f64 - ph.before.rss as f64) / n);
        }
        self.out.obj(ph.name, j);
    }
}

pub fn run(a: &Args) -> i32 {
    let w = workload(a);
    let (inj, sinks) = (a.num("injectors", 1), a.num("sinks", 1));
    let c = cfg(a, inj, sinks);
    let total = w.prefixes.len();
    let ibgp = c.ibgp;
    let mut e = Engine::new(c, w.clone());
    let streams: Vec<Arc<Vec<u8>>> = (0..inj)
        .map(|k| {
            let (asn, nh) = e.injector(k);
            Arc::new(w.announce(k as u32, asn, nh, 0, ibgp, true, |_| true))
        })
        .collect();
    let mut out = Json::new();
    out.str("label", a.get("label").unwrap_or(""));
    out.n("prefixes", total as u64);
    out.n("injectors", inj as u64);
    out.n("sinks", sinks as u64);
    out.n("attr_sets", w.sets as u64);
    out.n("updates", w.groups.len() as u64);
    out.n("stream_bytes", streams.iter().map(|s| s.len() as u64).sum());
    out.str("load_start", &sample::loadavg());
    let fib =
        a.get("fib-proto").map(|p| p.parse::<u8>().unwrap_or_else(|_| crate::die("--fib-proto N")));
    if let Some(p) = fib {
        match Watch::open(a.get("fib-ns"), p, 512 << 20) {
            Ok(w) => e.add_watch(w),
            Err(er) => crate::die(&format!("netlink watch: {er}")),
        }
    }
    match e.establish() {
        Ok(d) => out.f("established_s", d.as_secs_f64()),
        Err(m) => {
            out.str("error", &m);
            println!("{}", out.done());
            return 1;
        }
    }
    let mut x = Ctx {
        e,
        pids: a.pids(),
        quiet: Duration::from_millis(a.num("quiet", 2000) as u64),
        timeout: Duration::from_secs(a.num("timeout", 120) as u64),
        out,
        fib: fib.is_some(),
    };
    let settle = Instant::now() + Duration::from_millis(a.num("settle", 2000) as u64);
    while Instant::now() < settle {
        x.e.step(20);
    }

    // Somebody beside the load who measures how late he is served.
    let probe = a.get("probe").map(|addr| {
        let addr = addr.parse().unwrap_or_else(|_| crate::die("--probe ADDR"));
        Probe::start(x.e.cfg.dut, addr, a.num("probe-as", 64999) as u32)
            .unwrap_or_else(|e| crate::die(&e))
    });
    if let Some(probe) = &probe {
        probe.mark();
    }

    // Announce.
    let mut ok = true;
    if inj > 0 && !a.has("no-announce") {
        let ph = x.begin("announce", total as i64);
        for (k, s) in streams.iter().enumerate() {
            x.e.queue(k, s.clone());
        }
        x.e.start();
        ok = x.wait(&ph, |s| s.distinct == total);
        x.finish(ph, ok, |s| s.full);
        let pre = a.num("prepend", if ibgp { 0 } else { 1 }) as u8;
        let min: Vec<u8> = (0..w.sets)
            .map(|s| (0..inj).map(|k| w.path_len(k as u32, s, 0)).min().unwrap())
            .collect();
        let good: usize =
            x.e.sinks
                .iter()
                .map(|s| {
                    (0..total)
                        .filter(|&i| s.has(i) && s.plen[i] == min[w.set_of[i] as usize] + pre)
                        .count()
                })
                .sum();
        x.out.n("best_path_right", good as u64);
        x.out.n("best_path_expected", (total * sinks) as u64);
        if a.has("pss") {
            let p = sample::take(&x.pids, true);
            x.out.n("pss", p.pss);
            x.out.n("uss", p.uss);
        }
    }

    // The table read while it is announced again.
    if let (Some(command), true) = (a.get("reader"), ok) {
        let (j, good) = churn::read(&mut x.e, &x.pids, command, x.timeout);
        x.out.obj("reader", j);
        ok = good;
    }

    // Flapping for as long as that takes.
    if let (Some(percent), true) = (a.get("churn"), ok) {
        let percent = percent.parse().unwrap_or_else(|_| crate::die("--churn PERCENT"));
        let time = Duration::from_secs(a.num("for", 300) as u64);
        let (j, good) = churn::flap(&mut x.e, &x.pids, percent, time, x.timeout);
        x.out.obj("churn", j);
        ok = good;
    }

    // Flap: the same prefixes with other attributes.
    if let (Some(pct), true) = (a.get("flap").and_then(|v| v.parse::<u64>().ok()), ok) {
        let pick = |g: usize| Workload::picked(g, pct);
        let n = w.count(pick);
        let st: Vec<_> = (0..inj)
            .map(|k| {
                let (asn, nh) = x.e.injector(k);
                Arc::new(w.announce(k as u32, asn, nh, 1, ibgp, false, pick))
            })
            .collect();
        x.out.n("flapped", n);
        let ph = x.begin("flap", total as i64);
        if x.fib {
            x.e.fib_hit = Some(ph.t0); // the goal is met from the start
        }
        for (k, s) in st.into_iter().enumerate() {
            x.e.queue(k, s);
        }
        x.e.start();
        ok = x.wait(&ph, |s| inj > 1 || s.announced >= n);
        x.finish(ph, ok, |s| s.last);
    }

    // Idle: what the daemon costs while nothing happens.
    if let (Some(sec), true) = (a.get("idle").and_then(|v| v.parse::<u64>().ok()), ok) {
        let s0 = sample::take(&x.pids, true);
        let t0 = Instant::now();
        while t0.elapsed() < Duration::from_secs(sec) && x.e.error.is_none() {
            x.e.step(100);
        }
        let d = t0.elapsed().as_secs_f64();
        let s1 = sample::take(&x.pids, true);
        let took = s1.since(&s0);
        let mut j = Json::new();
        j.f("seconds", d);
        j.n("rss", s1.rss);
        j.n("pss", s1.pss);
        j.n("uss", s1.uss);
        j.n("threads", s1.threads);
        j.n("processes", s1.alive as u64);
        j.f("cpu_ms_per_min", took.exact * 60e3 / d);
        j.f("wakeups_per_s", took.vol as f64 / d);
        j.f("preempted_per_s", took.invol as f64 / d);
        x.out.obj("idle", j);
    }

    // Withdraw everything, by message or by cutting the session.
    let how = if a.has("drop") {
        Some("drop")
    } else if a.has("withdraw") {
        Some("withdraw")
    } else {
        None
    };
    if let (Some(how), true) = (how, ok) {
        let wd = Arc::new(w.withdraw(|_| true));
        let ph = x.begin(how, 0);
        if how == "drop" {
            x.e.drop_injectors();
        } else {
            for k in 0..inj {
                x.e.queue(k, wd.clone());
            }
            x.e.start();
        }
        ok = x.wait(&ph, |s| s.distinct == 0);
        x.finish(ph, ok, |s| s.empty);
    }
    if let Some(probe) = &probe {
        x.out.obj("probe", probe.report());
    }
    x.e.close();
    println!("{}", x.out.done());
    if ok {
        0
    } else {
        1
    }
}

/// Injectors alone: commands from stdin or `--at SECONDS:COMMAND,...`.
/// Commands: announce, withdraw, flap=PERCENT, drop, quit.
pub fn inject(a: &Args) -> i32 {
    let w = workload(a);
    let n = a.num("injectors", 1);
    let c = cfg(a, n, 0);
    let ibgp = c.ibgp;
    let mut e = Engine::new(c, w.clone());
    if let Err(m) = e.establish() {
        eprintln!("{m}");
        return 1;
    }
    eprintln!("{n} injectors established");
    let mut plan: Vec<(u64, String)> = a
        .get("at")
        .unwrap_or("0:announce")
        .split(',')
        .filter_map(|s| s.split_once(':'))
        .map(|(t, c)| (t.parse().unwrap_or(0), c.to_string()))
        .collect();
    plan.sort();
    plan.reverse();
    let end = Duration::from_secs(a.num("duration", 3600) as u64);
    let (tx, rx) = std::sync::mpsc::channel::<String>();
    std::thread::spawn(move || {
        for l in std::io::stdin().lines().map_while(Result::ok) {
            let _ = tx.send(l);
        }
    });
    let (t0, mut version, mut told) = (Instant::now(), 0u32, true);
    while t0.elapsed() < end {
        e.step(20);
        if let Some(m) = &e.error {
            eprintln!("{m}");
            return 1;
        }
        if e.sent_at.is_some() && !told {
            eprintln!("{:.3} sent", t0.elapsed().as_secs_f64());
            told = true;
        }
        let cmd = if plan.last().is_some_and(|p| t0.elapsed() >= Duration::from_secs(p.0)) {
            plan.pop().map(|p| p.1)
        } else {
            rx.try_recv().ok()
        };
        let Some(cmd) = cmd else { continue };
        let (verb, arg) = cmd.split_once('=').unwrap_or((cmd.trim(), "100"));
        eprintln!("{:.3} {cmd}", t0.elapsed().as_secs_f64());
        told = false;
        match verb {
            "announce" | "flap" => {
                let pct: u64 = arg.trim().parse().unwrap_or(100);
                if verb == "flap" {
                    version = (version + 1) % 4096;
                }
                for k in 0..n {
                    let (asn, nh) = e.injector(k);
                    let b = w.announce(k as u32, asn, nh, version, ibgp, verb == "announce", |g| {
                        (g as u64 * 37) % 100 < pct
                    });
                    e.queue(k, Arc::new(b));
                }
            }
            "withdraw" => {
                let b = Arc::new(w.withdraw(|_| true));
                for k in 0..n {
                    e.queue(k, b.clone());
                }
            }
            "drop" | "quit" => break,
            o => eprintln!("unknown command {o}"),
        }
        e.start();
    }
    e.close();
    0
}

/// Sinks alone: time from the first byte to the P-th prefix, then convergence.
pub fn sink(a: &Args) -> i32 {
    let w = workload(a);
    let n = a.num("sinks", 1);
    let total = w.prefixes.len();
    let mut e = Engine::new(cfg(a, 0, n), w);
    if let Err(m) = e.establish() {
        eprintln!("{m}");
        return 1;
    }
    eprintln!("{n} sinks established");
    let quiet = Duration::from_millis(a.num("quiet", 2000) as u64);
    let end = Duration::from_secs(a.num("duration", 600) as u64);
    let t0 = Instant::now();
    loop {
        e.step(20);
        let now = Instant::now();
        let full =
            e.sinks.iter().all(|s| s.distinct == total && s.last.is_some_and(|t| now - t > quiet));
        if full || e.error.is_some() || t0.elapsed() > end {
            break;
        }
    }
    let first = e.sinks.iter().filter_map(|s| s.first).min().unwrap_or(t0);
    let mut j = Json::new();
    j.bool("ok", e.error.is_none() && e.sinks.iter().all(|s| s.distinct == total));
    j.f("first_s", (first - t0).as_secs_f64());
    j.f("first_to_all_s", e.sinks.iter().map(|s| secs(s.full, first)).fold(-1.0, f64::max));
    j.f("first_to_last_s", e.sinks.iter().map(|s| secs(s.last, first)).fold(-1.0, f64::max));
    j.n("distinct_min", e.sinks.iter().map(|s| s.distinct as u64).min().unwrap_or(0));
    j.n("rx_announced", e.sinks.iter().map(|s| s.announced).sum());
    j.n("rx_withdrawn", e.sinks.iter().map(|s| s.withdrawn).sum());
    e.close();
    println!("{}", j.done());
    0
}
