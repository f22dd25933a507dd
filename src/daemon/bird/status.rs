//! `show status`: the daemon, and whether it still recovers from a restart.

use jiff::Zoned;

use super::reply::Reply;
use super::{Face, when};
use crate::daemon::control::{Backend, Refusal};

/// What readers take for BIRD's version: the dialect that is spoken here, and who speaks it. The
/// `v` is how they find it.
pub(super) fn version() -> String {
    format!("v1.6.8+starling{}", env!("CARGO_PKG_VERSION"))
}

impl<B: Backend> Face<B> {
    pub(super) async fn status(&self, reply: &mut Reply) -> Result<(), Refusal> {
        let summary = self.backend.summary().await?;
        let now = Zoned::now();
        reply.line(1000, &format!("BIRD {}", version()));
        reply.line(1011, &format!("Router ID is {}", summary.router_id));
        reply.line(1011, &format!("Current server time is {}", when::full(&now, 0)));
        reply.line(1011, &format!("Last reboot on {}", when::full(&now, summary.uptime_s)));
        let reloaded = when::full(&now, summary.reloaded_s);
        reply.line(1011, &format!("Last reconfiguration on {reloaded}"));
        if summary.recovering {
            // Calico's readiness waits while it sees this code.
            reply.line(24, "Graceful restart recovery in progress");
        }
        reply.end(13, "Daemon is up and running");
        Ok(())
    }
}
