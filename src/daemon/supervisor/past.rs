//! What was in force, counted and kept: the part of the supervisor that `bgpctl rollback` leans on.
//!
//! The start reads files and nothing else, so what is kept here never decides what is in force: it is
//! a way back for who asks. Whoever changed the configuration has his answer once the change is on
//! the disk, or it was said that it is not.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use starling_config::NodePlan;
use tokio::time::timeout;

use super::Supervisor;
use crate::daemon::Options;
use crate::daemon::generations::shelf::{Found, Shelf};
use crate::daemon::generations::{Generation, Generations, Wish};

/// How long the disk is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where they are kept, and what is there.
pub(super) fn open(options: &Options) -> (Option<Shelf>, Generations) {
    let Some(state) = &options.state else { return (None, Generations::default()) };
    match Shelf::open(state) {
        Ok(shelf) => {
            let Found { generations, complaints } = shelf.read(&options.config);
            for complaint in complaints {
                tracing::warn!(
                    "a configuration that was in force cannot be gone back to: {complaint}"
                );
            }
            (Some(shelf), generations)
        }
        Err(error) => {
            let state = state.display();
            tracing::warn!("{state}: {error}: `bgpctl rollback` will know nothing after a restart");
            (None, Generations::default())
        }
    }
}

impl Supervisor {
    /// One more configuration is in force. At the start it may be the one that was: the same files
    /// go on with their number.
    pub(super) async fn count(
        &mut self,
        plan: Arc<NodePlan>,
        wish: Wish<'_>,
        changes: Vec<String>,
    ) {
        let (config, since) = (Arc::clone(&self.config), self.clock.now());
        let begins = self.roster.borrow().generation == 0;
        let confirmed = self.trial.is_none();
        let mut kept = Arc::clone(&self.roster.borrow().generations);
        let goes_on = begins && kept.newest().is_some_and(|newest| newest.texts == config.texts);
        let all = Arc::make_mut(&mut kept);
        let (number, displaced) = match all.newest().filter(|_| goes_on).map(|newest| newest.number)
        {
            // If it waited to be confirmed, somebody has written it to its file since.
            Some(number) => {
                all.confirm();
                (number, None)
            }
            None => {
                let number = all.next();
                let (since, texts) = (SystemTime::now(), config.texts.clone());
                let (source, reason) = (wish.source.to_owned(), wish.reason.to_owned());
                let new = Generation { number, since, source, reason, changes, confirmed, texts };
                (number, all.push(new))
            }
        };
        self.roster.send_modify(|roster| {
            roster.digest = config.texts.digest();
            roster.config = config;
            roster.plan = plan;
            roster.generation = number;
            roster.generations = kept;
            roster.since = since;
            roster.rejected = None;
        });
        self.keep(displaced).await;
    }

    /// What is in force was confirmed.
    pub(super) async fn meant(&mut self) {
        self.roster.send_modify(|roster| {
            roster.unconfirmed = None;
            Arc::make_mut(&mut roster.generations).confirm();
        });
        self.keep(None).await;
    }

    /// Writes down what is in force, and removes what that displaces.
    async fn keep(&self, displaced: Option<u64>) {
        let Some(shelf) = self.shelf.clone() else { return };
        let Some(newest) = self.roster.borrow().generations.newest().cloned() else { return };
        let number = newest.number;
        let write = tokio::task::spawn_blocking(move || shelf.keep(&newest, displaced));
        let why = match timeout(PATIENCE, write).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the daemon is stopping".to_owned(),
            Err(_elapsed) => format!("the disk has not answered for {PATIENCE:?}"),
        };
        tracing::warn!("configuration {number} is not kept for after a restart: {why}");
    }
}
