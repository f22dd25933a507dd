//! What a set of processes costs, from /proc.
use std::fs;

#[derive(Clone, Default, Debug)]
pub struct Sample {
    pub rss: u64,
    pub hwm: u64,
    pub pss: u64,
    pub uss: u64,
    pub user: f64,
    pub sys: f64,
    /// Exact run time of the threads alive now, seconds.
    pub exact: f64,
    pub vol: u64,
    pub invol: u64,
    pub threads: u64,
    pub alive: usize,
}

impl Sample {
    pub fn cpu(&self) -> f64 {
        self.user + self.sys
    }
}

fn field(s: &str, k: &str) -> u64 {
    s.lines()
        .find(|l| l.starts_with(k))
        .and_then(|l| l[k.len()..].split_whitespace().next())
        .and_then(|v| v.parse().ok())
        .unwrap_or(0)
}

/// Bytes and seconds, summed over `pids`. PSS is costly: ask for it outside of timing.
pub fn take(pids: &[i32], pss: bool) -> Sample {
    let mut t = Sample::default();
    let hz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    for p in pids {
        let Ok(st) = fs::read_to_string(format!("/proc/{p}/status")) else { continue };
        t.alive += 1;
        t.rss += field(&st, "VmRSS:") * 1024;
        t.hwm += field(&st, "VmHWM:") * 1024;
        t.threads += field(&st, "Threads:");
        if let Ok(s) = fs::read_to_string(format!("/proc/{p}/stat")) {
            let rest: Vec<&str> = s[s.rfind(')').unwrap_or(0)..].split_whitespace().collect();
            t.user += rest[12].parse::<f64>().unwrap_or(0.0) / hz;
            t.sys += rest[13].parse::<f64>().unwrap_or(0.0) / hz;
        }
        if let Ok(d) = fs::read_dir(format!("/proc/{p}/task")) {
            for e in d.flatten() {
                if let Ok(s) = fs::read_to_string(e.path().join("schedstat")) {
                    t.exact +=
                        s.split(' ').next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0)
                            / 1e9;
                }
                if let Ok(s) = fs::read_to_string(e.path().join("status")) {
                    t.vol += field(&s, "voluntary_ctxt_switches:");
                    t.invol += field(&s, "nonvoluntary_ctxt_switches:");
                }
            }
        }
        if pss {
            if let Ok(s) = fs::read_to_string(format!("/proc/{p}/smaps_rollup")) {
                t.pss += field(&s, "Pss:") * 1024;
                t.uss += (field(&s, "Private_Clean:") + field(&s, "Private_Dirty:")) * 1024;
            }
        }
    }
    t
}

/// Restarts the kernel's peak-RSS mark.
pub fn reset_peak(pids: &[i32]) {
    for p in pids {
        let _ = fs::write(format!("/proc/{p}/clear_refs"), "5");
    }
}

pub fn loadavg() -> String {
    fs::read_to_string("/proc/loadavg")
        .unwrap_or_default()
        .split(' ')
        .next()
        .unwrap_or("")
        .to_string()
}
