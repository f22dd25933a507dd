//! What a set of processes costs, from /proc.
use std::collections::BTreeMap;
use std::fs;

#[derive(Clone, Default, Debug)]
pub struct Sample {
    pub rss: u64,
    pub hwm: u64,
    pub pss: u64,
    pub uss: u64,
    pub user: f64,
    pub sys: f64,
    /// By thread, of those alive now.
    tasks: BTreeMap<i32, Task>,
    pub threads: u64,
    pub alive: usize,
}

/// What threads took.
#[derive(Clone, Copy, Default, Debug)]
pub struct Task {
    /// Exact run time, seconds.
    pub exact: f64,
    /// Switches that they asked for, and others.
    pub vol: u64,
    pub invol: u64,
}

impl Sample {
    pub fn cpu(&self) -> f64 {
        self.user + self.sys
    }

    /// What the threads alive now took since `before`. Those that ended meanwhile are not counted.
    pub fn since(&self, before: &Sample) -> Task {
        let mut sum = Task::default();
        for (id, now) in &self.tasks {
            let then = before.tasks.get(id).copied().unwrap_or_default();
            sum.exact += now.exact - then.exact;
            sum.vol += now.vol - then.vol;
            sum.invol += now.invol - then.invol;
        }
        sum
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
                let Some(id) = e.file_name().to_str().and_then(|id| id.parse().ok()) else {
                    continue;
                };
                let read = |name: &str| fs::read_to_string(e.path().join(name)).unwrap_or_default();
                let (ran, status) = (read("schedstat"), read("status"));
                let ran = ran.split(' ').next().and_then(|v| v.parse::<f64>().ok());
                let task = Task {
                    exact: ran.unwrap_or(0.0) / 1e9,
                    vol: field(&status, "voluntary_ctxt_switches:"),
                    invol: field(&status, "nonvoluntary_ctxt_switches:"),
                };
                t.tasks.insert(id, task);
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
