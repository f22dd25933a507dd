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
/// # Errors
/// After `limit`: what was waited for, how long, and the reason of the last attempt.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(last) if start.elapsed() >= limit => {
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
