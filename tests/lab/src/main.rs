//! `lab`: the networks of the mission on this machine, for a person or for a log.
//!
//! `up` builds one, watches it converge and shows it; `check` plays several and counts
//! checks; `down` removes what `up --keep` left. All of it inside namespaces; where the
//! kernel has no ipip, inside a virtual machine (`tests/vm/boot`), without being asked.
//! Exits 0 only if every check passed.

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use starling_lab::scenario::{Driver, Scenario};
use starling_lab::{Audience, Binaries, Lab, Result, Stage, has_ipip, matrix, remove_prefix, vm};
use std::io::{IsTerminal, Write};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The prefix of the network that a person watches.
const KEPT: &str = "lab";
/// All networks in an emulated machine.
const LIMIT: Duration = Duration::from_secs(2400);

/// Networks of namespaces in which Starling shows what it does.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
    /// Write the routes by hand instead of starting starlingd: proves the networks themselves.
    #[arg(long, global = true)]
    hand: bool,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build one network, watch it converge, and show it.
    Up {
        /// Which one.
        #[arg(long, value_enum, ignore_case = true, default_value_t = Net::B)]
        net: Net,
        /// Leave it up, and say how to look around.
        #[arg(long)]
        keep: bool,
    },
    /// Remove what `up --keep` left.
    Down,
    /// Play networks and count checks; the last line is `N passed, N failed`.
    Check {
        /// All of them.
        #[arg(long, conflicts_with = "net")]
        all: bool,
        /// Only these.
        #[arg(long, value_enum, ignore_case = true, required_unless_present = "all")]
        net: Vec<Net>,
    },
    /// bgp/README.md's matrix of features and peers, against what the tests have seen.
    Matrix {
        /// Which step.
        #[arg(value_enum)]
        step: Step,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    /// Before the tests: forget what earlier ones have seen.
    Forget,
    /// After them: every cell must have been seen.
    Check,
    /// After them, with `UPDATE_MATRIX=1`: remove cells that were not seen.
    Prune,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Net {
    /// A hand-made tunnel between two hosts.
    A,
    /// Two racks with a gateway.
    B,
    /// Three neighbours, tunnelled always.
    C,
    /// The node that nobody can reach.
    D,
    /// Hands on the tunnel, packets that do not fit, and what bgpctl says.
    T,
    /// Pods in a VRF.
    V,
}

impl From<Net> for Scenario {
    fn from(net: Net) -> Self {
        match net {
            Net::A => Self::A,
            Net::B => Self::B,
            Net::C => Self::C,
            Net::D => Self::D,
            Net::T => Self::T,
            Net::V => Self::V,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match carry_out(&arguments) {
        Ok(code) => code,
        Err(error) => {
            writeln!(std::io::stderr(), "lab: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn carry_out(arguments: &Arguments) -> Result<ExitCode> {
    let stay = match &arguments.command {
        Task::Down => return down(),
        Task::Matrix { step } => {
            match step {
                Step::Forget => matrix::forget()?,
                Step::Check => matrix::check(false)?,
                Step::Prune => matrix::check(true)?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        Task::Up { keep: true, .. } => vm::Stay::Kept,
        Task::Up { .. } | Task::Check { .. } => vm::Stay::AtMost(LIMIT),
    };
    let driver =
        if arguments.hand { Driver::Hand } else { Driver::Starling(Binaries::beside_this()?) };
    if !has_ipip()? {
        return vm::rerun(&std::env::args().skip(1).collect::<Vec<_>>(), stay);
    }
    match &arguments.command {
        Task::Up { net, keep } => up((*net).into(), *keep, driver),
        Task::Check { all: true, .. } => check(&Scenario::ALL, &driver),
        Task::Check { net, .. } => {
            check(&net.iter().map(|net| (*net).into()).collect::<Vec<_>>(), &driver)
        }
        Task::Down | Task::Matrix { .. } => down(),
    }
}

fn up(scenario: Scenario, keep: bool, driver: Driver) -> Result<ExitCode> {
    // One lab at a time has the short name that a person will type.
    remove_prefix(KEPT)?;
    let lab = Lab::named(KEPT)?;
    let mut stage = Stage::new(Audience::Person);
    let mut network = scenario.play(lab, driver, &mut stage)?;
    if keep {
        network.keep(&stage);
        if vm::inside() {
            stay_in_vm()?;
        } else {
            stage.show("make lab-down removes it", "");
        }
    }
    stage.close();
    Ok(verdict(&stage))
}

/// The machine lives as long as this program.
fn stay_in_vm() -> Result {
    let mut words = std::io::stdout();
    if std::io::stdin().is_terminal() {
        writeln!(words, "\nA shell inside the virtual machine; leaving it ends the lab.").ok();
        // Not the person's own start-up files: they may be heavy, and the files read-only.
        let mut shell = Command::new("bash");
        shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "lab# ");
        shell.status().context("cannot start a shell")?;
        return Ok(());
    }
    writeln!(words, "\nThe virtual machine stays up; make lab-down ends it.").ok();
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn check(scenarios: &[Scenario], driver: &Driver) -> Result<ExitCode> {
    if scenarios.is_empty() {
        bail!("no network was named");
    }
    let mut stage = Stage::new(Audience::Log);
    // One after the other: where the processor is emulated, several at once starve BFD.
    for scenario in scenarios {
        // A network that cannot even be built is a failed check, not the end of the run.
        let lab = Lab::unique()?;
        if let Err(error) = scenario.play(lab, driver.clone(), &mut stage) {
            stage.check("the network comes up", Err::<(), _>(error));
        }
    }
    stage.close();
    Ok(verdict(&stage))
}

fn verdict(stage: &Stage) -> ExitCode {
    if stage.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn down() -> Result<ExitCode> {
    let machine = vm::down()?;
    let removed = remove_prefix(KEPT)?;
    let mut words = std::io::stdout();
    match (machine, removed) {
        (true, _) => writeln!(words, "the virtual machine is down, and the lab with it"),
        (false, 0) => writeln!(words, "no lab is up"),
        (false, _) => writeln!(words, "the lab is down: {removed} namespaces removed"),
    }
    .ok();
    Ok(ExitCode::SUCCESS)
}
