//! Changes with a net: what one would do, made with a way back, confirmed, undone.
//!
//! While a change waits to be confirmed, **the file still says what was before it**; only with the
//! confirmation it is written. So whatever happens meanwhile to the daemon, to its host or to whoever
//! asked, the next start reads the former configuration, and no state has to survive for that: what
//! [`super::past`] keeps is for `rollback` alone.
//!
//! The daemon writes no file: it may run without the right to, and whoever may ask it need not have
//! it either. `bgpctl` writes what [`Applied::files`] says, by its own rights; with `--runtime`
//! nobody does, as for a ConfigMap, which changes by kubectl.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use starling_bgp::types::Time;
use starling_config::{Config, NodePlan, Over, Texts};
use tokio::sync::oneshot;

use super::Supervisor;
use super::reload::{self, Loaded, errors, on_disk};
use crate::api::{ApiError, Applied, ChangeQuery, ConfigFile, Plan, Proposal, Terms};
use crate::daemon::control::Refusal;
use crate::daemon::dynamic::Dynamic;
use crate::daemon::generations::Wish;
use crate::daemon::moved::Moved;
use crate::daemon::peer::Command;
use crate::daemon::rehearsal::{Scene, Standing};

/// A change that waits to be confirmed.
#[derive(Debug)]
pub(super) struct Trial {
    former: Arc<Config>,
    /// It is undone then …
    pub(super) until: Time,
    /// … after so long.
    wait: Duration,
    /// No file is to be written, even if it is confirmed.
    runtime: bool,
    /// What the files said when it began; `None`: nothing that could be read.
    pub(super) disk: Option<Texts>,
    /// Somebody wanted a reload meanwhile.
    held: bool,
}

impl Trial {
    /// Notes that somebody wants a reload.
    pub(super) fn hold(&mut self, why: &str) {
        if !std::mem::replace(&mut self.held, true) {
            tracing::warn!(
                "a reload ({why}) waits until the change that is in force is confirmed or undone"
            );
        }
    }
}

impl Supervisor {
    /// What a file would do in the place of the configuration's; answered when it is known, while
    /// everything goes on.
    pub(super) async fn plan(
        &mut self,
        proposal: Proposal,
        answer: oneshot::Sender<Result<Plan, Refusal>>,
    ) {
        let loaded = match self.proposed(&proposal).await {
            Ok(loaded) => loaded,
            Err(errors) => return drop(answer.send(Ok(self.wrong(errors)))),
        };
        match self.scene(&loaded.plan).await {
            Err(refusal) => drop(answer.send(Err(refusal))),
            Ok(scene) => {
                let plan = self.described(&loaded);
                tokio::spawn(async move {
                    // Whoever asked may have gone away.
                    let _ = answer.send(played(scene, proposal.all, plan).await);
                });
            }
        }
    }

    /// Makes a file the configuration.
    pub(super) async fn make(
        &mut self,
        proposal: Proposal,
        terms: Terms,
    ) -> Result<Applied, Refusal> {
        self.no_trial()?;
        let loaded = match self.proposed(&proposal).await {
            Ok(loaded) => loaded,
            Err(errors) => return Ok(self.refused(errors)),
        };
        let plan = self.rehearsed(&loaded, proposal.all).await?;
        let source = format!("bgpctl apply {}", proposal.name);
        self.see_file();
        let wait = terms.confirm_s.map(Duration::from_secs);
        self.trial = wait.map(|wait| Trial {
            former: Arc::clone(&self.config),
            until: self.clock.now().after(wait),
            wait,
            runtime: terms.runtime,
            disk: on_disk(&self.options.config).map(|config| config.texts),
            held: false,
        });
        let wish = Wish { source: &source, reason: &proposal.reason };
        self.take(loaded, wish, "applied").await;
        if let Some(trial) = &mut self.trial {
            // The time is the operator's, not that of making it.
            trial.until = self.clock.now().after(trial.wait);
            let (until, wait) = (trial.until, trial.wait);
            self.roster.send_modify(|roster| roster.unconfirmed = Some(until));
            tracing::warn!("it is undone in {wait:?} unless `bgpctl confirm` comes");
        }
        let files = if terms.runtime { Vec::new() } else { self.unwritten(&self.config.texts)? };
        Ok(self.applied(plan, files))
    }

