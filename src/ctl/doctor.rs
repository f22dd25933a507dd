//! `bgpctl doctor`: the daemon's examination or, where no daemon answers, one's own.
//!
//! | Exit code | The worst that was found |
//! |---|---|
//! | 0 | nothing, or a hint |
//! | 4 | a warning |
//! | 5 | a problem; that no daemon answers is one |

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use starling_config::Config;

use super::cli::Cli;
use super::client::{self, Client, Failure};
use super::render::{self, Page};
use crate::api::{Diagnosis, Level};
use crate::daemon::identity;
use crate::doctor::facts::Configured;
use crate::doctor::{Facts, examine, gather};

/// Where the tunnel and BGP are without a file that says it.
const TUNNEL: &str = "tunl0";
const BGP: u16 = 179;

/// What to go by where no daemon answers.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Doctor {
    /// The cluster's configuration, to go by where no daemon answers.
    #[arg(
        long,
        value_name = "FILE",
        env = "STARLING_CONFIG",
        default_value = "/etc/starling/cluster.toml"
    )]
    pub config: PathBuf,
    /// Which [[node]] of it this is; as for starlingd.
    #[arg(long)]
    pub node: Option<String>,
}

/// Asks, or looks.
///
/// # Errors
/// The daemon refuses, or `out` fails.
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    what: &Doctor,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let diagnosis: Diagnosis = match client.document("/v1/doctor").await {
        Ok(body) => client::read(&body)?,
        Err(Failure::Absent(error)) => alone(what, error.error).await,
        Err(other) => return Err(other),
    };
    if cli.json {
        serde_json::to_writer(&mut *out, &diagnosis)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
            .map_err(Failure::Output)?;
    } else {
        render::doctor(page, &diagnosis, out).map_err(Failure::Output)?;
    }
    Ok(match diagnosis.worst {
        Level::Ok | Level::Hint => 0,
        Level::Warning => 4,
        Level::Problem => 5,
    })
}

/// Without a daemon: the file and the host.
async fn alone(what: &Doctor, absent: String) -> Diagnosis {
    let configured = configured(&what.config, what.node.clone()).await;
    let host = match &configured {
        Ok(known) => gather::host(&known.plan.fib.tunnel.device, known.plan.port).await,
        Err(_) => gather::host(TUNNEL, BGP).await,
    };
    examine(&Facts { configured, host, daemon: Err(absent) })
}

async fn configured(file: &Path, node: Option<String>) -> Result<Configured, String> {
    let config = Config::load(file).map_err(|errors| {
        let first = errors.errors.first().map(|problem| problem.to_string()).unwrap_or_default();
        format!("{}: {}", file.display(), first.lines().next().unwrap_or("it has errors"))
    })?;
    let host = identity::host().await.map_err(|error| error.to_string())?;
    let (found, _) = config.identify(&host.identity(node)).map_err(|error| error.to_string())?;
    Ok(Configured {
        plan: config.plan(found).into(),
        nodes: config.nodes.clone().into(),
        file: file.display().to_string(),
    })
}
