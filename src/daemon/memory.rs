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
//! What is free at the heap's end goes back as soon as it is a megabyte, and a large block, which is
//! mapped by itself, when it is freed. By themselves both bounds grow in the C library, to the largest
//! block that was ever mapped and freed, and twice that: of the same million it kept 20 MB and more
//! that nothing was in, for as long as they flapped. It costs nothing that could be measured.

use std::time::Duration;

use starling_bgp::types::Time;

/// So many free octets at the heap's end, at most.
#[cfg(target_env = "gnu")]
const SPARE: libc::c_int = 1 << 20;
/// Blocks of so many octets are mapped by themselves: what the C library begins with.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// One heap for all threads, that keeps no more than it needs. To be called before there is a
/// second thread.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "a call of the C library that has no other wrapper")]
pub(super) fn keep_one_small_heap() {
    // SAFETY: they set numbers. A C library that refuses them goes on as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
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
#[path = "memory_tests.rs"]
mod tests;
