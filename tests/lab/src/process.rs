//! Programs: run to their end within a limit ([`run`], [`must`]), or kept ([`Proc`]).
//!
//! In: an argument list. Out: what was written and the exit status, or an error that
//! repeats the command so that a person can try it by hand. No shell is involved.

use crate::Result;
use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What a program that ended left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, as text (bytes that are no UTF-8 replaced).
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
}

/// Limit of [`must`]: generous, since an emulated machine is slow.
pub(crate) const ORDINARY: Duration = Duration::from_secs(60);
/// Until a daemon answers: its first start reads much from the disk, others start beside it.
pub(crate) const START: Duration = Duration::from_secs(120);

/// Runs `command` to its end; a non-zero exit is no error here.
///
/// # Errors
/// When it cannot be started, or still runs after `limit` (it is then killed).
pub fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    feed(command, "", limit)
}

/// [`run`] with `input` on standard input: less than a pipe holds (64 KiB).
fn feed(command: &mut Command, input: &str, limit: Duration) -> Result<Output> {
    let words = in_words(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{words}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input has its reasons; its status tells.
        stdin.write_all(input.as_bytes()).ok();
    }
    // Both pipes are emptied at once: a program that fills one would wait forever.
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now());
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(left()), stderr.recv_timeout(left()))
    else {
        child.kill().ok();
        child.wait().ok();
        bail!("`{words}` was still running after {limit:?}");
    };
    let status = child.wait().with_context(|| format!("cannot wait for `{words}`"))?;
    Ok(Output { status, stdout, stderr })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).ok();
        }
        sender.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
    });
    receiver
}

/// Runs a program that has to succeed; gives its standard output.
///
/// # Errors
/// As [`run`], and when it exits non-zero: with its standard error.
pub fn must<S: AsRef<OsStr>>(argv: &[S]) -> Result<String> {
    let (program, arguments) = argv.split_first().context("an empty command")?;
    must_succeed(Command::new(program).args(arguments))
}

pub(crate) fn must_succeed(command: &mut Command) -> Result<String> {
    must_take(command, "")
}

/// The same with something on its standard input.
pub(crate) fn must_take(command: &mut Command, input: &str) -> Result<String> {
    let output = feed(command, input, ORDINARY)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let told = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    bail!("`{}` failed ({}): {}", in_words(command), output.status, told.trim())
}

/// The command as a person would type it.
fn in_words(command: &Command) -> String {
    let mut words = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        words.push(' ');
        words.push_str(&argument.to_string_lossy());
    }
    words
}

/// A daemon that a test keeps running. Dropping it kills it.
#[derive(Debug)]
pub struct Proc {
    name: String,
    child: Child,
    log: PathBuf,
    detached: bool,
}

impl Proc {
    /// Starts `command` with standard output and error in the file `log` (created anew).
    ///
    /// # Errors
    /// When the log cannot be created or the program not started.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let err = out.try_clone().with_context(|| format!("cannot share {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {name}: `{}`", in_words(command)))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), detached: false })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far; empty when the log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// An error with the end of its log, if it is not running any more.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check_alive(&mut self) -> Result {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(anyhow!(
                "{} ended ({status}); the end of its log:\n{}",
                self.name,
                last_lines(&self.log(), 15)
            )),
            Err(error) => Err(error).with_context(|| format!("cannot ask after {}", self.name)),
        }
    }

    /// Sends a signal, e.g. `Signal::HUP`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&mut self, signal: Signal) -> Result {
        self.check_alive()?;
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it has ended before, or still runs after `limit` (it is then killed).
    pub fn stop(mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(limit)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after `limit` (it is then killed).
    pub fn ended(mut self, limit: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            let is_last = start.elapsed() >= limit;
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if is_last {
                bail!("{} did not end within {limit:?}", self.name);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once (SIGKILL), as a crash would.
    pub fn crash(mut self) {
        self.end();
    }

    /// Lets it run on when this value is dropped.
    pub fn detach(&mut self) {
        self.detached = true;
    }

    fn end(&mut self) {
        // Both fail only for a child that has been waited for: then it is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if !self.detached {
            self.end();
        }
    }
}

/// The end of a log, indented.
#[must_use]
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.iter().skip(from).map(|line| format!("      {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_gives_output_status_and_words() {
        let output =
            run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), ORDINARY)
                .unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        let error = must(&["sh", "-c", "echo reason >&2; exit 1"]).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("reason"), "{error}");
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        // Whoever waits for its end waits an hour.
        let error = run(Command::new("sleep").arg("3600"), Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("still running"), "{error}");
    }

    #[test]
    fn a_daemon_dies_with_its_value() {
        let log = std::env::temp_dir().join(format!("starling-proc-{}", std::process::id()));
        let mut proc =
            Proc::spawn("sleeper", Command::new("sh").args(["-c", "echo hi; sleep 60"]), &log)
                .unwrap();
        let pid = proc.pid();
        crate::wait_until("its first words", ORDINARY, || proc.log() == "hi\n").unwrap();
        proc.check_alive().unwrap();
        drop(proc);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_daemon_that_ended_is_told_with_its_log() {
        let log = std::env::temp_dir().join(format!("starling-ended-{}", std::process::id()));
        let mut proc =
            Proc::spawn("brief", Command::new("sh").args(["-c", "echo why; exit 4"]), &log)
                .unwrap();
        let error = crate::wait_for("its end", ORDINARY, || {
            proc.check_alive().err().context("still running")
        })
        .unwrap();
        assert!(error.to_string().contains("why"), "{error}");
        std::fs::remove_file(log).unwrap();
    }
}
