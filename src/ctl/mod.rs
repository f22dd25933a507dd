//! `bgpctl`: a thin client of the control API.
//!
//! In flow the command line ([`cli`]) and the daemon's answers ([`client`]); out flow tables for
//! people ([`render`]) or, with `--json`, the daemon's own JSON unchanged. Nothing is decided
//! here: what a table says is what `/v1` said. [`watch`] has any of it shown again and again.
//!
//! | Exit code | Meaning |
//! |---|---|
//! | 0 | done; also when the reader of the output went away (`bgpctl show routes \| head`) |
//! | 1 | the daemon answered with an error, or the output could not be written |
//! | 2 | the command line makes no sense |
//! | 3 | no daemon answers |
//! | 4 | `why`: nothing leads there, or packets are dropped on the way |
//! | 5 | `why`: packets go another way than they should, or where nobody need know them |
//! | 6 | `why --both`: there is a way there, and the other end could not be asked for one back |
//! | 4, 5 | [`doctor`]: a warning, a problem |
//! | 4 | [`change`], `plan`: something would change |

pub mod change;
pub mod cli;
pub mod client;
mod complete;
pub mod doctor;
pub mod fib;
pub mod monitor;
pub mod mrt;
pub mod neighbors;
pub mod network;
mod place;
pub mod render;
pub mod routes;
pub mod show;
pub mod top;
pub mod watch;
pub mod why;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use serde::de::DeserializeOwned;

use crate::api::{ApiError, LogFilter, Neighbor, PolicyTest, ReloadResult, Version};
use cli::{Cli, Command, Steering};
use client::{Client, Failure, Rows};
use render::{Listing, Page};

/// How long to gather rows before a table's column widths are settled: short enough that the
/// first lines appear at once, long enough that they are those of the table's start.
const FIRST_ROWS: Duration = Duration::from_millis(100);

/// As many rows are enough to settle the widths.
const ENOUGH_ROWS: usize = 256;

/// The whole program: from the process's arguments to its exit code.
pub fn main() -> ExitCode {
    // Where a shell asks what may come next, this answers and ends the program.
    CompleteEnv::with_factory(Cli::command).complete();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // clap knows whether this is help for stdout or an error for stderr; a closed pipe
            // leaves nobody to tell.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    let mut out = BufWriter::new(anstream::stdout().lock());
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(&cli, &Page::of_stdout(), &mut out)),
        Err(e) => Err(Failure::Output(e)),
    };
    let outcome = outcome.and_then(|code| out.flush().map(|()| code).map_err(Failure::Output));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => report(&failure),
    }
}

/// Carries out one command and writes its output.
///
/// # Errors
/// Where no daemon answers, where it answers with an error, and where `out` fails. What was
/// written until then stands.
pub async fn run(cli: &Cli, page: &Page, out: &mut impl Write) -> Result<u8, Failure> {
    let client = Client::new(&cli.socket);
    match cli.watch {
        Some(every) => watch::run(cli, &client, every, out).await,
        None => once(cli, &client, page, out).await,
    }
}

/// The same, without `--watch`.
async fn once(
    cli: &Cli,
    client: &Client,
    page: &Page,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    match &cli.command {
        Command::Show(what) => show::run(cli, client, page, what, out).await,
        Command::Neighbor { name, to } => steer(cli, client, page, (name, to), out).await,
        Command::Policy(cli::Policy::Test(test)) => {
            let path = client::with_query("/v1/policy/test", &test.query().to_pairs());
            document::<Vec<PolicyTest>, _>(cli, client, &path, out, |tests, out| {
                render::policy_tests(page, tests, out)
            })
            .await?;
            Ok(0)
        }
        Command::Doctor(what) => doctor::run(cli, client, page, what, out).await,
        Command::Fib(what) => fib::run(cli, client, page, what, out).await,
        Command::Top => top::run(cli, client).await,
        Command::Monitor(what) => monitor::run(cli, client, what, out).await,
        Command::Why(args) => why::run(cli, client, page, args, out).await,
        Command::Change(what) => change::run(cli, client, page, what, out).await,
        Command::Network(what) => network::run(cli, client, page, what, out).await,
        Command::Mrt(what) => mrt::run(cli, client, what, out).await,
        Command::Log { filter } => log(cli, client, filter.as_deref(), out).await,
        Command::Reload { reason } => reload(cli, client, page, &reason.join(" "), out).await,
        Command::Version => version(cli, client, out).await,
    }
}

