//! From a path to everything that the file and its includes say.
//!
//! `include` patterns are relative to the file that has them; what a pattern matches is read in
//! the order of names. A file that is reached twice is read once; one that includes itself, over
//! however many steps, is an error. Files come from [`Disk`] or, in tests, from [`Memory`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use toml::de::DeTable;

use crate::raw::Raw;
use crate::secret;
use crate::source::{At, Problems, Sp, shown};

/// The largest file that is read. A line a node: enough for 100 000 of them.
const LARGEST: u64 = 32 << 20;
/// How deep includes may nest.
const DEEPEST: usize = 16;

/// Where files come from.
pub(crate) trait Files {
    /// The bytes of a file, or why not, in words.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;
    /// The files in `folder` that a pattern matches, in the order of their names.
    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String>;
    /// One path for each file, whichever way it was named.
    fn identity(&self, path: &Path) -> PathBuf;
}

/// The file system.
pub(crate) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|e| e.to_string())?;
        match bytes.len() as u64 > LARGEST {
            true => Err(format!("it is larger than {} MiB", LARGEST >> 20)),
            false => Ok(bytes),
        }
    }

    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let folder = folder.to_str().ok_or("the folder's name is not UTF-8")?;
        let full = Path::new(&glob::Pattern::escape(folder)).join(pattern);
        let full = full.to_str().unwrap_or(pattern);
        // A hidden file is an editor's or, under a ConfigMap, the kubelet's.
        let options =
            glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
        let found = glob::glob_with(full, options).map_err(|e| e.msg.to_owned())?;
        found
            .map(|path| path.map_err(|e| e.to_string()))
            .filter(|path| !path.as_ref().is_ok_and(|p| p.is_dir()))
            .collect()
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// Files by name, in memory.
pub(crate) struct Memory<'a>(pub(crate) BTreeMap<&'a Path, &'a str>);

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = self.0.get(self.identity(path).as_path()).ok_or("there is no such file")?;
        Ok(text.as_bytes().to_vec())
    }

    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        matching(self.0.keys().copied(), &self.identity(&folder.join(pattern)))
    }

    fn identity(&self, path: &Path) -> PathBuf {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(plain.pop()),
                other => plain.push(other),
            }
        }
        plain
    }
}

/// Those of `names` that match a pattern with its folder.
pub(crate) fn matching<'a>(
    names: impl Iterator<Item = &'a Path>,
    full: &Path,
) -> Result<Vec<PathBuf>, String> {
    let pattern = full.to_str().ok_or("the folder's name is not UTF-8")?;
    let pattern = glob::Pattern::new(pattern).map_err(|e| e.msg.to_owned())?;
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let names = names.filter(|path| pattern.matches_path_with(path, options));
    Ok(names.map(Path::to_path_buf).collect())
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) raw: Raw,
    pub(crate) problems: Problems,
    /// Every file that was read or that could not be.
    pub(crate) files: Vec<PathBuf>,
    /// What those that could be read say, keys aside.
    pub(crate) texts: Vec<(PathBuf, String)>,
    /// Folders in which a new file may become part of the configuration.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// The number of the first file.
    pub(crate) root: usize,
    /// A file could not be read or is no TOML: what is missing says nothing.
    pub(crate) incomplete: bool,
}

/// Reads `root` and what it includes.
pub(crate) fn load(root: &Path, files: &dyn Files) -> Loaded {
    let mut loaded = Loaded::default();
    let mut walk = Walk { files, open: Vec::new(), done: BTreeSet::new() };
    walk.open.push(files.identity(root));
    walk.file(root, None, &mut loaded);
    let Loaded { raw, problems, files: read, .. } = &mut loaded;
    raw.keys = secret::keys(raw, files, read, problems);
    loaded
}

