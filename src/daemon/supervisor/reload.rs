//! Reloads: the configuration read again because somebody said so or because its files changed.
//!
//! While a change waits to be confirmed nothing is read: what happens to the files meanwhile is
//! looked at when that is over, one way or the other. So a program that writes them can neither
//! confirm what nobody has looked at nor lose its own change.

use std::path::Path;
use std::sync::Arc;

use starling_config::{Config, Errors, NodePlan};

use super::{Supervisor, notify};
use crate::api::{ApiError, ReloadResult};
use crate::daemon::control::Refusal;
use crate::daemon::generations::Wish;
use crate::daemon::{Options, identity};

/// A configuration, and what this node does by it.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) plan: NodePlan,
}

impl Supervisor {
    /// The files' folders had changes: reload if the contents differ.
    pub(super) async fn changed(&mut self) {
        let now = Config::load(&self.options.config).ok();
        if let Some(trial) = &mut self.trial {
            let now = now.map(|config| config.texts);
            if now != trial.disk && now.as_ref() != Some(&self.config.texts) {
                trial.hold("the file changed");
            }
            return;
        }
        if now.as_ref() == Some(&*self.config) {
            self.on_disk = Some(Arc::clone(&self.config));
            return;
        }
        // What is in force may be other than the file on purpose.
        if now.is_some() && now.as_ref() == self.on_disk.as_deref() {
            return;
        }
        self.reload(Wish::of("the file changed")).await;
    }

    /// Before something else than the file says is in force on purpose: what `bgpctl` has just written
    /// is known, of which word may still be on its way.
    pub(super) fn see_file(&mut self) {
        if on_disk(&self.options.config).as_ref() == Some(&*self.config) {
            self.on_disk = Some(Arc::clone(&self.config));
        }
    }

    /// A signal asks for a reload.
    pub(super) async fn hung_up(&mut self) {
        match &mut self.trial {
            Some(trial) => trial.hold("SIGHUP"),
            None => _ = self.reload(Wish::of("SIGHUP")).await,
        }
    }

    /// An operator asks for one, for that reason.
    pub(super) async fn asked(&mut self, reason: &str) -> Result<ReloadResult, Refusal> {
        self.no_trial()?;
        Ok(self.reload(Wish { source: "bgpctl reload", reason }).await)
    }

    pub(super) fn no_trial(&self) -> Result<(), Refusal> {
        match self.trial {
            None => Ok(()),
            Some(_) => Err(Refusal::conflict(
                ApiError::new("a change waits to be confirmed")
                    .hint("`bgpctl confirm` keeps it, `bgpctl rollback` takes it back at once"),
            )),
        }
    }

    pub(super) async fn reload(&mut self, wish: Wish<'_>) -> ReloadResult {
        let loaded = Config::load(&self.options.config).map_err(errors);
        let loaded = match loaded {
            Ok(config) => self.planned(config).await,
            Err(errors) => Err(errors),
        };
        match loaded {
            Ok(loaded) => {
                let changes = self.take(loaded, wish, "reloaded").await;
                self.on_disk = Some(Arc::clone(&self.config));
                let generation = self.roster.borrow().generation;
                ReloadResult { ok: true, generation, changes, errors: Vec::new() }
            }
            Err(errors) => self.reject(wish, errors),
        }
    }

    fn reject(&mut self, wish: Wish<'_>, errors: Vec<String>) -> ReloadResult {
        let text = errors.join("\n");
        tracing::error!("configuration rejected ({wish}), the running one stays:\n{text}");
        self.roster.send_modify(|roster| roster.rejected = Some(text));
        let generation = self.roster.borrow().generation;
        ReloadResult { ok: false, generation, changes: Vec::new(), errors }
    }

    /// What this node does by a configuration.
    pub(super) async fn planned(&self, config: Config) -> Result<Loaded, Vec<String>> {
        let host = identity::host().await.map_err(|error| vec![error.to_string()])?;
        let plan = plan(&config, &self.options, &host)?;
        Ok(Loaded { config, plan })
    }

    /// Makes it the one in force; what differs, one sentence each.
    pub(super) async fn take(&mut self, loaded: Loaded, wish: Wish<'_>, verb: &str) -> Vec<String> {
        let Loaded { config, mut plan } = loaded;
        notify(&[sd_notify::NotifyState::Reloading]);
        warn(&config);
        plan.keep_policies(&self.roster.borrow().plan);
        let changes = differences(&self.roster.borrow().plan, &plan);
        self.config = Arc::new(config);
        self.apply(Arc::new(plan), wish, changes.clone()).await;
        let generation = self.roster.borrow().generation;
        tracing::info!(generation, changes = changes.len(), "{verb} ({wish})");
        for change in &changes {
            tracing::info!("  {change}");
        }
        notify(&[sd_notify::NotifyState::Ready]);
        changes
    }
}

/// Reads the configuration and says what this node does by it.
pub(super) fn load(options: &Options, host: &identity::Host) -> Result<Loaded, Vec<String>> {
    let config = Config::load(&options.config).map_err(errors)?;
    warn(&config);
    let plan = plan(&config, options, host)?;
    Ok(Loaded { config, plan })
}

fn plan(
    config: &Config,
    options: &Options,
    host: &identity::Host,
) -> Result<NodePlan, Vec<String>> {
    match config.node(&host.identity(options.node.clone())) {
        Ok(node) => Ok(config.plan(node)),
        Err(error) => Err(vec![error.to_string()]),
    }
}

fn warn(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// What is wrong with a configuration, one entry each.
pub(super) fn errors(errors: Errors) -> Vec<String> {
    errors.errors.iter().map(ToString::to_string).collect()
}

/// What differs between two plans, one sentence each.
pub(super) fn differences(old: &NodePlan, new: &NodePlan) -> Vec<String> {
    let changes = starling_config::diff(old, new);
    if changes.is_empty() { Vec::new() } else { lines(&changes) }
}

/// A text's lines, without empty ones.
fn lines(text: &impl ToString) -> Vec<String> {
    let text = text.to_string();
    text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

/// What the files at `path` say, if they are a configuration.
pub(super) fn on_disk(path: &Path) -> Option<Config> {
    Config::load(path).ok()
}
