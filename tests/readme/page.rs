//! README.md as blocks: files to be read, commands to be run.

use std::path::Path;

use starling_lab::Result;

/// The page.
pub struct Page {
    blocks: Vec<Block>,
}

struct Block {
    kind: &'static str,
    text: String,
}

/// A configuration file.
pub struct File<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// A command and what is shown of its output.
#[derive(Debug)]
pub struct Command<'a> {
    pub line: &'a str,
    pub program: &'a str,
    pub words: Vec<&'a str>,
    pub shows: Vec<&'a str>,
}

impl Page {
    pub fn read() -> Page {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for line in include_str!("../../README.md").lines() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(kind), None) => open = Some(Block { kind, text: String::new() }),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => block.text += &format!("{line}\n"),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "a block of README.md is not closed");
        assert!(blocks.iter().all(|block| !block.kind.is_empty()), "a block without a kind");
        Page { blocks }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter(move |block| block.kind == kind).map(|block| &*block.text)
    }

    /// The configuration files, by the name in their first line.
    pub fn files(&self) -> Vec<File<'_>> {
        let file = |text| {
            let first = str::lines(text).next().unwrap_or_default();
            let name = first.strip_prefix("# ").and_then(|rest| rest.split([' ', ':']).next());
            match name.filter(|name| name.ends_with(".toml")) {
                Some(name) => File { name, text },
                None => panic!("a file without a name:\n{text}"),
            }
        };
        self.of_kind("toml").map(file).collect()
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

    /// Every command, in order.
    pub fn all_commands(&self) -> Vec<Command<'_>> {
        let mut commands: Vec<Command<'_>> = Vec::new();
        for text in self.of_kind("console") {
            let first = commands.len();
            for line in text.lines() {
                if let Some(line) = line.strip_prefix("$ ") {
                    // A comment of the shell is for the reader.
                    let line = line.split(" #").next().unwrap_or(line).trim_end();
                    let mut words = line.split_whitespace();
                    let program = words.next().unwrap_or_default();
                    commands.push(Command { line, program, words: words.collect(), shows: vec![] });
                } else {
                    assert!(commands.len() > first, "output before a command:\n{text}");
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

    /// The commands that call `program`.
    pub fn commands(&self, program: &str) -> Vec<Command<'_>> {
        self.all_commands().into_iter().filter(|command| command.program == program).collect()
    }
}
