//! Whether the node does its job: somebody is heard, and what is announced is in the kernel.

use starling_fib::rivals::{HABIT, words};
use starling_fib::tunnel::TunnelState;
use starling_fib::types::{Coupling, TunnelError};

use super::fib::decoupled;
use super::{Refusal, View, stopping};
use crate::api::{PeerSummary, Ready, Reason, Rival, SessionState};
use crate::daemon::roster::Roster;

/// Neighbours that are named one by one before the rest is a number.
const NAMED: usize = 10;

impl View {
    /// Not ready: the kernel does not follow or is not as wanted, the tunnel that a pool needs is
    /// not to be had, neighbours are still announcing what they have after the start, or not one
    /// session of several configured ones is up. A single neighbour that is down is a reason to
    /// look, not to take the node out.
    pub(super) async fn readiness(
        &self,
        roster: &Roster,
        peers: &[PeerSummary],
    ) -> Result<Ready, Refusal> {
        let answer = self.fib.ask(|fib| {
            let coupling = fib.coupling();
            // To compare everything is dear: only where it is told.
            let differing = if coupling == Coupling::Coupled { 0 } else { fib.differing() };
            let refused = refused(fib.refused_now());
            (fib.healthy(), fib.tunnel_state(), refused, decoupled(coupling, differing))
        });
        let (healthy, tunnel, refused, decoupled) = answer.await.ok_or_else(stopping)?;
        let answer = self.rib.ask(|rib| (rib.isolation(), rib.coming()));
        let (isolation, coming) = answer.await.ok_or_else(stopping)?;
        let mut reasons: Vec<Reason> = decoupled.into_iter().chain(refused).collect();
        reasons.extend(starting(&coming));
        reasons.extend(isolation.map(|isolation| Reason {
            code: "cut_off".to_owned(),
            subject: roster.plan.name.clone(),
            cause: None,
            text: format!(
                "{} of {} neighbours fell silent at once {} s ago: this node is taken to be cut \
                 off, and keeps their routes for {} s more; look at its network",
                isolation.silent,
                isolation.of,
                self.seconds_since(isolation.since),
                isolation.until.since(self.clock.now()).as_secs(),
            ),
        }));
        if let Err(words) = healthy {
            reasons.extend(words.into_iter().map(|text| kernel_reason(text, &tunnel)));
        }
        // A dynamic neighbour that has hung up is on its way out, and nobody's trouble.
        let named: Vec<&PeerSummary> = peers.iter().filter(|peer| peer.range.is_none()).collect();
        let down: Vec<&PeerSummary> =
            named.iter().filter(|peer| peer.state != SessionState::Established).copied().collect();
        let cut_off = !named.is_empty() && down.len() == named.len();
        let ready = reasons.is_empty() && !cut_off;
        reasons.extend(down.iter().take(NAMED).map(|peer| Reason {
            code: "session_down".to_owned(),
            subject: peer.name.clone(),
            cause: peer.cause,
            text: format!(
                "no session with {} ({}): {}",
                peer.name,
                peer.address,
                peer.reason.as_deref().unwrap_or("not established")
            ),
        }));
        if let Some(more) = down.len().checked_sub(NAMED).filter(|more| *more > 0) {
            reasons.push(Reason {
                code: "sessions_down".to_owned(),
                subject: more.to_string(),
                cause: None,
                text: format!("and {more} more neighbours without a session"),
            });
        }
        reasons.extend(self.rivals().await?.into_iter().filter(|r| r.recent >= HABIT).map(
            |rival| {
                let subject = rival.name();
                let text = format!(
                    "{} ({} in all, the last {}): two programs manage the same routes",
                    rival.what, rival.total, rival.last
                );
                Reason { code: "rival".to_owned(), subject, cause: None, text }
            },
        ));
        reasons.extend(roster.unconfirmed.map(|until| Reason {
            code: "unconfirmed".to_owned(),
            subject: format!("generation {}", roster.generation),
            cause: None,
            text: format!(
                "the configuration in force is undone in {} s, unless `bgpctl confirm` comes",
                self.seconds_until(until)
            ),
        }));
        if let Some(rejected) = &roster.rejected {
            reasons.push(Reason {
                code: "config_rejected".to_owned(),
                subject: format!("generation {}", roster.generation),
                cause: None,
                text: format!(
                    "the newest configuration was rejected, an older one runs:\n{rejected}"
                ),
            });
        }
        Ok(Ready { ready, reasons })
    }
}

impl View {
    /// Who else writes to our routes.
    pub(super) async fn rivals(&self) -> Result<Vec<Rival>, Refusal> {
        let look = |fib: &starling_fib::Fib| -> Vec<Rival> {
            let own = fib.protocol().unwrap_or_default();
            fib.rivals()
                .map(|rival| Rival {
                    protocol: rival.who,
                    what: words(rival.who, rival.recent, own),
                    recent: rival.recent,
                    total: rival.total,
                    last: rival.last,
                    last_s: rival.ago.as_secs(),
                })
                .collect()
        };
        self.fib.ask(look).await.ok_or_else(stopping)
    }
}

fn kernel_reason(text: String, tunnel: &TunnelState) -> Reason {
    let (code, subject) = match tunnel {
        TunnelState::Failed(error) if error.to_string() == text => match error {
            TunnelError::NoModule { .. } => ("no_ipip", "ipip"),
            TunnelError::WrongKind { .. } | TunnelError::Failed { .. } => ("no_tunnel", "tunnel"),
        },
        TunnelState::Pending(why) if *why == text => ("tunnel_pending", "tunnel"),
        _ => ("kernel", "fib"),
    };
    Reason { code: code.to_owned(), subject: subject.to_owned(), cause: None, text }
}

/// Of the start: one of those that have not announced everything yet.
fn starting(coming: &[String]) -> Option<Reason> {
    let (first, others) = coming.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(Reason {
        code: "starting".to_owned(),
        subject: first.clone(),
        cause: None,
        text: format!("{first}{more} have not announced all that they have since the start"),
    })
}

fn refused(routes: usize) -> Option<Reason> {
    (routes > 0).then(|| Reason {
        code: "refused".to_owned(),
        subject: "fib".to_owned(),
        cause: None,
        text: format!(
            "the kernel refuses {routes} of our routes: `bgpctl show fib` has its words; they are \
             tried again"
        ),
    })
}
