//! `bgpctl plan`, `apply`, `confirm`, `rollback`: changes of the configuration with a net.
//!
//! The file is read here, by the rights of whoever asks, and its text goes to the daemon, which reads
//! what it includes. By the same rights the configuration's file is written here ([`place`]). Exit codes for scripts: of `plan` 0 nothing would change, 4 something would, 1
//! the file has errors; of the others 0 done, 1 not.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use serde::de::DeserializeOwned;

use super::cli::Cli;
use super::client::{self, Client, Failure};
use super::complete;
use super::place::{self, Staged};
use super::render::{self, Page};
use crate::api::change::LONGEST_WAIT_S;
use crate::api::{ApiError, Applied, ChangeQuery, ConfigFile, Generation, Plan, Summary, Terms};

/// More than the daemon's own limit.
const CHANGE: Duration = Duration::from_secs(65);
/// The exit code of a plan that would change something.
const DIFFERS: u8 = 4;

/// What is done.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// What a reload to FILE would do on this node: sessions, announcements, routes. Exit codes: 0
    /// nothing would change, 4 something would, 1 the file has errors.
    Plan(PlanArgs),
    /// Make FILE the configuration: it is checked, what it does is shown, and the running file is
    /// replaced by it.
    Apply(ApplyArgs),
    /// Keep the configuration that waits to be confirmed.
    Confirm,
    /// Back to the configuration before the one that waits to be confirmed, or before the one in
    /// force.
    Rollback(RollbackArgs),
}

/// A file, and how much of what it would do is named.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct PlanArgs {
    /// In the place of the running file, with what lies beside that; `-` is the standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Name every route and prefix, not only the first few.
    #[arg(long)]
    pub all: bool,
}

/// A file, and how it is applied.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct ApplyArgs {
    /// What is applied.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Undo it after this time (60s, 5m, 1h30m) unless `bgpctl confirm` comes; the file is replaced
    /// only then.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub confirm: Option<u64>,
    /// Leave the file as it is: until the daemon's restart, or until the file changes.
    #[arg(long)]
    pub runtime: bool,
    /// Why: words for the log and for `show generations`.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Where to go back to.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct RollbackArgs {
    /// The number of a configuration that `show generations` lists.
    #[arg(value_name = "GENERATION", add = ArgValueCompleter::new(complete::generations))]
    pub to: Option<u64>,
    /// Leave the files as they are: until the daemon's restart, or until they change.
    #[arg(long)]
    pub runtime: bool,
    /// Name every route and prefix, not only the first few.
    #[arg(long)]
    pub all: bool,
    /// Why: words for the log and for `show generations`.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Does it.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    what: &Change,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    match what {
        Change::Plan(args) => {
            let (query, text) = proposal(args, Terms::default())?;
            let path = client::with_query("/v1/plan", &query.to_pairs());
            let body = client.change(&path, text, CHANGE).await?;
            let plan: Plan = shown(cli, &body, out, |plan, out| render::plan(page, plan, out))?;
            Ok(match plan {
                Plan { ok: false, .. } => 1,
                Plan { differs: true, .. } => DIFFERS,
                _ => 0,
            })
        }
        Change::Apply(args) => {
            let terms = Terms { confirm_s: args.confirm, runtime: args.runtime };
            let (query, text) = proposal(&args.plan, terms)?;
            let query = ChangeQuery { reason: args.reason.clone(), ..query };
            // Whether it can be written is to be known before anything is changed.
            let mut staged = match terms.runtime {
                true => Vec::new(),
                false => {
                    let body = client.document("/v1/summary").await?;
                    let path = client::read::<Summary>(&body)?.config_file;
                    staged(&[ConfigFile { path, text: text.clone() }])?
                }
            };
            let path = client::with_query("/v1/apply", &query.to_pairs());
            let body = client.change(&path, text, CHANGE).await?;
            if terms.confirm_s.is_some() {
                staged.clear();
            }
            applied(cli, &body, &mut staged, page, out)
        }
        Change::Confirm => {
            let body = client.change("/v1/confirm?dry=true", String::new(), CHANGE).await?;
            let mut staged = staged(&client::read::<Applied>(&body)?.files)?;
            // A file that says what is in force confirms it: who is killed in between has done so.
            put(&mut staged)?;
            let body = client.change("/v1/confirm", String::new(), CHANGE).await?;
            applied(cli, &body, &mut staged, page, out)
        }
        Change::Rollback(RollbackArgs { to, runtime, all, reason }) => {
            let terms = Terms { runtime: *runtime, ..Terms::default() };
            let (all, reason) = (*all, reason.clone());
            let query = ChangeQuery { to: *to, terms, all, reason, ..ChangeQuery::default() };
            let path = |dry| {
                let query = ChangeQuery { dry, ..query.clone() };
                client::with_query("/v1/rollback", &query.to_pairs())
            };
            let body = client.change(&path(true), String::new(), CHANGE).await?;
            let mut staged = staged(&client::read::<Applied>(&body)?.files)?;
            let body = client.change(&path(false), String::new(), CHANGE).await?;
            applied(cli, &body, &mut staged, page, out)
        }
    }
}