    /// What waits to be confirmed is.
    pub(super) async fn confirm(&mut self, dry: bool) -> Result<Applied, Refusal> {
        let Some(trial) = &self.trial else {
            return Err(Refusal::conflict(
                ApiError::new("no change waits to be confirmed").hint(
                    "`bgpctl show generations` says what was in force, and what became of it",
                ),
            ));
        };
        let now = on_disk(&self.options.config).map(|config| config.texts);
        // Written already it is as good as confirmed.
        if now != trial.disk && now.as_ref() != Some(&self.config.texts) {
            let hint = "`bgpctl rollback` takes the change back, and what the file says is in \
                        force then";
            return Err(Refusal::conflict(
                ApiError::new("the file was changed meanwhile, which a confirmation would undo")
                    .hint(hint),
            ));
        }
        let runtime = trial.runtime;
        let files = if runtime { Vec::new() } else { self.unwritten(&self.config.texts)? };
        if !dry {
            self.trial = None;
            self.meant().await;
            tracing::info!(generation = self.roster.borrow().generation, "confirmed");
            // A key may be another one by now.
            self.changed().await;
        }
        Ok(self.applied(self.nothing(), files))
    }

    /// The time for a confirmation is over.
    pub(super) async fn expire(&mut self) {
        let Some(trial) = &self.trial else { return };
        let source = format!("not confirmed within {:?}", trial.wait);
        if let Err(refusal) = self.undo(Wish::of(&source)).await {
            tracing::error!("{}", refusal.body.error);
        }
    }

    /// Back to what was: before what waits to be confirmed, or in force before, or to that number.
    pub(super) async fn roll_back(&mut self, query: &ChangeQuery) -> Result<Applied, Refusal> {
        let ChangeQuery { to, all, dry, .. } = *query;
        let reason = query.reason.as_deref().unwrap_or_default();
        match (&self.trial, to) {
            // Nothing was written, so nothing has to be.
            (Some(_), None) if dry => return Ok(self.applied(self.nothing(), Vec::new())),
            (Some(_), None) => {
                return self.undo(Wish { source: "bgpctl rollback", reason }).await;
            }
            (Some(_), Some(_)) => self.no_trial()?,
            (None, _) => {}
        }
        let kept = Arc::clone(&self.roster.borrow().generations);
        let target = match to {
            Some(number) => kept.get(number),
            None => kept.former(),
        };
        let Some(target) = target else {
            return Err(Refusal::not_found(
                ApiError::new("there is no such configuration to go back to").hint(
                    "`bgpctl show generations` lists those that are kept; what was never confirmed \
                     is gone back to by its number only",
                ),
            ));
        };
        let texts = target.texts.clone();
        let path = self.options.config.clone();
        let shown = path.display().to_string();
        let loaded = match Config::load_over(&path, Over::All(&texts), &shown) {
            Err(wrong) => return Ok(self.refused(errors(wrong))),
            Ok(config) => match self.planned(config).await {
                Err(wrong) => return Ok(self.refused(wrong)),
                Ok(loaded) => loaded,
            },
        };
        let files = if query.terms.runtime { Vec::new() } else { self.unwritten(&texts)? };
        let plan = self.rehearsed(&loaded, all).await?;
        if !dry {
            let source = format!("bgpctl rollback to {}", target.number);
            self.see_file();
            self.take(loaded, Wish { source: &source, reason }, "rolled back").await;
        }
        Ok(self.applied(plan, files))
    }

    /// What waits to be confirmed is undone; then the files are looked at again, if somebody wanted
    /// that.
    async fn undo(&mut self, wish: Wish<'_>) -> Result<Applied, Refusal> {
        let Some(trial) = self.trial.take() else { return self.no_former() };
        self.roster.send_modify(|roster| roster.unconfirmed = None);
        // It was planned before: only a kernel that says nothing any more can stand in the way.
        let loaded = match self.planned(Config::clone(&trial.former)).await {
            Ok(loaded) => loaded,
            Err(errors) => {
                let plan = Arc::clone(&self.roster.borrow().plan);
                let node = trial.former.nodes.iter().find(|node| node.name == plan.name);
                let Some(node) = node else {
                    return Err(Refusal::unavailable(ApiError::new(errors.join("; "))));
                };
                Loaded { plan: trial.former.plan(node), config: Config::clone(&trial.former) }
            }
        };
        let plan = self.rehearsed(&loaded, false).await?;
        self.take(loaded, wish, "undone").await;
        let (held, applied) = (trial.held, self.applied(plan, Vec::new()));
        drop(trial);
        if held {
            self.changed().await;
        }
        Ok(applied)
    }

    fn no_former(&self) -> Result<Applied, Refusal> {
        Err(Refusal::conflict(ApiError::new("no change waits to be confirmed")))
    }

    /// Reads a proposal in the place of the configuration's first file.
    async fn proposed(&self, proposal: &Proposal) -> Result<Loaded, Vec<String>> {
        let Proposal { name, text, .. } = proposal;
        let config = Config::load_over(&self.options.config, Over::First(text), name);
        self.planned(config.map_err(errors)?).await
    }

    /// What a configuration would do on this node.
    async fn rehearsed(&self, loaded: &Loaded, all: bool) -> Result<Plan, Refusal> {
        let scene = self.scene(&loaded.plan).await?;
        played(scene, all, self.described(loaded)).await
    }

