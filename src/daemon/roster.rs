//! The running configuration as others may see it, and how they ask for another.

use std::path::PathBuf;
use std::sync::Arc;

use starling_bgp::types::Time;
use starling_config::{Config, NodePlan, PeerPlan};
use tokio::sync::oneshot;

use super::peer::PeerHandle;
use crate::api::ReloadResult;

/// What the supervisor is asked.
#[derive(Debug)]
pub enum Request {
    /// Read the configuration again and apply it.
    Reload(oneshot::Sender<ReloadResult>),
    /// Say that you are there.
    Alive(oneshot::Sender<()>),
}

/// The running configuration, as others may see it.
#[derive(Clone, Debug)]
pub struct Roster {
    /// What every node is told.
    pub config: Arc<Config>,
    /// What this node does.
    pub plan: Arc<NodePlan>,
    /// The file.
    pub file: PathBuf,
    /// Counts applied configurations, from 1.
    pub generation: u64,
    /// When that was.
    pub since: Time,
    /// The neighbours and the ways to their tasks.
    pub peers: Vec<(PeerPlan, PeerHandle)>,
    /// Why the newest configuration on disk is not the running one.
    pub rejected: Option<String>,
}