struct Walk<'a> {
    files: &'a dyn Files,
    /// The files that are being read, the root first.
    open: Vec<PathBuf>,
    done: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, named_at: Option<At>, loaded: &mut Loaded) {
        loaded.files.push(path.to_owned());
        let name = path.display().to_string();
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                loaded.incomplete = true;
                let at = named_at.unwrap_or_else(|| {
                    let file = loaded.problems.add_source(name.clone(), String::new());
                    At::whole(file)
                });
                loaded.problems.error(at, format!("cannot read {name}: {reason}"));
                return;
            }
        };
        let problems = &mut loaded.problems;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                loaded.incomplete = true;
                let start = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let file = problems.add_source(name, text);
                problems
                    .error(At { file, start, end: start + 1 }, "this is not UTF-8")
                    .expected("a text file in UTF-8");
                return;
            }
        };
        let file = problems.add_source(name, text.clone());
        loaded.texts.push((path.to_owned(), text.clone()));
        if self.open.len() == 1 {
            loaded.root = file;
        }
        let (document, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            // What recovery makes of the rest is a guess, and guesses breed false errors.
            loaded.incomplete = true;
            errors.iter().for_each(|error| syntax(error, &text, file, problems));
            return;
        }
        let include = loaded.raw.read(document.get_ref(), file, problems);
        for pattern in include {
            self.include(path.parent().unwrap_or(Path::new("")), &pattern, loaded);
        }
    }

    fn include(&mut self, folder: &Path, pattern: &Sp<String>, loaded: &mut Loaded) {
        let Sp { value: pattern, at } = pattern;
        let wild = pattern.contains(['*', '?', '[']);
        let found = match wild {
            true => self.files.matching(folder, pattern),
            false => Ok(vec![folder.join(pattern)]),
        };
        if wild {
            loaded.folders.extend(literal_folder(folder, pattern));
        }
        let found = match found {
            Ok(found) => found,
            Err(reason) => {
                loaded.incomplete = true;
                let message = format!("cannot follow `{}`: {reason}", shown(pattern));
                loaded.problems.error(*at, message);
                return;
            }
        };
        if found.is_empty() {
            let message = format!("`{}` matches no file", shown(pattern));
            loaded.problems.warn(*at, message);
        }
        for path in found {
            let identity = self.files.identity(&path);
            if self.open.contains(&identity) {
                loaded.incomplete = true;
                let message = format!("{} includes itself", path.display());
                loaded
                    .problems
                    .error(*at, message)
                    .hint("keep included files in a folder of their own, such as nodes.d");
            } else if self.open.len() >= DEEPEST {
                loaded.incomplete = true;
                let message = format!("includes nest more than {DEEPEST} deep");
                loaded.problems.error(*at, message);
            } else if self.done.insert(identity.clone()) {
                self.open.push(identity);
                self.file(&path, Some(*at), loaded);
                self.open.pop();
            }
        }
    }
}

/// The folder of a pattern up to its first wildcard.
fn literal_folder(folder: &Path, pattern: &str) -> Option<PathBuf> {
    let literal = pattern.split(['*', '?', '[']).next()?;
    let literal = literal.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(folder.join(literal))
}

fn syntax(error: &toml::de::Error, text: &str, file: usize, problems: &mut Problems) {
    let span = error.span().unwrap_or(0..0);
    let (message, expected) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, Some(expected).filter(|e| *e != "nothing")),
        None => (error.message(), None),
    };
    let note = problems.error(At { file, start: span.start, end: span.end }, message);
    if let Some(expected) = expected {
        note.expected(expected);
    }
    let start = text.get(..span.start).map_or(0, |before| before.rfind('\n').map_or(0, |i| i + 1));
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
    if let Some(value) = bare_word(line) {
        note.hint(format!("text needs quotes: \"{}\"", shown(value)));
    }
}

/// The value of a `key = value` line that looks like text without its quotes.
fn bare_word(line: &str) -> Option<&str> {
    let (_, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let first = value.chars().next()?;
    let text_like = value.chars().all(|c| c.is_alphanumeric() || "._:/-".contains(c));
    let number = value.parse::<f64>().is_ok();
    (text_like && !number && first.is_alphanumeric() && !matches!(value, "true" | "false"))
        .then_some(value)
}
