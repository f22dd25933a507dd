//! Steering the Fib: `bgpctl fib …`.

use std::time::Duration;

use starling_fib::types::{Coupling, FibIn};

use super::{Refusal, View, stopping};
use crate::api::{FibCoupling, Reason};

/// How long the answer waits for the kernel …
const PATIENCE: Duration = Duration::from_secs(8);
/// … looking so often.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl View {
    /// Tells the Fib, and says how the kernel stands once it had the time to follow.
    pub(super) async fn coupled(&self, to: Coupling) -> Result<FibCoupling, Refusal> {
        self.fib.tell(FibIn::Couple(to)).await;
        let followed = async {
            loop {
                let (stands, done) = self.standing(to).await?;
                if done {
                    return Ok(stands);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        match tokio::time::timeout(PATIENCE, followed).await {
            Ok(stands) => stands,
            // What is refused or is somebody else's goes on waiting; `show fib` says what.
            Err(_elapsed) => self.standing(to).await.map(|(stands, _)| stands),
        }
    }

    /// How the kernel stands, and whether it has done what `to` asks.
    async fn standing(&self, to: Coupling) -> Result<(FibCoupling, bool), Refusal> {
        let answer = self.fib.ask(|fib| (fib.coupling(), fib.differing(), fib.flushed()));
        let (now, differing, flushed) = answer.await.ok_or_else(stopping)?;
        let coupled = now == Coupling::Coupled;
        let removed = flushed.filter(|_| now == Coupling::Flushed).map(|n| n as u64);
        let done = match to {
            Coupling::Coupled => differing == 0,
            Coupling::Decoupled => true,
            Coupling::Flushed => flushed.is_some(),
        };
        Ok((FibCoupling { coupled, differing: differing as u64, removed }, done))
    }
}

/// What `/readyz` says of a kernel that does not follow.
pub(super) fn decoupled(coupling: Coupling, differing: usize) -> Option<Reason> {
    let how = match coupling {
        Coupling::Coupled => return None,
        Coupling::Decoupled => "decoupled by the operator: the kernel keeps what it has",
        Coupling::Flushed => "flushed by the operator: our routes were taken from the kernel",
    };
    let text = format!(
        "{how}, and {differing} destinations are not as they should be; `bgpctl fib couple` has \
         them written again"
    );
    Some(Reason { code: "decoupled".to_owned(), subject: "fib".to_owned(), text })
}
