//! The configurations that were in force, in files that outlive the daemon.
//!
//! In: each [`Generation`] as it comes into force, and again when it is confirmed; at the start,
//! what is there. Out: `STATE/generations/12.json`, one each, for the daemon's user alone: what a
//! configuration says is the operator's to show, and this is a copy of it (without keys, which are
//! in files of their own). One is written beside its place, to the disk, and takes it in one step,
//! so what is found is whole or is not there.
//!
//! A node routes without its past: what cannot be read or written is a line for the operator. A file
//! that is no such record is left as it is, and its number is not given again.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Generation, Generations, KEPT};
use crate::api::ConfigFile;

/// The form of a record; one of another form is of another release.
const FORM: u32 = 1;
/// The longest record that is read: many times what a configuration may come to.
const LONGEST: u64 = 256 << 20;

/// The folder of the records.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// What was found there.
#[derive(Debug)]
pub struct Found {
    /// What can be gone back to.
    pub generations: Generations,
    /// What is wrong with the rest, a sentence each.
    pub complaints: Vec<String>,
}

/// A configuration as it is written down.
#[derive(Serialize, Deserialize)]
struct Record {
    form: u32,
    number: u64,
    /// Seconds since 1970.
    since_s: u64,
    source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    changes: Vec<String>,
    confirmed: bool,
    files: Vec<ConfigFile>,
}

impl Shelf {
    /// The one in the folder of the daemon's state, which is made where it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(state: &Path) -> io::Result<Shelf> {
        let folder = state.join("generations");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Shelf { folder })
    }

    /// Reads what is there of the configuration whose first file is `config`.
    pub fn read(&self, config: &Path) -> Found {
        let mut complaints = Vec::new();
        let mut numbers = self.numbers(&mut complaints);
        numbers.sort_unstable();
        let last = numbers.last().copied().unwrap_or_default();
        let mut kept = Vec::new();
        for number in numbers {
            let place = self.place(number);
            match read(&place) {
                Ok(generation) if generation.number != number => complaints.push(format!(
                    "{}: it is configuration {}, by what it says",
                    place.display(),
                    generation.number
                )),
                // Another file's past is no way back for this one.
                Ok(generation)
                    if generation.texts.iter().next().is_some_and(|(path, _)| path == config) =>
                {
                    kept.push(generation);
                }
                Ok(_) => {}
                Err(why) => complaints.push(format!("{}: {why}", place.display())),
            }
        }
        kept.drain(..kept.len().saturating_sub(KEPT));
        Found { generations: Generations::of(kept, last), complaints }
    }

    /// Keeps one, and removes the one that it displaces.
    ///
    /// # Errors
    /// What the system says; then what was there is as it was.
    pub fn keep(&self, generation: &Generation, displaced: Option<u64>) -> io::Result<()> {
        let Generation { number, since, source, reason, changes, confirmed, texts } = generation;
        let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let file = |(path, text): (&Path, &str)| ConfigFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let record = Record {
            form: FORM,
            number: *number,
            since_s: since.as_secs(),
            source: source.clone(),
            reason: reason.clone(),
            changes: changes.clone(),
            confirmed: *confirmed,
            files: texts.iter().map(file).collect(),
        };
        let text = serde_json::to_vec(&record)?;
        let waits = self.folder.join(format!(".{number}.new"));
        // One that was left behind is nobody's.
        let _ = fs::remove_file(&waits);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&waits)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&waits, self.place(*number))?;
        if let Some(displaced) = displaced {
            match fs::remove_file(self.place(displaced)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        File::open(&self.folder)?.sync_all()
    }

    fn place(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    fn numbers(&self, complaints: &mut Vec<String>) -> Vec<u64> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => {
                complaints.push(format!("{}: {error}", self.folder.display()));
                return Vec::new();
            }
        };
        let number = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".json")?.parse().ok()
        };
        entries.filter_map(number).collect()
    }
}

fn read(place: &Path) -> Result<Generation, String> {
    let mut text = Vec::new();
    let file = File::open(place).map_err(|error| error.to_string())?;
    file.take(LONGEST).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let record: Record = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if record.form != FORM {
        return Err(format!("form {} is not known here", record.form));
    }
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(record.since_s));
    Ok(Generation {
        number: record.number,
        since: since.ok_or("there is no such time")?,
        source: record.source,
        reason: record.reason,
        changes: record.changes,
        confirmed: record.confirmed,
        texts: record.files.into_iter().map(|file| (file.path, file.text)).collect(),
    })
}

#[cfg(test)]
mod tests;
