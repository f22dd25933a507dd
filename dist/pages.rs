//! Writes the manual pages and the shell completions of both programs into a folder, from the
//! definitions that their command lines are read by. For the package; run by `dist/deb`.
//!
//! ```text
//!   FOLDER/man8/starlingd.8 bgpctl.8 bgpctl-show-routes.8 …   /man5/cluster.toml.5
//!         /bash/starlingd, bgpctl   /zsh/_starlingd, _bgpctl   /fish/starlingd.fish, bgpctl.fish
//! ```
//!
//! What is completed for `bgpctl` it says itself at each press of the key, with names of the running
//! daemon; what is written for it only tells the shell to ask.

mod configuration;

use std::fs::{File, create_dir_all};
use std::io::{Error, Result};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use starling::{ctl, daemon};

const SECTION: &str = "8";

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).ok_or(Error::other("say into which folder"))?;
    let folder = Path::new(&folder);
    for shell in ["man5", "man8", "bash", "zsh", "fish"] {
        create_dir_all(folder.join(shell))?;
    }
    configuration::page(&folder.join("man5"))?;
    let (mut starlingd, bgpctl) = (daemon::cli::Cli::command(), ctl::cli::Cli::command());
    for program in [&starlingd, &bgpctl] {
        // What is global to a program is on the pages of its commands as well.
        let mut program = program.clone();
        program.build();
        pages(&program, program.get_name().to_owned(), &folder.join("man8"))?;
    }
    for (shell, place) in [
        (Shell::Bash, "bash/starlingd"),
        (Shell::Zsh, "zsh/_starlingd"),
        (Shell::Fish, "fish/starlingd.fish"),
    ] {
        generate(shell, &mut starlingd, "starlingd", &mut File::create(folder.join(place))?);
    }
    let asks: [(&dyn EnvCompleter, &str); 3] =
        [(&Bash, "bash/bgpctl"), (&Zsh, "zsh/_bgpctl"), (&Fish, "fish/bgpctl.fish")];
    for (shell, place) in asks {
        let mut file = File::create(folder.join(place))?;
        shell.write_registration("COMPLETE", "bgpctl", "bgpctl", "bgpctl", &mut file)?;
    }
    Ok(())
}

/// The page of a command, and those of its subcommands: `bgpctl-show-routes.8`.
fn pages(command: &Command, name: String, folder: &Path) -> Result<()> {
    let title = name.to_uppercase();
    let subcommands =
        command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    for subcommand in subcommands {
        pages(subcommand, format!("{name}-{}", subcommand.get_name()), folder)?;
    }
    let page = command.clone().display_name(name.clone()).disable_help_subcommand(true);
    let man = Man::new(page).title(title).section(SECTION).source("Starling").manual("Starling");
    man.render(&mut File::create(folder.join(format!("{name}.{SECTION}")))?)
}
