//! What a withdrawal frees goes back to the system; how much there is of it.
//!
//! The allocator is the C library's. Two others were tried, with a million routes that come, go out
//! to a neighbour, change and go: jemalloc took as much time and 8 % more memory, mimalloc up to a
//! tenth less time and 40 % more memory. What the C library does not do by itself is to return what
//! is free between things in use: it is told to, when a table has become half of what it was, and
//! now and then while routes change.
//!
//! All threads share one heap. What one frees another takes, and the few that a daemon has hardly
//! ever want it at the same moment; with a heap for each, a route that a session reads and the Rib
//! forgets leaves a hole where nobody looks for room: a million routes, a fifth of which flap, took
//! 1.4 times as much, and what they left when they had gone was twice as much.
//!
//! What is free at the heap's end goes back as soon as it is a megabyte. By itself the C library
//! lets that bound grow to twice the largest block that was ever mapped and freed: of the same
//! million it kept 20 MB and more that nothing was in, for as long as they flapped. It costs nothing
//! that could be measured.

use std::time::Duration;

use starling_bgp::types::Time;

/// So many free octets at the heap's end, at most.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 1 << 20;

/// One heap for all threads, that keeps no more than it needs. To be called before there is a
/// second thread.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "a call of the C library that has no other wrapper")]
pub(super) fn keep_one_small_heap() {
    // SAFETY: they set numbers. A C library that refuses them goes on as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
    }
}

/// Other C libraries have their own ways.
#[cfg(not(target_env = "gnu"))]
pub(super) fn keep_one_small_heap() {}

/// A table that never had more destinations holds nothing that is worth the work.
const SMALL: usize = 1 << 14;
/// Where half of a table goes, more of it is likely to: the work is done once, after so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// How large the table has been.
#[derive(Debug, Default)]
pub(super) struct HighWater {
    most: usize,
    due: Option<Time>,
}

impl HighWater {
    /// The table has so many destinations now.
    pub(super) fn see(&mut self, destinations: usize, now: Time) {
        self.most = self.most.max(destinations);
        if self.due.is_none() && self.most > SMALL && destinations < self.most / 2 {
            self.due = Some(now.after(PATIENCE));
        }
    }

    /// When memory is to be given back; `None`: there is none to give.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    /// It is given back now; the table has so many destinations.
    pub(super) fn begin_again(&mut self, destinations: usize) {
        *self = HighWater { most: destinations, due: None };
    }
}

/// Returns free memory to the system.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "a call of the C library that has no other wrapper")]
pub(super) fn give_back() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries do it by themselves, or not at all.
#[cfg(not(target_env = "gnu"))]
pub(super) fn give_back() {}

/// What is allocated and what is free inside the allocator's memory, in octets; `None`: it does
/// not tell.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "a call of the C library that has no other wrapper")]
pub(super) fn allocated() -> Option<(u64, u64)> {
    // SAFETY: it takes the allocator's own locks, and changes nothing.
    let all = unsafe { libc::mallinfo2() };
    Some(((all.uordblks + all.hblkhd) as u64, all.fordblks as u64))
}

/// Other C libraries do not count.
#[cfg(not(target_env = "gnu"))]
pub(super) fn allocated() -> Option<(u64, u64)> {
    None
}

/// What the process has of the machine's memory, in octets; 0 where the kernel does not say.
pub(super) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_back_once_a_table_has_halved() {
        let mut water = HighWater::default();
        water.see(1_000_000, Time(1));
        water.see(500_000, Time(2));
        assert_eq!(water.next_deadline(), None);
        water.see(499_999, Time(3));
        let due = Time(3).after(PATIENCE);
        water.see(200_000, Time(4));
        assert_eq!(water.next_deadline(), Some(due), "of the first fall");
        water.begin_again(17_000);
        assert_eq!(water.next_deadline(), None);
        water.see(0, Time(5));
        assert_eq!(water.next_deadline(), Some(Time(5).after(PATIENCE)));
        water.begin_again(0);
        water.see(10_000, Time(6));
        water.see(0, Time(7));
        assert_eq!(water.next_deadline(), None, "too small to matter");
    }

    /// Does `body` in a process that does nothing else: what is counted here is a whole process's.
    #[cfg(target_env = "gnu")]
    fn alone(test: &str, body: impl FnOnce()) {
        const INNER: &str = "STARLING_ALONE";
        let name = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        if std::env::var(INNER).as_deref() == Ok(test) {
            return body();
        }
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let output = command.args([&name, "--exact", "--nocapture"]).env(INNER, test).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    }

    /// Pieces that are freed but for every hundredth: the allocator keeps all of that by itself.
    #[test]
    #[cfg(target_env = "gnu")]
    fn what_is_free_between_things_in_use_is_returned() {
        alone("what_is_free_between_things_in_use_is_returned", returns_what_is_free);
    }

    #[cfg(target_env = "gnu")]
    fn returns_what_is_free() {
        let resident = || resident() / 1024;
        let mut pieces: Vec<Option<Vec<u8>>> = (0..20_000).map(|_| Some(vec![1; 4000])).collect();
        for (at, piece) in pieces.iter_mut().enumerate() {
            if at % 100 != 0 {
                *piece = None;
            }
        }
        let before = resident();
        give_back();
        let after = resident();
        assert!(before - after > 40_000, "{before} kB before, {after} kB after");
        assert_eq!(pieces.iter().flatten().count(), 200);
        let (used, _) = allocated().unwrap();
        let large = vec![1_u8; 64 << 20];
        let (now, _) = allocated().unwrap();
        assert!(now >= used + (60 << 20), "{used}, then {now}");
        drop(large);
    }
}
