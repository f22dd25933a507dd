//! What comes after a table is full: prefixes that flap for minutes, and a reader of the table
//! while all of it is announced again. Nothing here waits for silence: the next change follows
//! as soon as the sinks have seen the last one.
use crate::engine::{Engine, Sink};
use crate::gen::Workload;
use crate::reader::{self, Reading};
use crate::{sample, Json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Announces the groups that `keep` accepts with the attributes of `version`.
fn announce(e: &mut Engine, version: u32, keep: impl Fn(usize) -> bool + Copy) {
    let (w, ibgp) = (e.w.clone(), e.cfg.ibgp);
    for k in 0..e.cfg.injectors {
        let (asn, nh) = e.injector(k);
        let b = w.announce(k as u32, asn, nh, version, ibgp, false, keep);
        e.queue(k, Arc::new(b));
    }
}

fn mark(e: &mut Engine) {
    e.sinks.iter_mut().for_each(Sink::mark);
}

/// Starts what is queued and waits until every sink is `done`; how long that took.
fn run(e: &mut Engine, limit: Duration, done: impl Fn(&Sink) -> bool) -> Option<f64> {
    let t0 = Instant::now();
    e.start();
    while e.error.is_none() && t0.elapsed() < limit {
        e.step(20);
        if e.sent_at.is_some() && e.sinks.iter().all(&done) {
            return Some(t0.elapsed().as_secs_f64());
        }
    }
    None
}

/// `percent` of the prefixes withdrawn and announced again, with other attributes each time, for
/// `time`. Memory before, at the end and at most.
pub fn flap(
    e: &mut Engine,
    pids: &[i32],
    percent: u64,
    time: Duration,
    limit: Duration,
) -> (Json, bool) {
    let w = e.w.clone();
    let keep = |g: usize| Workload::picked(g, percent);
    let (n, total) = (w.count(keep), w.prefixes.len());
    let gone = Arc::new(w.withdraw(keep));
    let before = sample::take(pids, false);
    sample::reset_peak(pids);
    let (t0, mut rounds, mut ok) = (Instant::now(), 0u64, true);
    let mut rss = Vec::new();
    while ok && t0.elapsed() < time {
        mark(e);
        for k in 0..e.cfg.injectors {
            e.queue(k, gone.clone());
        }
        let left = total - n as usize;
        ok = run(e, limit, |s| s.distinct == left).is_some();
        if ok {
            mark(e);
            announce(e, 1 + (rounds % 4000) as u32, keep);
            ok = run(e, limit, |s| s.distinct == total).is_some();
        }
        rounds += 1;
        rss.push(sample::take(pids, false).rss);
    }
    let after = sample::take(pids, false);
    let mut j = Json::new();
    j.bool("ok", ok);
    j.f("seconds", t0.elapsed().as_secs_f64());
    j.n("rounds", rounds);
    j.n("flapped", n);
    j.n("rss_before", before.rss);
    j.n("rss_first", rss.first().copied().unwrap_or(0));
    j.n("rss_after", after.rss);
    j.n("rss_peak", after.hwm);
    j.f("dut_cpu_s", after.cpu() - before.cpu());
    j.f("us_per_change", (after.cpu() - before.cpu()) * 1e6 / (rounds * 2 * n).max(1) as f64);
    (j, ok)
}

/// The whole table announced again, six times, every other time while `command` reads it.
pub fn read(e: &mut Engine, pids: &[i32], command: &str, limit: Duration) -> (Json, bool) {
    let (asn, nh) = e.injector(0);
    let calm = reader::read(command, &AtomicU64::new(0));
    let mut meanwhile = Vec::new();
    let (mut alone, mut beside, mut readings) = (Vec::new(), Vec::new(), Vec::<Reading>::new());
    let (mut alone_cpu, mut beside_cpu) = (Vec::new(), Vec::new());
    for round in 0..6u32 {
        let changed = e.w.differing(0, asn, nh, [round, round + 1]);
        mark(e);
        announce(e, round + 1, |_| true);
        let lines = Arc::new(AtomicU64::new(0));
        let kid = (round % 2 == 1).then(|| {
            let (command, lines) = (command.to_string(), lines.clone());
            std::thread::spawn(move || reader::read(&command, &lines))
        });
        let before = sample::take(pids, false).cpu();
        let took = run(e, limit, |s| s.announced >= changed);
        let cpu = sample::take(pids, false).cpu() - before;
        match kid {
            Some(kid) => {
                meanwhile.push(lines.load(Ordering::Relaxed) as f64);
                readings.push(kid.join().unwrap_or_default());
                beside.extend(took);
                beside_cpu.push(cpu);
            }
            None => {
                alone.extend(took);
                alone_cpu.push(cpu);
            }
        }
    }
    let median = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v.get(v.len() / 2).copied().unwrap_or(-1.0)
    };
    let mut j = Json::new();
    let ok = calm.ok && readings.iter().all(|r| r.ok) && alone.len() + beside.len() == 6;
    j.bool("ok", ok);
    j.f("first_line_ms", calm.first_ms);
    j.f("read_s", calm.all_s);
    j.n("lines", calm.lines);
    j.f("first_line_busy_ms", median(&mut readings.iter().map(|r| r.first_ms).collect()));
    j.f("read_busy_s", median(&mut readings.iter().map(|r| r.all_s).collect()));
    j.f("lines_meanwhile", median(&mut meanwhile));
    j.f("alone_s", median(&mut alone));
    j.f("beside_s", median(&mut beside));
    j.f("alone_cpu_s", median(&mut alone_cpu));
    j.f("beside_cpu_s", median(&mut beside_cpu));
    (j, ok)
}
