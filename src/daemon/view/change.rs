//! Changes of the configuration: asked of the supervisor, which makes them.

use std::time::SystemTime;

use tokio::sync::oneshot;

use super::{Refusal, View, stopping};
use crate::api::Generation;
use crate::daemon::generations;
use crate::daemon::roster::Request;

impl View {
    /// Asks the supervisor, which does one thing at a time.
    pub(super) async fn supervised<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Request,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.supervisor.send(request(answer)).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    pub(super) fn all_generations(&self) -> Vec<Generation> {
        let roster = self.roster();
        let now = SystemTime::now();
        let row = |generation: &generations::Generation| {
            let current = generation.number == roster.generation;
            let unconfirmed = roster.unconfirmed.filter(|_| current);
            Generation {
                generation: generation.number,
                // A clock that was set back makes nothing younger than now.
                age_s: now.duration_since(generation.since).unwrap_or_default().as_secs(),
                current,
                confirm_s: unconfirmed.map(|until| self.seconds_until(until)),
                source: generation.source.clone(),
                reason: Some(generation.reason.clone()).filter(|reason| !reason.is_empty()),
                unconfirmed: !generation.confirmed,
                digest: generation.texts.digest().to_string(),
                changes: generation.changes.clone(),
            }
        };
        roster.generations.iter().rev().map(row).collect()
    }
}
