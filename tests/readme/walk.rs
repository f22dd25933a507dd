//! A walk: part of a page that its reader can follow from its first command to its last, played
//! on hosts of its own.
//!
//! ```text
//!   Page ──steps──► Step::Write ──► a file on a host        Stage
//!                   Step::Type ───► a command ──► what it says, compared with what is shown
//! ```
//!
//! How such a part is written:
//!
//! * a `toml` or `conf` block is a file. Its first line is a comment that says where:
//!   `# /etc/bird/bird.conf on tor`, or `on every node`, or nothing where there is one host only.
//!   `, added` at the end of the line: it is added to what the file has;
//! * in a `console` block a command stands after a prompt with the host's name, `tor# `, or
//!   `nodes# ` for each of the nodes; `# ` is the only host's. `…` in what is shown stands for lines
//!   that are left out;
//! * what is shown is what is printed, line by line, in whatever order the lines come, but for what
//!   differs from run to run: times, durations, MAC addresses, digests, blanks;
//! * a command that only looks is repeated until it says what is shown. All others are typed once,
//!   and must succeed.
//!
//! `UPDATE_PAGES=1` writes what is printed into the page; read it before you believe it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use starling_lab::{Result, wait_for};

use crate::page::{Block, Page, root};
use crate::stage::{Host, Said, Shell, Stage};

/// So long a look may take until it shows what the page shows.
const SOON: Duration = Duration::from_secs(120);
/// What has said the same for so long is taken to be over, when a page is written.
const QUIET: Duration = Duration::from_millis(2500);
/// Words of commands that look and change nothing.
const LOOKS: [&str; 9] =
    ["show", "why", "doctor", "ping", "route", "check", "plan", "test", "audit"];
/// Words that take that back.
const DEEDS: [&str; 6] = ["add", "del", "replace", "flush", "change", "delete"];

/// A part of a page and the hosts that it is played on.
pub struct Scene {
    pub page: &'static str,
    /// Their headings, of the second rank; none: the whole page. What stands before the first such
    /// heading belongs to each.
    pub sections: &'static [&'static str],
    pub hosts: &'static [Host],
}

enum Step<'a> {
    Write { who: &'a str, path: &'a str, added: bool, text: &'a str },
    Type(Typed<'a>),
}

/// A command, and what is shown of what it says.
struct Typed<'a> {
    who: &'a str,
    line: &'a str,
    shows: Vec<&'a str>,
    /// The lines of the page.
    prompt: &'a str,
}

/// The host and the command of a line with a prompt.
pub fn prompt(line: &str) -> Option<(&str, &str)> {
    let (who, command) = line.split_once("# ")?;
    let is_name = who.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (is_name && !command.is_empty()).then_some((who, command))
}

impl Scene {
    /// Whether what stands below this heading is in it.
    pub fn has(&self, section: &str) -> bool {
        section.is_empty() || self.sections.is_empty() || self.sections.contains(&section)
    }
}

fn steps<'a>(page: &'a Page, scene: &Scene) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for block in page.blocks().filter(|block| scene.has(&block.section)) {
        match &*block.kind {
            "toml" | "conf" => steps.push(file(page, block)),
            "console" => commands(page, block, &mut steps),
            _ => {}
        }
    }
    steps
}

fn file<'a>(page: &Page, block: &'a Block) -> Step<'a> {
    let first = block.text.lines().next().unwrap_or_default();
    let said = first.strip_prefix(['#', '!']).map(str::trim);
    let said = said.unwrap_or_else(|| panic!("{}:{}: whose file?", page.path, block.line));
    let (said, added) = match said.strip_suffix(", added") {
        Some(rest) => (rest, true),
        None => (said, false),
    };
    let (path, who) = said.split_once(" on ").unwrap_or((said, ""));
    Step::Write { who, path, added, text: &block.text }
}

fn commands<'a>(page: &Page, block: &'a Block, steps: &mut Vec<Step<'a>>) {
    let mut last: Option<Typed<'a>> = None;
    for line in block.text.lines() {
        match (prompt(line), &mut last) {
            (Some((who, command)), _) => {
                steps.extend(last.take().map(Step::Type));
                last = Some(Typed { who, line: command, shows: vec![], prompt: line });
            }
            (None, Some(typed)) => typed.shows.push(line),
            (None, None) if line.starts_with("$ ") => return,
            (None, None) => panic!("{}:{}: output before a command", page.path, block.line),
        }
    }
    steps.extend(last.map(Step::Type));
}

