//! A configuration as it was written: the first file and what it includes, word for word.
//!
//! In: files as they are read. Out: [`Texts`], by which two nodes can be told to run the same
//! ([`Texts::digest`]), a former configuration can be had again, and a file can be tried in the
//! place of another before it is there ([`Config::load_over`]). Keys of sessions are in files of
//! their own, and not in here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::error::{Errors, Problem};
use crate::load::{self, Disk, Files};
use crate::{Config, finish};

/// The files of a configuration in the order in which they are read, the first one first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Texts(Arc<[(PathBuf, Arc<str>)]>);

/// SHA-256 of a configuration's texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Digest([u8; 32]);

/// Files in the order in which they are read: of a configuration that was kept elsewhere.
impl FromIterator<(PathBuf, String)> for Texts {
    fn from_iter<I: IntoIterator<Item = (PathBuf, String)>>(read: I) -> Texts {
        Texts(read.into_iter().map(|(path, text)| (path, text.into())).collect())
    }
}

impl Texts {
    /// Each file's path and what it says.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().map(|(path, text)| (path.as_path(), &**text))
    }

    /// What a file says.
    pub fn get(&self, path: &Path) -> Option<&str> {
        self.iter().find(|(there, _)| *there == path).map(|(_, text)| text)
    }

    /// Of all files, one after the other: what `cat` of them and `sha256sum` say.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        self.iter().for_each(|(_, text)| hash.update(text.as_bytes()));
        Digest(hash.finalize().into())
    }
}

/// In hexadecimal digits; with a precision so many of them.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
        f.pad(&digits)
    }
}

/// What is read instead of what the files say.
#[derive(Clone, Copy, Debug)]
pub enum Over<'a> {
    /// The first file says this; what it includes is as it is.
    First(&'a str),
    /// All files are as they were, and no others.
    All(&'a Texts),
}

impl Config {
    /// Reads the configuration at `path` as if its files said something else. Keys are read as ever.
    /// In what is wrong with the first file, that is called `shown`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load_over(path: &Path, over: Over<'_>, shown: &str) -> Result<Config, Errors> {
        let texts = match over {
            Over::First(text) => [(path, text)].into(),
            Over::All(texts) => texts.iter().collect(),
        };
        let files = Layer { texts, is_all: matches!(over, Over::All(_)) };
        let called = |mut problem: Problem| {
            let name = path.display().to_string();
            let places = problem.related.iter_mut().map(|other| &mut other.file);
            for file in places.chain([&mut problem.file]).filter(|file| **file == name) {
                shown.clone_into(file);
            }
            problem
        };
        let all = |problems: Vec<Problem>| problems.into_iter().map(called).collect();
        match finish(load::load(path, &files)) {
            Ok(config) => Ok(Config { warnings: all(config.warnings), ..config }),
            Err(Errors { errors, warnings, files }) => {
                Err(Errors { errors: all(errors), warnings: all(warnings), files })
            }
        }
    }
}

/// Texts that lie over files of the same paths.
struct Layer<'a> {
    texts: BTreeMap<&'a Path, &'a str>,
    /// There are no other files than these, but for keys.
    is_all: bool,
}

impl Files for Layer<'_> {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        match self.texts.get(path) {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Disk.read(path),
        }
    }

    fn matching(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        if !self.is_all {
            return Disk.matching(folder, pattern);
        }
        let folder = folder.to_str().ok_or("the folder's name is not UTF-8")?;
        let full = Path::new(&glob::Pattern::escape(folder)).join(pattern);
        load::matching(self.texts.keys().copied(), &full)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        Disk.identity(path)
    }
}
