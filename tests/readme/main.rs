//! README.md and the pages beside what they describe are held to what they say: their
//! configurations are read, their commands are run, what they show of their output is compared
//! with what is printed, and their links lead somewhere.
//!
//! ```text
//!   pages ──page──► blocks ──┬─ toml ─────► files in a folder ──► Config::load
//!                            ├─ console ──► commands ──network──► run in a rack of three
//!                            └─ those of a walk, in order ──walk──► on hosts of their own
//! ```
//!
//! How they are written so that this file can do its work (walks, whose prompts name a host: see
//! `walk`):
//!
//! * a `toml` block is a file; its first line is a comment with the name;
//! * a `console` block holds commands, each after `$ `, and their output; `…` stands for lines
//!   that are left out. Other blocks (`text`) are not run: above all the transcript of the lab,
//!   which needs a kernel with ipip and is played by `make test` itself;
//! * a command that does not end is waited for until it says something, and then ended by SIGINT;
//! * what `starlingd check` prints is compared line by line; of what `bgpctl` prints, which has
//!   times and counters in it, the headings of tables.
//!
//! The network is network B as far as a kernel without ipip goes: `server1`, `server2` and
//! `server3` with `ipip = "never"`; `server4` and gw0's BGP are not there.
//! Needs root and iproute2, as the tests in namespaces do.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod links;
mod network;
mod page;
mod scenes;
mod stage;
mod walk;

use std::collections::BTreeSet;
use std::path::Path;

use network::Network;
use page::{Command, Pages};
use starling_config::Config;
use starling_lab::{Lab, Output, Result};

/// Files that are shown because they are wrong.
const BROKEN: &str = "broken.toml";
/// The file that shows every key.
const EVERYTHING: &str = "everything.toml";
/// Commands that go on until they are told to end.
const ENDLESS: [&str; 2] = ["monitor", "--watch"];
/// The file that nodes run with.
const CLUSTER: &str = "cluster.toml";

#[test]
fn configurations_are_read_without_a_warning() -> Result {
    let lab = Lab::unique()?;
    let page = Pages::of_the_rack();
    let files = page.files();
    page.write_files(lab.dir())?;
    let mut used = BTreeSet::new();
    for file in files.iter().filter(|file| file.text.contains("[cluster]")) {
        let loaded = Config::load(lab.dir().join(file.name));
        if file.name == BROKEN {
            assert!(loaded.is_err(), "{BROKEN} is fine");
            used.insert(lab.dir().join(BROKEN));
            continue;
        }
        let config = loaded.unwrap_or_else(|errors| panic!("{}:\n{errors}", file.name));
        assert!(config.warnings.is_empty(), "{}: {:#?}", file.name, config.warnings);
        used.extend(config.files);
    }
    for file in &files {
        assert!(used.contains(&lab.dir().join(file.name)), "nobody includes {}", file.name);
    }
    Ok(())
}

#[test]
fn every_key_is_shown() {
    let page = Pages::of_the_rack();
    let files = page.files();
    let everything = files.iter().find(|file| file.name == EVERYTHING).unwrap().text;
    // What the configuration knows it says itself, to whoever gets a name wrong.
    let expected = |text: &str| -> Vec<String> {
        let errors = starling_config::parse(text).unwrap_err();
        let unknown = errors.errors.iter().find(|e| e.message.starts_with("unknown")).unwrap();
        let list = unknown.expected.clone().unwrap();
        let (_, list) = list.rsplit_once("one of ").unwrap();
        list.split(", ").map(str::to_owned).collect()
    };
    let tables = expected("nonsense = 1");
    assert!(tables.len() >= 10, "{tables:?}");
    for table in tables {
        let lines: Vec<&str> = everything
            .split(&format!("\n{table}"))
            .skip(1)
            .flat_map(|rest| rest.lines().skip(1).take_while(|line| !line.starts_with('[')))
            .collect();
        for key in expected(&format!("{table}\nnonsense = 1")) {
            let shown = lines.iter().any(|line| line.starts_with(&format!("{key} =")));
            assert!(shown, "{EVERYTHING} does not show `{key}` of {table}");
        }
    }
}

