//! A page as blocks: files to be read, commands to be run; and where its links lead.
//!
//! ```text
//!   PAGES ──Page::read──► Page { blocks, headings, links }
//!     │                      └─ files(), commands() of the rack; those of walks: `walk`
//!     └─ every *.md of the project is in it, or a test fails
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use starling_lab::Result;

use crate::walk::prompt;

/// Where a node has its files.
const ETC: &str = "/etc/starling/";

/// What is done with the blocks of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its files and commands are those of one network, the same for all such pages; but for those
    /// of walks.
    Rack,
    /// Its files and commands are those of walks, if it has any.
    Walks,
}

/// Every page of the project, from its root. A page that is missing here fails a test.
pub const PAGES: [(&str, Kind); 18] = [
    ("README.md", Kind::Rack),
    ("bgp/KEYS.md", Kind::Walks),
    ("bgp/PEERS.md", Kind::Walks),
    ("bgp/README.md", Kind::Rack),
    ("bgp/REFLECTORS.md", Kind::Walks),
    ("config/POLICIES.md", Kind::Rack),
    ("config/README.md", Kind::Rack),
    ("config/REFERENCE.md", Kind::Walks),
    ("dist/CALICO.md", Kind::Walks),
    ("dist/README.md", Kind::Rack),
    ("dist/TUTORIAL.md", Kind::Walks),
    ("fib/README.md", Kind::Rack),
    ("src/METRICS.md", Kind::Rack),
    ("src/README.md", Kind::Rack),
    ("src/TROUBLE.md", Kind::Walks),
    ("tests/README.md", Kind::Rack),
    ("tests/bench/BASELINE.md", Kind::Walks),
    ("tests/bench/README.md", Kind::Walks),
];

/// A page.
pub struct Page {
    pub path: &'static str,
    blocks: Vec<Block>,
    headings: Vec<String>,
    links: Vec<String>,
}

/// What stands between two fences.
pub struct Block {
    pub kind: String,
    pub text: String,
    /// The heading of the second rank that it is below, if any.
    pub section: String,
    /// The line of its first fence, from 1.
    pub line: usize,
}

