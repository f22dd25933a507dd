//! Waiting for something to become true, with a limit and a reason when it does not.
//!
//! Networks converge when they do; a test that sleeps is either slow or wrong.

use crate::Result;
use anyhow::anyhow;
use std::time::{Duration, Instant};

/// Between two looks. Short against a session's start, long against a spawned `ip`.
const PAUSE: Duration = Duration::from_millis(100);

/// Tries `attempt` until it succeeds, and gives what it gave.
///
/// An attempt that begins after `limit` is the last one: who stood still meanwhile, as a starved
/// machine does, or whose attempts take long, looks once more before giving up.
///
/// # Errors
/// After `limit`: what was waited for, how long, and the reason of the last attempt.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let is_last = start.elapsed() >= limit;
        match attempt() {
            Ok(value) => return Ok(value),
            Err(last) if is_last => {
                return Err(last.context(format!("waited {limit:?} for {what}")));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Looks until `condition` holds.
///
/// # Errors
/// After `limit`: what was waited for and how long.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result {
    wait_for(
        what,
        limit,
        || {
            if condition() { Ok(()) } else { Err(anyhow!("it did not come true")) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a machine that stands still makes it.
    #[test]
    fn there_is_a_look_after_the_limit() {
        let (begin, limit) = (Instant::now(), Duration::from_millis(5));
        let seen = wait_for("it", limit, || {
            if begin.elapsed() < limit {
                std::thread::sleep(2 * limit);
                return Err(anyhow!("too early"));
            }
            Ok("there")
        });
        assert_eq!(seen.unwrap(), "there");
        let mut looks = 0;
        let error = wait_until("it", Duration::ZERO, || {
            looks += 1;
            false
        });
        assert!(error.unwrap_err().to_string().contains("waited 0ns for it"));
        assert_eq!(looks, 1);
    }
}