#[test]
fn make_has_the_targets_and_settings() {
    let makefile = include_str!("../../Makefile");
    let page = Pages::of_the_rack();
    let commands = page.commands("make");
    assert!(commands.len() >= 2, "{commands:#?}");
    for command in commands {
        for word in &command.words {
            let known = match word.split_once('=') {
                Some((setting, _)) => makefile.contains(&format!("$({setting})")),
                None => makefile.lines().any(|line| line.starts_with(&format!("{word}:"))),
            };
            assert!(known, "the Makefile does not know `{word}` of `{}`", command.line);
        }
    }
}

#[test]
fn only_programs_that_are_checked_are_called() {
    let known = ["make", "starlingd", "bgpctl", "curl", "git", "cargo"];
    for command in Pages::of_the_rack().all_commands() {
        assert!(
            known.contains(&command.program),
            "{}: `{}` is not checked here",
            command.place,
            command.line
        );
    }
}

#[test]
fn commands_do_what_is_shown() -> Result {
    let page = Pages::of_the_rack();
    let mut network = Network::build(&page)?;
    let started = page.commands("starlingd").into_iter().filter(|c| c.words[0] == "run");
    network.start(&started.collect::<Vec<_>>())?;

    let checks = page.commands("starlingd").into_iter().filter(|c| c.words[0] != "run");
    for command in checks.collect::<Vec<_>>() {
        let output = network.starlingd(&command)?;
        let refused = command.shows.first().is_some_and(|line| line.starts_with("starlingd: "));
        assert_eq!(output.status.code(), Some(i32::from(refused)), "{}: {output:?}", command.line);
        compare(&command, &output);
    }
    let questions = page.commands("bgpctl");
    assert!(questions.len() >= 8, "{questions:#?}");
    for command in questions {
        if command.words.iter().any(|word| ENDLESS.contains(word)) {
            network.watch(&command)?;
            continue;
        }
        let output = network.bgpctl(&command)?;
        // What the doctor finds in this network is in its exit code.
        let is_fine = match output.status.code() {
            Some(0) => true,
            // And that something would change.
            Some(4) if command.words.first() == Some(&"plan") => true,
            Some(4 | 5) => command.words.first() == Some(&"doctor"),
            _ => false,
        };
        assert!(is_fine, "{}: {output:?}", command.line);
        compare_headings(&command, &output);
    }
    for command in page.commands("curl") {
        let url = command.words.last().unwrap();
        let answer = network.get(url)?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{}: {answer}", command.line);
    }
    Ok(())
}

/// What is shown is what is printed, but for the lines left out at `…`.
fn compare(command: &Command, output: &Output) {
    let printed = format!("{}{}", output.stdout, output.stderr);
    let mut lines = printed.lines().map(str::trim_end).peekable();
    let mut skipping = false;
    for shown in &command.shows {
        if shown.trim() == "…" {
            skipping = true;
            continue;
        }
        let found =
            if skipping { lines.any(|line| line == *shown) } else { lines.next() == Some(*shown) };
        skipping = false;
        let Command { place, line, .. } = command;
        assert!(found, "{place}: {line}: the page shows\n{shown}\nbut it prints\n{printed}");
    }
}

/// The headings of tables, which are all capitals, are those that are printed.
fn compare_headings(command: &Command, output: &Output) {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_heading =
        |line: &str| line.chars().any(char::is_alphabetic) && !line.chars().any(char::is_lowercase);
    let printed: Vec<_> = output.stdout.lines().map(words).collect();
    for shown in command.shows.iter().filter(|line| is_heading(line)) {
        assert!(
            printed.contains(&words(shown)),
            "{}: {}: the page shows the heading\n{shown}\nbut it prints\n{}",
            command.place,
            command.line,
            output.stdout
        );
    }
}

/// What nodes run with where the kernel has no ipip: the same without encapsulation.
fn without_tunnel(text: &str) -> String {
    text.replace("\"cross-subnet\"", "\"never\"").replace("\"always\"", "\"never\"")
}

/// The path of `name` in `dir`, as an argument.
fn place(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}
