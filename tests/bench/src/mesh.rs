//! `mesh`: starts one daemon in each of K namespaces and watches every kernel fill.
use crate::nl::{self, Watch};
use crate::{sample, Args, Json};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub fn mesh(a: &Args) -> i32 {
    let k = a.num("nodes", 50);
    let want = a.num("want", k - 1) as i64;
    let pre = a.get("ns-prefix").unwrap_or("bbm");
    let proto = a.num("fib-proto", 12) as u8;
    let cmd = a.get("cmd").unwrap_or_else(|| {
        crate::die("--cmd 'DAEMON ARGS' ({i}: the node's number; several with ' ;; ')")
    });
    let mut ws: Vec<Watch> = (1..=k)
        .map(|i| {
            Watch::open(Some(&format!("{pre}{i}")), proto, 8 << 20)
                .unwrap_or_else(|e| crate::die(&format!("{pre}{i}: {e}")))
        })
        .collect();
    let load0 = sample::loadavg();
    let t0 = Instant::now();
    let mut kids: Vec<Child> = Vec::new();
    for i in 1..=k {
        for one in cmd.replace("{i}", &i.to_string()).split(" ;; ") {
            let v: Vec<&str> = one.split_whitespace().collect();
            let r = nl::in_netns(Some(&format!("{pre}{i}")), || {
                let mut c = Command::new(v[0]);
                c.args(&v[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                // The daemons must not outlive this process.
                unsafe {
                    c.pre_exec(|| {
                        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                        Ok(())
                    });
                }
                c.process_group(0).spawn()
            });
            match r {
                Ok(Ok(c)) => kids.push(c),
                e => crate::die(&format!("{one}: {e:?}")),
            }
        }
    }
    let started = t0.elapsed().as_secs_f64();
    let pids: Vec<i32> = kids.iter().map(|c| c.id() as i32).collect();
    let mut hit: Vec<Option<f64>> = vec![None; k];
    let limit = Duration::from_secs(a.num("timeout", 180) as u64);
    let mut fds: Vec<libc::pollfd> = ws
        .iter()
        .map(|w| libc::pollfd { fd: w.sock.0, events: libc::POLLIN, revents: 0 })
        .collect();
    while hit.iter().any(|h| h.is_none()) && t0.elapsed() < limit {
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as u64, 100) };
        for i in 0..k {
            if fds[i].revents != 0 && ws[i].poll() {
                ws[i].resync();
                if hit[i].is_none() && ws[i].count >= want {
                    hit[i] = Some(t0.elapsed().as_secs_f64());
                }
            }
        }
    }
    let conv = sample::take(&pids, true);
    let mut t: Vec<f64> = hit.iter().map(|h| h.unwrap_or(f64::MAX)).collect();
    t.sort_by(f64::total_cmp);
    let mut j = Json::new();
    j.str("label", a.get("label").unwrap_or(""));
    let ok = hit.iter().all(|h| h.is_some());
    j.bool("ok", ok);
    j.n("nodes", k as u64);
    j.n("processes", pids.len() as u64);
    j.f("spawn_s", started);
    j.n("nodes_full", hit.iter().flatten().count() as u64);
    j.f("first_node_s", if t[0] == f64::MAX { -1.0 } else { t[0] });
    j.f("median_node_s", if t[k / 2] == f64::MAX { -1.0 } else { t[k / 2] });
    j.f("all_nodes_s", if ok { t[k - 1] } else { -1.0 });
    j.f("cpu_s_to_converge", conv.since(&sample::Sample::default()).exact);
    j.n("fib_min_dump", ws.iter().map(|w| w.dump().unwrap_or(0) as u64).min().unwrap());
    std::thread::sleep(Duration::from_secs(a.num("settle", 5) as u64));
    let idle = a.num("idle", 30) as u64;
    let s0 = sample::take(&pids, false);
    std::thread::sleep(Duration::from_secs(idle));
    let s1 = sample::take(&pids, true);
    let took = s1.since(&s0);
    j.n("rss_total", s1.rss);
    j.n("pss_total", s1.pss);
    j.n("uss_total", s1.uss);
    j.n("rss_each", s1.rss / k as u64);
    j.n("pss_each", s1.pss / k as u64);
    j.n("alive", s1.alive as u64);
    j.f("idle_cpu_ms_per_min_total", took.exact * 60e3 / idle.max(1) as f64);
    j.f("idle_wakeups_per_s_total", took.vol as f64 / idle.max(1) as f64);
    j.str("load_start", &load0);
    j.str("load", &sample::loadavg());
    // One node goes away: how long until all others have dropped its route.
    if a.has("kill-one") && ok {
        let before: Vec<i64> = ws
            .iter_mut()
            .map(|w| {
                w.poll();
                w.count
            })
            .collect();
        let per = kids.len() / k;
        let t1 = Instant::now();
        for c in kids.iter_mut().take(per) {
            unsafe { libc::kill(c.id() as i32, libc::SIGKILL) };
        }
        let mut gone: Vec<Option<f64>> = vec![None; k];
        while gone[1..].iter().any(|g| g.is_none())
            && t1.elapsed() < Duration::from_secs(a.num("kill-timeout", 200) as u64)
        {
            unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as u64, 100) };
            for i in 1..k {
                if fds[i].revents != 0
                    && ws[i].poll()
                    && gone[i].is_none()
                    && ws[i].count < before[i]
                {
                    gone[i] = Some(t1.elapsed().as_secs_f64());
                }
            }
        }
        let mut g: Vec<f64> = gone[1..].iter().map(|g| g.unwrap_or(f64::MAX)).collect();
        g.sort_by(f64::total_cmp);
        j.f("kill_median_s", if g[k / 2] == f64::MAX { -1.0 } else { g[k / 2] });
        j.f("kill_all_s", if g[k - 2] == f64::MAX { -1.0 } else { g[k - 2] });
    }
    for c in &mut kids {
        unsafe { libc::kill(c.id() as i32, libc::SIGTERM) };
    }
    let t = Instant::now();
    for c in &mut kids {
        while t.elapsed() < Duration::from_secs(5) && matches!(c.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = c.kill();
        let _ = c.wait();
    }
    println!("{}", j.done());
    if ok {
        0
    } else {
        1
    }
}
