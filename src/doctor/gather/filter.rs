//! The packet filter, by its own tools: what is not installed here cannot be asked, and that is
//! said.
//!
//! `nft` sees every table of nf_tables, also those that `iptables` writes there, but not what the
//! extensions in these mean; `iptables-save` does. The old kind of iptables has tables of its own,
//! which are only asked for where the kernel says that there are some: asking would load modules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::doctor::facts::Filter;
use crate::doctor::filter::iptables::{self, Sets};
use crate::doctor::filter::{Tool, nft};

/// For a tool to answer. Tens of thousands of rules take a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where tools are, beside $PATH: a user's has no sbin.
const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

pub async fn read() -> Filter {
    let mut filter = Filter::default();
    let sets = match output("ipset", &["save"]).await {
        Some(Ok(text)) => iptables::sets(&text),
        _ => Sets::new(),
    };
    let mut saved = false;
    for (family, names) in
        [("ip", "/proc/net/ip_tables_names"), ("ip6", "/proc/net/ip6_tables_names")]
    {
        let old = std::fs::read_to_string(names).is_ok_and(|tables| !tables.trim().is_empty());
        saved |= iptables_of(family, old, &sets, &mut filter).await;
    }
    let (json, text) = (
        output("nft", &["-j", "-n", "list", "ruleset"]),
        output("nft", &["-n", "-a", "list", "ruleset"]),
    );
    match tokio::join!(json, text) {
        (Some(Ok(json)), text) => {
            let text = text.and_then(Result::ok).unwrap_or_default();
            match nft::tables(&json, &text) {
                Some(tables) => filter.tables.extend(
                    tables.into_iter().filter(|table| !(saved && nft::is_of_iptables(table))),
                ),
                // An empty ruleset is an empty answer in old versions.
                None if json.trim().is_empty() => {}
                None => filter.unread.push("what `nft -j list ruleset` prints is not understood".into()),
            }
        }
        (Some(Err(words)), _) => filter.unread.push(format!("nft: {words}")),
        (None, _) if has_nf_tables() => filter.unread.push(
            "nft is not installed, so the tables of nf_tables cannot be read: apt-get install nftables"
                .to_owned(),
        ),
        (None, _) => {}
    }
    filter
}

/// Reads what `iptables` has written; whether the tables in nf_tables are among it.
async fn iptables_of(family: &str, old: bool, sets: &Sets, filter: &mut Filter) -> bool {
    let program = if family == "ip" { "iptables" } else { "ip6tables" };
    let nft_save = format!("{program}-nft-save");
    let legacy_save = format!("{program}-legacy-save");
    let plain_save = format!("{program}-save");
    let plain_is_old = match output(&plain_save, &["-V"]).await {
        Some(Ok(version)) => !version.contains("nf_tables"),
        _ => false,
    };
    let mut saved = false;
    if let Some(answer) = output(&nft_save, &[]).await {
        match answer {
            Ok(text) => {
                filter.tables.extend(iptables::tables(&text, Tool::Iptables, family, sets));
                saved = true;
            }
            Err(words) => filter.unread.push(format!("{nft_save}: {words}")),
        }
    }
    if old {
        let tool = if plain_is_old { Tool::Iptables } else { Tool::Legacy };
        let mut answer = output(&legacy_save, &[]).await;
        if answer.is_none() && plain_is_old {
            answer = output(&plain_save, &[]).await;
        }
        match answer {
            Some(Ok(text)) => filter.tables.extend(iptables::tables(&text, tool, family, sets)),
            Some(Err(words)) => filter.unread.push(format!("{legacy_save}: {words}")),
            None => filter.unread.push(format!(
                "{legacy_save} is not installed, so the tables of the old {program} cannot be \
                 read: apt-get install iptables"
            )),
        }
    }
    saved
}

/// Whether the kernel may hold tables of nf_tables. One that has it built in does not tell.
fn has_nf_tables() -> bool {
    Path::new("/sys/module/nf_tables").exists()
        || std::fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| {
            let builtin = Path::new("/lib/modules").join(release.trim()).join("modules.builtin");
            std::fs::read_to_string(builtin).map_or(true, |list| list.contains("/nf_tables.ko"))
        })
}

/// What a tool prints; `None`: it is not installed. An error in its own words.
async fn output(tool: &str, arguments: &[&str]) -> Option<Result<String, String>> {
    let path = find(tool)?;
    let mut command = Command::new(path);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Err(_elapsed) => return Some(Err(format!("no answer within {} s", PATIENCE.as_secs()))),
        Ok(Err(error)) => return Some(Err(error.to_string())),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Some(Ok(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Some(Err(words.lines().next().unwrap_or("it failed without a word").to_owned()))
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(PLACES.iter().map(PathBuf::from));
    places.map(|place| place.join(tool)).find(|path| path.is_file())
}
