//! When the kernel's table is audited, and what comes of it.
//!
//! In: the time, somebody's wish ([`FibIn::Audit`](crate::types::FibIn::Audit)), the table in parts.
//! Out: [`FibOut::Read`], the answer to whoever asked, and where the kernel is not as its news had
//! said, a report and a dump that puts it right. Reading goes on beside everything else: a route
//! that somebody deletes comes back as fast as ever. What looks wrong waits a moment for news that
//! is on its way before it counts, and the end is walked in slices.

use std::time::Duration;

use ipnet::IpNet;

use super::{Fib, Work};
use crate::audit::{Fault, Finding, Pass};
use crate::plan::Desired;
use crate::types::{Dump, FibOut, KernelRoute, Report};
use crate::view::Words;

/// News on its way arrives within this. An IPv6 address is shown at once and told only when it is
/// known to be no duplicate, up to 2 s later (RFC 4862 §5.4).
const GRACE: Duration = Duration::from_secs(4);
/// After a reading that came to nothing.
const AGAIN: Duration = Duration::from_secs(1);
/// Readings that come to nothing before whoever asked is told so.
const ATTEMPTS: u32 = 5;
/// Prefixes looked at in one go.
const SLICE: usize = 4096;
/// The pause is so many times as long as the audit before it took, at least.
const REST: u32 = 50;

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Reading(Box<Pass>),
    /// It does not agree, or somebody asked: from then on it is looked at prefix by prefix.
    Ending(Box<Pass>, Duration),
}

/// The audit's state.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    interval: Option<Duration>,
    due: Option<Duration>,
    /// Somebody waits for the answer.
    asked: bool,
    failures: u32,
    stage: Stage,
}

impl Auditor {
    /// Somebody wants to know now.
    pub(super) fn ask(&mut self, now: Duration) {
        self.asked = true;
        self.failures = 0;
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    /// How often.
    pub(super) fn configure(&mut self, interval: Option<Duration>, now: Duration) {
        if self.interval != interval {
            self.interval = interval;
            if !self.asked {
                self.due = interval.map(|interval| now.saturating_add(interval));
            }
        }
        self.spoil();
    }

    /// What is being read says nothing any more.
    pub(super) fn spoil(&mut self) {
        match &mut self.stage {
            Stage::Reading(pass) | Stage::Ending(pass, _) => pass.void = true,
            Stage::Idle => {}
        }
    }

    fn pass(&mut self) -> Option<&mut Pass> {
        match &mut self.stage {
            Stage::Reading(pass) | Stage::Ending(pass, _) => Some(pass),
            Stage::Idle => None,
        }
    }

    /// It came to nothing.
    fn failed(&mut self, why: &str, now: Duration, out: &mut Vec<FibOut>) {
        self.stage = Stage::Idle;
        self.failures += 1;
        if self.asked && self.failures >= ATTEMPTS {
            self.asked = false;
            out.push(FibOut::Audited(Err(why.to_owned())));
        }
        self.due = match self.asked {
            true => Some(now.saturating_add(AGAIN)),
            false => self.interval.map(|interval| now.saturating_add(interval)),
        };
    }
}

impl Fib {
    pub(super) fn audit_deadline(&self) -> Option<Duration> {
        match &self.auditor.stage {
            Stage::Idle => self.auditor.due.filter(|_| self.can_audit()),
            Stage::Reading(_) => None,
            Stage::Ending(pass, _) if pass.void => Some(Duration::ZERO),
            Stage::Ending(_, until) => Some(*until),
        }
    }

    /// Only a calm table is worth a look: what is being written differs for good reason.
    fn can_audit(&self) -> bool {
        self.sure
            && matches!(self.work, Work::Idle)
            && (self.dirty.is_empty() || !self.is_coupled())
            && self.flying.is_empty()
            && !self.world.is_former_left()
    }

    /// A prefix changes, or is about to.
    pub(super) fn touch(&mut self, prefix: IpNet) {
        if let Some(pass) = self.auditor.pass() {
            pass.touch(prefix, &self.world);
        }
    }

    pub(super) fn audit_part(&mut self, part: &Dump) {
        if let Stage::Reading(pass) = &mut self.auditor.stage {
            pass.part(part, &self.world);
        }
    }

    pub(super) fn audit_read(
        &mut self,
        result: Result<(), String>,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        let Stage::Reading(pass) = std::mem::take(&mut self.auditor.stage) else { return };
        match (result, &self.config) {
            (Err(why), _) => self.auditor.failed(&why, now, out),
            (Ok(()), Some(config)) if !pass.void => {
                let agrees = pass.agrees(&self.world, config.table);
                if agrees && !self.auditor.asked {
                    self.audited(*pass, now, out);
                } else {
                    let until = if agrees { now } else { now.saturating_add(GRACE) };
                    self.auditor.stage = Stage::Ending(pass, until);
                }
            }
            (Ok(()), _) => self.auditor.failed(CHANGED, now, out),
        }
    }

