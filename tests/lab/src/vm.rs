//! A host kernel without ipip: run this very program inside a virtual machine instead.
//!
//! `tests/vm/boot` makes the machine; this file decides, says why, and passes the exit
//! status through. A kept lab keeps its machine: `lab down` on the host leaves it a note.

use crate::Result;
use crate::report::say;
use anyhow::{Context, bail};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Set by `tests/vm/boot` for what runs inside.
const INSIDE: &str = "STARLING_VM";
/// Shared with the machine; holds its files for as long as it is up.
const SHARED: &str = "/run/starling-lab/vm";

/// True inside the virtual machine.
#[must_use]
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// How long the machine may run.
#[derive(Debug, Clone, Copy)]
pub enum Stay {
    /// As long as the program, at most this long.
    AtMost(Duration),
    /// Until somebody leaves it or takes it down.
    Kept,
}

/// Runs this program with `arguments` inside the machine, and gives its exit status.
///
/// # Errors
/// When the machine's script can't be run, or a kept machine is up already.
pub fn rerun(arguments: &[String], stay: Stay) -> Result<ExitCode> {
    if inside() {
        bail!("the kernel of the virtual machine has no ipip either");
    }
    say("This host's kernel has no ipip: running inside a virtual machine that has it.");
    let script = script()?;
    let mut command = Command::new(&script);
    match stay {
        Stay::AtMost(limit) => {
            command.arg("--timeout").arg(limit.as_secs().to_string());
        }
        Stay::Kept => {
            if up() {
                bail!("a kept lab is up already: make lab-down ends it");
            }
            command.env("STARLING_SHARED", SHARED);
            if std::io::stdin().is_terminal() {
                command.arg("--shell");
            } else {
                // A day: nobody sits there who could leave it.
                command.args(["--timeout", "86400"]);
            }
        }
    }
    let this = std::env::current_exe().context("cannot tell which program this is")?;
    let status = command
        .arg(this)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {}", script.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Runs this program with `arguments` inside the machine, and gives what it wrote, whatever it
/// exited with.
///
/// # Errors
/// When the machine did not come up, or the program was not done within `limit`.
pub fn output(arguments: &[String], limit: Duration) -> Result<String> {
    let this = std::env::current_exe().context("cannot tell which program this is")?;
    let mut command = Command::new(script()?);
    command.arg("--timeout").arg(limit.as_secs().to_string()).arg(this).args(arguments);
    // What else is said meanwhile: the time to fetch a kernel, and that of a boot.
    let output = crate::run(&mut command, limit + Duration::from_secs(600))?;
    if matches!(output.status.code(), None | Some(124 | 125)) {
        bail!("the virtual machine failed:\n{}{}", output.stdout, output.stderr);
    }
    Ok(output.stdout)
}

/// True if a kept machine is up.
fn up() -> bool {
    Path::new(SHARED).join(".vm-command").exists()
}

/// Ends a kept machine, if one is up; gives whether there was one.
///
/// # Errors
/// When it does not go down.
pub fn down() -> Result<bool> {
    if inside() || !up() {
        return Ok(false);
    }
    let note = Path::new(SHARED).join(".vm-stop");
    std::fs::write(&note, "").with_context(|| format!("cannot write {}", note.display()))?;
    let ended = crate::wait_until("the virtual machine to end", Duration::from_secs(60), || !up());
    // Whatever is left belongs to a machine that died without tidying up.
    std::fs::remove_dir_all(SHARED).ok();
    ended.map(|()| true)
}

fn script() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vm/boot");
    path.canonicalize()
        .with_context(|| format!("{} is gone: is the checkout where it was built?", path.display()))
}