/// Plays a scene from its beginning.
///
/// # Errors
/// At the first command that does not do what the page shows: with what it did.
pub fn play(scene: &Scene) -> Result {
    let page = Page::read(scene.page);
    let steps = steps(&page, scene);
    for section in scene.sections {
        let known = page.blocks().any(|block| block.section == *section);
        ensure!(known, "{} has no section {section:?}", scene.page);
    }
    let mut stage = Stage::build(scene.hosts)?;
    let mut news = Vec::new();
    for step in steps {
        match step {
            Step::Write { who, path, added, text } => {
                for shell in stage.shells(whole(scene, who))? {
                    write(shell, path, added, text)?;
                }
            }
            Step::Type(typed) => {
                for shell in stage.shells(whole(scene, typed.who))? {
                    let said = enter(shell, &typed);
                    let said = said.with_context(|| format!("{}: {}", scene.page, typed.prompt))?;
                    news.extend(said.map(|said| (typed.chunk(), typed.written(&said))));
                }
            }
        }
    }
    update(scene, &news)
}

/// Where a page names no host there is one.
fn whole<'a>(scene: &Scene, who: &'a str) -> &'a str {
    match (who, scene.hosts) {
        ("", [only]) => only.name,
        _ => who,
    }
}

fn write(shell: &mut Shell, path: &str, added: bool, text: &str) -> Result {
    let to = if added { ">>" } else { ">" };
    // A blank line before what is added: a file need not end in a new line.
    let text = if added { format!("\n{text}") } else { text.to_owned() };
    shell.must(&format!(
        "mkdir -p $(dirname {path}); cat {to}{path} <<'END OF THE FILE'\n{text}END OF THE FILE"
    ))?;
    Ok(())
}

/// Types a command; gives what it said where the page is to be written anew.
fn enter(shell: &mut Shell, typed: &Typed<'_>) -> Result<Option<Said>> {
    let looks = typed.looks();
    if !looks || typed.shows.is_empty() {
        let said = shell.say(typed.line)?;
        ensure!(looks || said.code == 0, "it failed ({}): {}", said.code, said.text);
        let fine = typed.agrees(&said.text);
        if updating() {
            return Ok(fine.is_err().then_some(said));
        }
        return fine.map(|()| None);
    }
    if !updating() {
        let agreed = wait_for("the page and the program to agree", SOON, || {
            typed.agrees(&shell.say(typed.line)?.text)
        });
        return agreed.map(|()| None);
    }
    let (begin, mut since) = (Instant::now(), Instant::now());
    let mut last = shell.say(typed.line)?;
    while since.elapsed() < QUIET && begin.elapsed() < SOON && typed.agrees(&last.text).is_err() {
        std::thread::sleep(Duration::from_millis(300));
        let now = shell.say(typed.line)?;
        if plain(&now.text) != plain(&last.text) {
            since = Instant::now();
        }
        last = now;
    }
    Ok(typed.agrees(&last.text).is_err().then_some(last))
}

impl Typed<'_> {
    fn looks(&self) -> bool {
        let has = |words: &[&str]| {
            self.line.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
        };
        has(&LOOKS) && !has(&DEEDS)
    }

    /// Whether what is shown is what was said.
    fn agrees(&self, said: &str) -> Result {
        let mut left: Vec<String> = plain(said);
        let mut whole = true;
        for shown in &self.shows {
            if shown.trim() == "…" {
                whole = false;
                continue;
            }
            let line = normal(shown);
            if line.is_empty() {
                continue;
            }
            match left.iter().position(|said| *said == line) {
                Some(at) => drop(left.remove(at)),
                None => bail!("the page shows\n{shown}\nbut it says\n{said}"),
            }
        }
        ensure!(!whole || left.is_empty(), "it also says {left:#?}, all of it\n{said}");
        Ok(())
    }

    /// As it stands in the page.
    fn chunk(&self) -> String {
        [self.prompt].iter().chain(&self.shows).flat_map(|line| [*line, "\n"]).collect()
    }

    /// As it should.
    fn written(&self, said: &Said) -> String {
        let mut text = format!("{}\n", self.prompt);
        for line in said.text.lines() {
            text += line.trim_end();
            text.push('\n');
        }
        if self.shows.last().is_some_and(|line| line.is_empty()) {
            text.push('\n');
        }
        text
    }
}