/// A configuration file.
pub struct File<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// A command and what is shown of its output.
#[derive(Debug)]
pub struct Command<'a> {
    /// Page and line of its block.
    pub place: String,
    pub line: &'a str,
    pub program: &'a str,
    pub words: Vec<&'a str>,
    pub shows: Vec<&'a str>,
}

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(path: &'static str) -> Page {
        let text = std::fs::read_to_string(root().join(path));
        let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut page = Page { path, blocks: vec![], headings: vec![], links: vec![] };
        let (mut open, mut section): (Option<Block>, _) = (None, String::new());
        for (number, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(kind), None) => {
                    let (kind, line) = (kind.to_owned(), number + 1);
                    assert!(!kind.is_empty(), "{path}:{line}: a block without a kind");
                    open =
                        Some(Block { kind, text: String::new(), section: section.clone(), line });
                }
                (Some(_), Some(_)) => page.blocks.extend(open.take()),
                (None, Some(block)) => block.text += &format!("{line}\n"),
                (None, None) => {
                    if let Some(heading) = line.strip_prefix("## ") {
                        heading.clone_into(&mut section);
                    }
                    page.read_prose(line);
                }
            }
        }
        assert!(open.is_none(), "a block of {path} is not closed");
        page
    }

    fn read_prose(&mut self, line: &str) {
        if line.starts_with('#') {
            self.headings.push(anchor(line.trim_start_matches('#').trim()));
        }
        for after in line.split("](").skip(1) {
            self.links.extend(after.split(')').next().map(str::to_owned));
        }
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// Whether it has a heading that `#anchor` leads to.
    pub fn has(&self, anchor: &str) -> bool {
        self.headings.iter().any(|heading| heading == anchor)
    }

    /// Its links within the project: a path from the root, and an anchor there.
    pub fn links(&self) -> Vec<(PathBuf, Option<&str>)> {
        let inside = self.links.iter().filter(|link| !link.contains("://"));
        let target = |link: &'_ String| -> PathBuf {
            let path = link.split('#').next().unwrap_or_default();
            let mut target = PathBuf::from(self.path);
            if !path.is_empty() {
                target.pop();
            }
            for part in Path::new(path).components() {
                match part {
                    std::path::Component::ParentDir => assert!(target.pop(), "{link}"),
                    part => target.push(part),
                }
            }
            target
        };
        inside.map(|link| (target(link), link.split_once('#').map(|(_, anchor)| anchor))).collect()
    }

    /// The configuration files, by the name in their first line.
    fn files(&self) -> impl Iterator<Item = File<'_>> {
        self.of_kind("toml").map(|block| {
            let text = &*block.text;
            let first = text.lines().next().unwrap_or_default();
            let name = first.strip_prefix("# ").and_then(|rest| rest.split([' ', ':']).next());
            match name.filter(|name| name.ends_with(".toml")) {
                Some(name) => File { name: name.strip_prefix(ETC).unwrap_or(name), text },
                None => panic!("{}:{}: a file without a name", self.path, block.line),
            }
        })
    }

    /// The commands, in order, but for those of walks.
    fn commands(&self) -> Vec<Command<'_>> {
        let mut commands: Vec<Command<'_>> = Vec::new();
        let others = |block: &&Block| block.text.lines().next().and_then(prompt).is_none();
        for block in self.of_kind("console").filter(others) {
            let place = format!("{}:{}", self.path, block.line);
            let first = commands.len();
            for line in block.text.lines() {
                if let Some(line) = line.strip_prefix("$ ") {
                    // A comment of the shell is for the reader.
                    let line = line.split(" #").next().unwrap_or(line).trim_end();
                    let mut words = line.split_whitespace();
                    let program = words.next().unwrap_or_default();
                    let (words, place) = (words.collect(), place.clone());
                    commands.push(Command { place, line, program, words, shows: vec![] });
                } else {
                    assert!(commands.len() > first, "{place}: output before a command");
                    commands.last_mut().unwrap().shows.push(line.trim_end());
                }
            }
        }
        for command in &mut commands {
            while command.shows.last() == Some(&"") {
                command.shows.pop();
            }
        }
        commands
    }
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The pages of the network that they share.
pub struct Pages(Vec<Page>);

impl Pages {
    /// Those of kind [`Kind::Rack`].
    pub fn of_the_rack() -> Pages {
        let rack = PAGES.into_iter().filter(|(_, kind)| *kind == Kind::Rack);
        Pages(rack.map(|(path, _)| Page::read(path)).collect())
    }

    /// Their configuration files. No two have one name.
    pub fn files(&self) -> Vec<File<'_>> {
        let files: Vec<File<'_>> = self.0.iter().flat_map(|page| page.files()).collect();
        let names: BTreeSet<&str> = files.iter().map(|file| file.name).collect();
        assert_eq!(names.len(), files.len(), "two files have one name: {names:?}");
        files
    }

    /// Writes the configuration files below `dir`, and a key into each file that they want one in.
    pub fn write_files(&self, dir: &Path) -> Result {
        for file in self.files() {
            let path = dir.join(file.name);
            std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
            std::fs::write(path, file.text)?;
            for after in file.text.split("-file = \"").skip(1) {
                std::fs::write(dir.join(after.split('"').next().unwrap_or_default()), "a key\n")?;
            }
        }
        Ok(())
    }

    /// Every command, page by page, in order.
    pub fn all_commands(&self) -> Vec<Command<'_>> {
        self.0.iter().flat_map(Page::commands).collect()
    }

    /// The commands that call `program`.
    pub fn commands(&self, program: &str) -> Vec<Command<'_>> {
        self.all_commands().into_iter().filter(|command| command.program == program).collect()
    }
}