    /// Begins, goes on or ends, when it is time.
    pub(super) fn audit(&mut self, now: Duration, out: &mut Vec<FibOut>) {
        match &self.auditor.stage {
            Stage::Idle => {
                if self.auditor.due.is_some_and(|due| due <= now) && self.can_audit() {
                    self.auditor.stage = Stage::Reading(Box::new(Pass::new(now)));
                    out.push(FibOut::Read);
                }
            }
            Stage::Reading(_) => {}
            Stage::Ending(pass, _) if pass.void => self.auditor.failed(CHANGED, now, out),
            Stage::Ending(_, until) if *until > now => {}
            Stage::Ending(..) => {
                if let Stage::Ending(mut pass, until) = std::mem::take(&mut self.auditor.stage) {
                    if self.walk(&mut pass) {
                        pass.others_unheard(&self.world);
                        self.audited(*pass, now, out);
                    } else {
                        self.auditor.stage = Stage::Ending(pass, until);
                    }
                }
            }
        }
    }

    /// Looks at the next prefixes; whether those were the last.
    fn walk(&self, pass: &mut Pass) -> bool {
        let Some(context) = self.context() else { return true };
        let table = context.config.table;
        for _ in 0..SLICE {
            let Some(prefix) = self.prefix_after(pass) else { return true };
            pass.walked = Some(prefix);
            if pass.is_touched(prefix) {
                continue;
            }
            let (have, heard) = pass.shown(prefix, &self.world, table);
            let want = match self.wants.desired(prefix, context) {
                Desired::Hold => None,
                Desired::Nothing if have.is_empty() => None,
                Desired::Nothing => Some((Fault::Extra, None)),
                Desired::Route(want) if have.iter().any(|r| crate::have::same(r, &want)) => {
                    (have.len() > 1).then_some((Fault::Extra, Some(want)))
                }
                Desired::Route(want) if have.is_empty() => Some((Fault::Missing, Some(want))),
                Desired::Route(want) => Some((Fault::Wrong, Some(want))),
            };
            pass.audit.unheard += usize::from(!heard);
            match want {
                Some((fault, want)) => {
                    *match fault {
                        Fault::Missing => &mut pass.audit.missing,
                        Fault::Wrong => &mut pass.audit.wrong,
                        Fault::Extra | Fault::Unheard => &mut pass.audit.extra,
                    } += 1;
                    pass.audit.note(Finding { prefix, fault, want, have });
                }
                None if !heard => {
                    let fault = Fault::Unheard;
                    pass.audit.note(Finding { prefix, fault, want: None, have });
                }
                None => {}
            }
        }
        false
    }

    /// The next prefix that is wanted, held, or shown to our surprise.
    fn prefix_after(&self, pass: &Pass) -> Option<IpNet> {
        let after = pass.walked;
        let wanted = self.wants.after(after).next().map(|(prefix, _)| prefix);
        let held = self.world.have().prefixes_after(after).next();
        wanted.into_iter().chain(held).chain(pass.suspect_after(after)).min()
    }

    fn audited(&mut self, mut pass: Pass, now: Duration, out: &mut Vec<FibOut>) {
        pass.audit.took = now.saturating_sub(pass.begun);
        let audit = pass.audit;
        self.books.tally.audits += 1;
        self.books.tally.unheard += audit.unheard as u64;
        if audit.unheard > 0 {
            self.sure = false;
            self.reading.soon(now);
            let (first, what) = match audit.findings.first() {
                Some(finding) => (Some(finding.prefix), self.words_of(finding)),
                None => (None, "interfaces or addresses".to_owned()),
            };
            out.push(FibOut::Report(Report::Unheard { differences: audit.unheard, first, what }));
        }
        let rest = audit.took.saturating_mul(REST);
        let pause = self.auditor.interval.map(|interval| interval.max(rest));
        self.auditor.due = pause.map(|pause| now.saturating_add(pause));
        self.auditor.failures = 0;
        if std::mem::take(&mut self.auditor.asked) {
            out.push(FibOut::Audited(Ok(audit)));
        }
    }

    fn words_of(&self, finding: &Finding) -> String {
        let words = |route: &KernelRoute| Words::of(route, &self.world).to_string();
        match finding.have.first() {
            Some(there) => format!("there is {}", words(there)),
            None => "gone".to_owned(),
        }
    }
}

const CHANGED: &str = "the table changed too much while it was read";

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