fn updating() -> bool {
    std::env::var_os("UPDATE_PAGES").is_some_and(|value| value != "0")
}

/// Writes what was said into the page.
fn update(scene: &Scene, news: &[(String, String)]) -> Result {
    if news.is_empty() {
        return Ok(());
    }
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = root().join(scene.page);
    let mut text = std::fs::read_to_string(&path)?;
    let heading = scene.sections.first().map(|section| format!("\n## {section}\n"));
    let mut from = heading.and_then(|heading| text.find(&heading)).unwrap_or_default();
    for (old, new) in news {
        let rest = text.get(from..).unwrap_or_default();
        let at = rest.find(old.as_str()).with_context(|| format!("not in the page: {old}"))?;
        text.replace_range(from + at..from + at + old.len(), new);
        from += at + new.len();
    }
    Ok(std::fs::write(path, text)?)
}

/// What was said, as it is compared.
fn plain(said: &str) -> Vec<String> {
    said.lines().map(normal).filter(|line| !line.is_empty()).collect()
}

/// A line without what differs from run to run.
fn normal(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        let value = core.strip_prefix("time=").unwrap_or(core);
        let is_number = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || "./".contains(c))
        };
        let last = words.last().map(String::as_str).unwrap_or_default();
        if ["ms", "us", "s"].contains(&core) && (is_number(last) || last == "time=TIME") {
            // "3 ms": one duration.
            let named = words.pop().is_some_and(|last| last == "time=TIME");
            words.push(word.replace(core, if named { "time=TIME" } else { "TIME" }));
        } else if value.len() < core.len() || varies(core) {
            words.push(word.replace(value, "TIME"));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// A duration ("3m29s"), a time of the day, a date, a MAC address, a digest.
fn varies(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let hexadecimal = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let parts = |sign: char| word.split(sign).collect::<Vec<_>>();
    let clock = parts(':');
    match clock.as_slice() {
        [h, m, s] => return [h, m, s].iter().all(|part| digits(&part.replace('.', ""))),
        [_, _, _, _, _, _] => return clock.iter().all(|part| part.len() == 2 && hexadecimal(part)),
        _ => {}
    }
    if let [y, m, d] = parts('-').as_slice() {
        return y.len() == 4 && [y, m, d].iter().all(|part| digits(part));
    }
    if word.len() == 12 && hexadecimal(word) {
        return true;
    }
    let mut rest = word;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (number, unit) = rest.split_at(at);
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, next) = unit.split_at(end);
        if !digits(&number.replace('.', "")) || !["d", "h", "m", "s", "ms", "us"].contains(&unit) {
            return false;
        }
        rest = next;
        if rest.is_empty() {
            return true;
        }
    }
    false
}

#[test]
fn what_differs_from_run_to_run_is_not_compared() {
    assert_eq!(normal("up  3m29s, 1.5 ms"), "up TIME, TIME");
    assert_eq!(normal("icmp_seq=1 ttl=64 time=0.05 ms"), "icmp_seq=1 ttl=64 time=TIME");
    assert_eq!(normal("(06:85:7b:af:f5:34) 17:02:11.318"), "(TIME) TIME");
    assert_eq!(normal("files are 41a6c7b7a3f0 of 2026-11-22"), "files are TIME of TIME");
    for same in ["10.244.1.0/26 via 10.1.5.11 dev net0", "AS 64512 as 1 s1 d", "3 routes", "n1: m"]
    {
        assert_eq!(normal(same), same);
    }
}

#[test]
fn a_line_that_is_shown_and_not_said_is_found_and_so_is_one_more() {
    let shows = |shows: Vec<&'static str>| Typed { who: "", line: "", shows, prompt: "" };
    let said = "b  2s\na\n";
    assert!(shows(vec!["a", "b 9s"]).agrees(said).is_ok());
    assert!(shows(vec!["a"]).agrees(said).is_err());
    assert!(shows(vec!["a", "…"]).agrees(said).is_ok());
    assert!(shows(vec!["c", "…"]).agrees(said).is_err());
    assert!(shows(vec!["a", "a", "…"]).agrees(said).is_err());
}
