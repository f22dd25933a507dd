//! The running configuration as others may see it, and how they ask for another.

use std::path::PathBuf;
use std::sync::Arc;

use starling_bgp::types::Time;
use starling_config::{Config, Digest, NodePlan, PeerPlan};
use tokio::sync::oneshot;

use super::control::Refusal;
use super::generations::Generations;
use super::peer::PeerHandle;
use crate::api::{Applied, ChangeQuery, Plan, Proposal, ReloadResult, Terms};

/// What the supervisor is asked.
#[derive(Debug)]
pub enum Request {
    /// Read the configuration again and apply it.
    Reload {
        /// Why, for people; may be empty.
        reason: String,
        /// What became of it.
        answer: oneshot::Sender<Result<ReloadResult, Refusal>>,
    },
    /// Say what a file would do in its place.
    Plan(Proposal, oneshot::Sender<Result<Plan, Refusal>>),
    /// Apply that file.
    Apply(Proposal, Terms, oneshot::Sender<Result<Applied, Refusal>>),
    /// Keep what waits to be confirmed.
    Confirm {
        /// Only say what files will have to be written.
        dry: bool,
        /// What became of it.
        answer: oneshot::Sender<Result<Applied, Refusal>>,
    },
    /// Go back.
    RollBack {
        /// To where, and how.
        query: ChangeQuery,
        /// What became of it.
        answer: oneshot::Sender<Result<Applied, Refusal>>,
    },
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
    /// The number of the configuration in force, from 1; 0: none is yet.
    pub generation: u64,
    /// Of the configuration's texts.
    pub digest: Digest,
    /// The last of them.
    pub generations: Arc<Generations>,
    /// When it is undone, unless it is confirmed.
    pub unconfirmed: Option<Time>,
    /// When that was.
    pub since: Time,
    /// The neighbours and the ways to their tasks.
    pub peers: Vec<(PeerPlan, PeerHandle)>,
    /// Why the newest configuration on disk is not the running one.
    pub rejected: Option<String>,
}