async fn steer(
    cli: &Cli,
    client: &Client,
    page: &Page,
    (name, to): (&str, &Steering),
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let path = format!("/v1/neighbors/{}", client::escaped(name));
    let path = match to {
        Steering::Down { reason } => saying(&format!("{path}/down"), reason),
        Steering::Up => format!("{path}/up"),
        Steering::Drain { off: false } => format!("{path}/drain"),
        Steering::Drain { off: true } => format!("{path}/undrain"),
        Steering::Refresh { out: false } => format!("{path}/refresh"),
        Steering::Refresh { out: true } => format!("{path}/resend"),
        Steering::Clear { reason } => saying(&format!("{path}/clear"), reason),
    };
    let body = client.post(&path).await?;
    let neighbor: Neighbor = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::neighbors(page, std::slice::from_ref(&neighbor), out).map_err(Failure::Output)?;
    }
    Ok(0)
}

/// With words for people, where there are some.
fn saying(path: &str, reason: &str) -> String {
    let reason = (!reason.is_empty()).then(|| ("reason", reason.to_owned()));
    client::with_query(path, reason.as_slice())
}

async fn log(
    cli: &Cli,
    client: &Client,
    filter: Option<&str>,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let body = match filter {
        None => client.document("/v1/log").await?,
        Some(filter) => {
            client.post(&client::with_query("/v1/log", &[("filter", filter.to_owned())])).await?
        }
    };
    let LogFilter { filter } = client::read(&body)?;
    let told = match cli.json {
        true => out.write_all(&body),
        false => writeln!(out, "{filter}"),
    };
    told.map_err(Failure::Output)?;
    Ok(0)
}

async fn reload(
    cli: &Cli,
    client: &Client,
    page: &Page,
    reason: &str,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let body = client.reload(&saying("/v1/reload", reason)).await?;
    let result: ReloadResult = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::reload(page, &result, out).map_err(Failure::Output)?;
    }
    Ok(if result.ok { 0 } else { 1 })
}

/// bgpctl's own version needs no daemon, so it is written before one is asked.
async fn version(cli: &Cli, client: &Client, out: &mut impl Write) -> Result<u8, Failure> {
    if !cli.json {
        render::version("bgpctl", &Version::this(), out)
            .and_then(|()| out.flush())
            .map_err(Failure::Output)?;
    }
    document::<Version, _>(cli, client, "/v1/version", out, |version, out| {
        render::version("starlingd", version, out)
    })
    .await?;
    Ok(0)
}

/// One document: as it came, or as people read it.
async fn document<T: DeserializeOwned, W: Write>(
    cli: &Cli,
    client: &Client,
    path: &str,
    out: &mut W,
    render: impl FnOnce(&T, &mut W) -> io::Result<()>,
) -> Result<(), Failure> {
    let body = client.document(path).await?;
    if cli.json {
        return out.write_all(&body).map_err(Failure::Output);
    }
    render(&client::read(&body)?, out).map_err(Failure::Output)
}

/// A stream of rows: written as it comes.
async fn table<T: DeserializeOwned>(
    cli: &Cli,
    mut rows: Rows,
    listing: &mut impl Listing<T>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if cli.json {
        while let Some(lines) = rows.next().await? {
            for line in lines {
                out.write_all(&line)
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(Failure::Output)?;
            }
            out.flush().map_err(Failure::Output)?;
        }
        return Ok(());
    }
    let mut first = Vec::new();
    let gather = async {
        while let Some(lines) = rows.next().await? {
            for line in lines {
                first.push(client::read(&line)?);
            }
            if first.len() >= ENOUGH_ROWS {
                break;
            }
        }
        Ok(())
    };
    match tokio::time::timeout(FIRST_ROWS, gather).await {
        Ok(gathered) => gathered?,
        Err(_still_coming) => {}
    }
    if !first.is_empty() {
        listing.rows(&first, out).and_then(|()| out.flush()).map_err(Failure::Output)?;
    }
    while let Some(lines) = rows.next().await? {
        let more = lines.iter().map(|line| client::read(line)).collect::<Result<Vec<T>, _>>()?;
        listing.rows(&more, out).and_then(|()| out.flush()).map_err(Failure::Output)?;
    }
    listing.finish(out).map_err(Failure::Output)
}

/// Tells on stderr what went wrong; the exit code.
fn report(failure: &Failure) -> ExitCode {
    let (code, error) = match failure {
        Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Failure::Output(e) => (1, &ApiError::new(format!("cannot write: {e}"))),
        Failure::Refused(error) => (1, error),
        Failure::Absent(error) => (3, error),
    };
    // When stderr is gone too, the exit code has to speak alone.
    let _ = render::error(&Page::of_stderr(), error, &mut anstream::stderr().lock());
    ExitCode::from(code)
}
