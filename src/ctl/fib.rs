//! `bgpctl fib …`: steering the kernel's routes as a whole.
//!
//! `flush` takes routes away that carry traffic, so it asks first; where nobody can be asked (a
//! script), it wants `--yes`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Subcommand;

use super::cli::Cli;
use super::client::{self, Client, Failure};
use super::render::{self, Page};
use crate::api::{ApiError, FibAudit, FibCoupling};

/// For an audit: more than the daemon's own limit.
const AUDIT: Duration = Duration::from_secs(130);

/// What is done to the kernel's routes.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Fib {
    /// Compare the kernel's table with what should be in it, now, and put right what differs.
    Audit,
    /// Write again, beginning with the difference.
    Couple,
    /// Write nothing more: the kernel keeps what it has, until `couple` or the daemon's restart. A
    /// reload does not end it.
    Decouple,
    /// Remove all our routes (our protocol, our table) from the kernel, and leave it decoupled, so
    /// that they do not come back at once.
    Flush {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// Carries one out.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    what: &Fib,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let verb = match what {
        Fib::Audit => return audit(cli, client, page, out).await,
        Fib::Couple => "couple",
        Fib::Decouple => "decouple",
        Fib::Flush { yes } => {
            if !yes {
                consent(&mut anstream::stderr().lock())?;
            }
            "flush"
        }
    };
    let body = client.post(&format!("/v1/fib/{verb}")).await?;
    let stands: FibCoupling = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::coupling(page, &stands, out).map_err(Failure::Output)?;
    }
    Ok(0)
}

async fn audit(
    cli: &Cli,
    client: &Client,
    page: &Page,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let body = client.post_within("/v1/fib/audit", AUDIT).await?;
    let came_to: FibAudit = client::read(&body)?;
    if cli.json {
        out.write_all(&body).map_err(Failure::Output)?;
    } else {
        render::audit(page, &came_to, out).map_err(Failure::Output)?;
    }
    Ok(0)
}

/// Somebody who says yes.
fn consent(ask: &mut impl Write) -> Result<(), Failure> {
    let input = io::stdin();
    if !input.is_terminal() {
        let refusal = ApiError::new("a flush takes away routes that carry traffic: say --yes");
        return Err(Failure::Refused(
            refusal.hint("nobody can be asked here, for the input is no terminal"),
        ));
    }
    write!(
        ask,
        "Every route that starlingd wrote is removed from this node's kernel: its pods lose those \
         of other nodes until `bgpctl fib couple`. Go on? [y/N] "
    )
    .and_then(|()| ask.flush())
    .map_err(Failure::Output)?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer).map_err(Failure::Output)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Refused(ApiError::new("nothing was done"))),
    }
}
