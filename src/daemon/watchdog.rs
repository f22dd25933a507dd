//! The watchdog of a systemd unit (WatchdogSec): it hears of us while everybody answers.
//!
//! Rib, Fib, BFD and the supervisor are asked in each round. Who does not answer keeps the word
//! from going, is named in the log, and after WatchdogSec the service manager restarts a daemon
//! whose routes stay in the kernel meanwhile.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::roster::Request;
use super::supervisor::notify;
use super::view::Actors;

/// Rounds within the time that the service manager waits.
const ROUNDS: u32 = 4;

/// Runs for ever; returns where no watchdog is wanted.
pub async fn run(actors: Actors, supervisor: mpsc::Sender<Request>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let pace = limit / ROUNDS;
    let mut silent = false;
    loop {
        let next = Instant::now() + pace;
        match round(&actors, &supervisor, pace).await {
            Ok(()) => {
                silent = false;
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
            Err(who) if !std::mem::replace(&mut silent, true) => tracing::error!(
                "{who} has not answered for {pace:?}: the watchdog is not told that all is well"
            ),
            Err(_) => {}
        }
        sleep_until(next).await;
    }
}

/// Everybody answers, or who does not within `patience`.
async fn round(
    actors: &Actors,
    supervisor: &mpsc::Sender<Request>,
    patience: Duration,
) -> Result<(), &'static str> {
    let Actors { rib, fib, bfd, .. } = actors;
    let rib = timeout(patience, rib.ask(|_| ()));
    let fib = timeout(patience, fib.ask(|_| ()));
    let bfd = timeout(patience, bfd.report());
    let supervisor = timeout(patience, async {
        let (answer, answered) = oneshot::channel();
        supervisor.send(Request::Alive(answer)).await.ok()?;
        answered.await.ok()
    });
    let (rib, fib, bfd, supervisor) = tokio::join!(rib, fib, bfd, supervisor);
    let answers = [
        ("the Rib", matches!(rib, Ok(Some(())))),
        ("the Fib", matches!(fib, Ok(Some(())))),
        ("BFD", bfd.is_ok()),
        ("the supervisor", matches!(supervisor, Ok(Some(())))),
    ];
    answers.into_iter().find(|(_, answered)| !answered).map_or(Ok(()), |(who, _)| Err(who))
}

#[cfg(test)]
#[path = "watchdog_tests.rs"]
mod tests;
