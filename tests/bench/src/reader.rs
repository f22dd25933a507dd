//! A command that reads the daemon's table (`bgpctl show routes`): when its first line comes, how
//! long it takes.
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// One run of it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reading {
    pub first_ms: f64,
    pub all_s: f64,
    pub lines: u64,
    pub ok: bool,
}

/// Runs it; `lines` counts along.
pub fn read(command: &str, lines: &AtomicU64) -> Reading {
    let words: Vec<&str> = command.split_whitespace().collect();
    let t0 = Instant::now();
    let mut r = Reading { first_ms: -1.0, ..Reading::default() };
    let kid = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut kid) = kid else { return r };
    let mut out = kid.stdout.take().unwrap();
    let mut buf = vec![0u8; 256 << 10];
    while let Ok(n @ 1..) = out.read(&mut buf) {
        r.lines += buf[..n].iter().filter(|b| **b == b'\n').count() as u64;
        lines.store(r.lines, Ordering::Relaxed);
        if r.first_ms < 0.0 && r.lines > 0 {
            r.first_ms = t0.elapsed().as_secs_f64() * 1e3;
        }
    }
    r.all_s = t0.elapsed().as_secs_f64();
    r.ok = kid.wait().is_ok_and(|s| s.success());
    r
}