/// `bgpctl show generations`.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn generations(
    cli: &Cli,
    client: &Client,
    page: &Page,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let body = client.document("/v1/generations").await?;
    shown::<Vec<Generation>, _>(cli, &body, out, |all, out| render::generations(page, all, out))?;
    Ok(0)
}

/// Shows what was done, and has the files say it.
fn applied(
    cli: &Cli,
    body: &[u8],
    staged: &mut [Staged],
    page: &Page,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let said: Applied = client::read(body)?;
    if said.plan.ok {
        put(staged)?;
    }
    let written: Vec<&Path> = match said.plan.ok {
        true => staged.iter().map(Staged::place).collect(),
        false => Vec::new(),
    };
    shown::<Applied, _>(cli, body, out, |said, out| render::applied(page, said, &written, out))?;
    Ok(u8::from(!said.plan.ok))
}

/// Lays files beside those that they will replace.
fn staged(files: &[ConfigFile]) -> Result<Vec<Staged>, Failure> {
    files.iter().map(|file| place::stage(&file.path, &file.text).map_err(unwritable)).collect()
}

/// Puts them into their places, in order.
fn put(staged: &mut [Staged]) -> Result<(), Failure> {
    for file in staged {
        let place = file.place().display().to_string();
        file.put().map_err(|error| unwritable(format!("{place}: {error}")))?;
    }
    Ok(())
}

fn unwritable(why: String) -> Failure {
    Failure::Refused(ApiError::new(why).hint(
        "`--runtime` leaves the file as it is: until the daemon's restart, or until the file \
         changes",
    ))
}

/// What the daemon said: as it came, or as people read it.
fn shown<T: DeserializeOwned, W: Write>(
    cli: &Cli,
    body: &[u8],
    out: &mut W,
    render: impl FnOnce(&T, &mut W) -> io::Result<()>,
) -> Result<T, Failure> {
    let said: T = client::read(body)?;
    let written = if cli.json { out.write_all(body) } else { render(&said, out) };
    written.map_err(Failure::Output)?;
    Ok(said)
}

fn proposal(args: &PlanArgs, terms: Terms) -> Result<(ChangeQuery, String), Failure> {
    let (name, text) = if args.file == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().lock().read_to_string(&mut text);
        ("standard input".to_owned(), read.map(|_| text))
    } else {
        (args.file.display().to_string(), std::fs::read_to_string(&args.file))
    };
    let text = text
        .map_err(|error| Failure::Refused(ApiError::new(format!("cannot read {name}: {error}"))))?;
    Ok((ChangeQuery { name: Some(name), all: args.all, terms, ..ChangeQuery::default() }, text))
}

/// Reads `90s`, `5m`, `1h30m`, or a number of seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time: expected 60s, 5m, 1h30m or a number of seconds");
    let (mut sum, mut number) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let count: u64 = std::mem::take(&mut number).parse().map_err(|_| wrong())?;
        sum = count.checked_mul(unit).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
    }
    if !number.is_empty() {
        let rest: u64 = number.parse().map_err(|_| wrong())?;
        sum = if text == number { rest } else { return Err(wrong()) };
    }
    match sum {
        1..=LONGEST_WAIT_S => Ok(sum),
        _ => Err(format!("a confirmation is waited for between 1s and 24h, not `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [("60s", 60), ("60", 60), ("5m", 300), ("1h30m", 5400)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "0s", "25h", "1m30", "-5s", "5 m", "99999999999999999999h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
