//! Listening to what happens.

use super::{Refusal, View, no_such_neighbor};
use crate::api::{ApiError, EventQuery};
use crate::daemon::broadcast::Listener;

impl View {
    /// A listener to what `query` wants, its peers by name or address.
    pub(super) fn listened(&self, mut query: EventQuery) -> Result<Listener, Refusal> {
        let roster = self.roster();
        for wanted in &mut query.peers {
            let called = |name: &str, address: String| name == wanted || address == *wanted;
            let mut plans = roster.peers.iter().map(|(plan, _)| plan);
            let plan = plans.find(|plan| called(&plan.name, plan.address.to_string()));
            match plan {
                Some(plan) => plan.name.clone_into(wanted),
                None if wanted == "local" => {}
                None => return Err(no_such_neighbor(wanted, &roster)),
            }
        }
        self.broadcast.listen(query).ok_or_else(|| {
            Refusal::unavailable(
                ApiError::new("too many listen to events already, or the daemon is stopping")
                    .hint("end another `bgpctl monitor`, or close a page of this node"),
            )
        })
    }
}
