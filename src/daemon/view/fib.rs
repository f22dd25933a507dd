//! Steering the Fib: `bgpctl fib …`.

use std::time::Duration;

use starling_fib::audit::{Audit, Fault};
use starling_fib::netlink::Command;
use starling_fib::types::{Coupling, FibIn};
use tokio::sync::oneshot;

use super::{Refusal, View, stopping};
use crate::api::{ApiError, AuditFault, AuditFinding, FibAudit, FibCoupling, Reason};

/// How long the answer waits for the kernel …
const PATIENCE: Duration = Duration::from_secs(8);
/// … for what an audit puts right …
const REPAIR: Duration = Duration::from_secs(3);
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

    /// Has the kernel's table audited, and waits a moment for what that puts right.
    pub(super) async fn audited(&self) -> Result<FibAudit, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.fib.commands.send(Command::Audit(answer)).await.map_err(|_| stopping())?;
        let audit = answered.await.map_err(|_| stopping())?.map_err(|why| {
            Refusal::unavailable(ApiError::new(format!("there was no audit: {why}")))
        })?;
        let repairs = async {
            while self.left(&audit).await? > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(0)
        };
        let left = match tokio::time::timeout(REPAIR, repairs).await {
            Ok(left) => left?,
            Err(_elapsed) => self.left(&audit).await?,
        };
        let found = audit.missing + audit.wrong + audit.extra;
        let findings = self.findings(&audit).await?;
        Ok(FibAudit {
            compared: audit.compared as u64,
            missing: audit.missing as u64,
            wrong: audit.wrong as u64,
            extra: audit.extra as u64,
            unheard: audit.unheard as u64,
            repaired: found.saturating_sub(left) as u64,
            findings,
            took_ms: u64::try_from(audit.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Of the destinations that an audit found, how many still are not as they should be.
    async fn left(&self, audit: &Audit) -> Result<usize, Refusal> {
        if audit.missing + audit.wrong + audit.extra == 0 {
            return Ok(0);
        }
        let found: Vec<_> = audit.findings.iter().filter(|f| f.fault != Fault::Unheard).collect();
        let prefixes: Vec<_> = found.iter().map(|finding| finding.prefix).collect();
        let named = prefixes.len();
        let answer = self.fib.ask(move |fib| {
            let amiss = prefixes.iter().filter(|prefix| fib.differs(**prefix)).count();
            (amiss, fib.differing())
        });
        let (amiss, all) = answer.await.ok_or_else(stopping)?;
        let whole = named >= audit.missing + audit.wrong + audit.extra;
        Ok(if whole { amiss } else { all })
    }

    async fn findings(&self, audit: &Audit) -> Result<Vec<AuditFinding>, Refusal> {
        let found = audit.findings.clone();
        let answer = self.fib.ask(move |fib| -> Vec<AuditFinding> {
            let words = |route: &_| fib.words(route).to_string();
            let finding = |finding: &starling_fib::audit::Finding| AuditFinding {
                prefix: finding.prefix,
                fault: match finding.fault {
                    Fault::Missing => AuditFault::Missing,
                    Fault::Wrong => AuditFault::Wrong,
                    Fault::Extra => AuditFault::Extra,
                    Fault::Unheard => AuditFault::Unheard,
                },
                want: finding.want.as_ref().map(words),
                have: finding.have.iter().map(words).collect(),
            };
            found.iter().map(finding).collect()
        });
        answer.await.ok_or_else(stopping)
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
    let subject = "fib".to_owned();
    Some(Reason { code: "decoupled".to_owned(), subject, cause: None, text })
}