    /// The node as it is, and what it would be.
    async fn scene(&self, new: &NodePlan) -> Result<Scene, Refusal> {
        let now = self.clock.now();
        let old = Arc::clone(&self.roster.borrow().plan);
        let (mut dynamic, mut moved) = (self.dynamic.clone(), self.moved.clone());
        dynamic.review(new);
        moved.review(now, &old, new);
        let asked = self.neighbours.iter().map(|n| (n.plan.key(), n.handle.clone()));
        let mut sessions = std::collections::BTreeMap::new();
        for (key, handle) in asked.collect::<Vec<_>>() {
            let (answer, answered) = oneshot::channel();
            // One whose task has ended has no session.
            let _ = handle.commands.send(Command::Status(answer)).await;
            let negotiated = answered.await.ok().and_then(|report| report.status.negotiated);
            sessions.insert(key, Standing { id: handle.id, negotiated });
        }
        let rib = self.rib.ask(|rib| rib.rehearsal()).await.ok_or_else(stopping)?;
        let fib = self.fib.ask(|fib| fib.draft()).await.ok_or_else(stopping)?;
        let old = whole(&old, &self.dynamic, &self.moved);
        Ok(Scene { now, rib, fib, old, new: whole(new, &dynamic, &moved), sessions })
    }

    /// What can be said of a configuration without a rehearsal.
    fn described(&self, loaded: &Loaded) -> Plan {
        let roster = self.roster.borrow();
        Plan {
            warnings: loaded.config.warnings.iter().map(ToString::to_string).collect(),
            new_digest: loaded.config.texts.digest().to_string(),
            settings: reload::differences(&roster.plan, &loaded.plan),
            ..self.nothing()
        }
    }

    /// Nothing would change.
    fn nothing(&self) -> Plan {
        let roster = self.roster.borrow();
        let digest = roster.digest.to_string();
        let generation = roster.generation;
        Plan { ok: true, generation, new_digest: digest.clone(), digest, ..Plan::default() }
    }

    fn wrong(&self, errors: Vec<String>) -> Plan {
        Plan { ok: false, errors, new_digest: String::new(), ..self.nothing() }
    }

    fn refused(&self, errors: Vec<String>) -> Applied {
        self.applied(self.wrong(errors), Vec::new())
    }

    fn applied(&self, plan: Plan, files: Vec<ConfigFile>) -> Applied {
        let roster = self.roster.borrow();
        let now = self.clock.now();
        let confirm_s = self.trial.as_ref().map(|trial| seconds(trial.until.since(now)));
        let (generation, digest) = (roster.generation, roster.digest.to_string());
        Applied { plan, generation, digest, confirm_s, files }
    }

    /// The files that would have to say something else for `texts` to be what is read, the first of
    /// them last: until it is there what is included counts for nothing new.
    fn unwritten(&self, texts: &Texts) -> Result<Vec<ConfigFile>, Refusal> {
        let first = texts.get(&self.options.config).unwrap_or_default();
        let read = Config::load_over(&self.options.config, Over::First(first), "");
        let read = read.map(|config| config.texts).unwrap_or_default();
        if let Some((more, _)) = read.iter().find(|(path, _)| texts.get(path).is_none()) {
            let what = format!("{} would be included, and was not then", more.display());
            let hint = "remove it, or leave the files as they are: --runtime";
            return Err(Refusal::conflict(ApiError::new(what).hint(hint)));
        }
        let other = texts.iter().filter(|(path, text)| {
            std::fs::read(path).map_or(true, |bytes| bytes != text.as_bytes())
        });
        let file = |(path, text): (&Path, &str)| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            ConfigFile { path, text: text.to_owned() }
        };
        let mut files: Vec<ConfigFile> = other.map(file).collect();
        files.reverse();
        Ok(files)
    }
}

/// What a node does, with neighbours that called from a range or moved.
pub(super) fn whole(plan: &NodePlan, dynamic: &Dynamic, moved: &Moved) -> NodePlan {
    let mut plan = plan.with(dynamic.iter());
    moved.join(&mut plan);
    plan
}

async fn played(scene: Scene, all: bool, described: Plan) -> Result<Plan, Refusal> {
    let Plan { generation, digest, new_digest, settings, warnings, .. } = described;
    let play = tokio::task::spawn_blocking(move || scene.play(all));
    let played = play.await.map_err(|_| stopping())?;
    let differs = played.differs || !settings.is_empty();
    Ok(Plan { generation, digest, new_digest, settings, warnings, differs, ..played })
}

/// Rounded up: what is not over has a second yet.
fn seconds(left: Duration) -> u64 {
    left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

fn stopping() -> Refusal {
    Refusal::unavailable(ApiError::new("the daemon is stopping"))
}
