//! The one clock: the actors' `Time` is microseconds since this process began.

use std::time::{Duration, Instant};

use starling_bgp::types::Time;

/// Turns the system's monotonic clock into the actors' time and back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// The time for `handle`.
    pub fn now(&self) -> Time {
        Time::ZERO.after(self.origin.elapsed())
    }

    /// When that is by the system's clock.
    pub fn moment(&self, time: Time) -> Instant {
        self.origin + Duration::from_micros(time.0)
    }

    /// Sleeps until `deadline`; for ever if there is none.
    pub async fn sleep_until(&self, deadline: Option<Time>) {
        match deadline {
            Some(at) => {
                let at = self.origin + Duration::from_micros(at.0.min(u64::from(u32::MAX) << 20));
                tokio::time::sleep_until(at.into()).await;
            }
            None => std::future::pending().await,
        }
    }
}
