//! The place of the configuration's files: whether they can be written, and writing them.
//!
//! A file is written beside its place first ([`stage`]), to the disk, and takes it in one step
//! ([`Staged::put`]): who reads it reads the one or the other, whatever fails in between. Where
//! that cannot be done it is said before anything is changed: in a ConfigMap, which changes by
//! `kubectl`, behind a mount, on a file system that is not to be written, without the rights.
//!
//! It is `bgpctl` that writes them, by the rights of the operator: the daemon needs none to its own
//! configuration.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Component, Path, PathBuf};

/// A text that waits beside its place; dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    /// Where it waits; `None`: it is in its place.
    waits: Option<PathBuf>,
    place: PathBuf,
}

/// Writes `text` beside the file at `path`, or at what that links to.
///
/// # Errors
/// Why the file cannot be replaced, for people.
pub fn stage(path: &Path, text: &str) -> Result<Staged, String> {
    let shown = path.display();
    let place = fs::canonicalize(path).map_err(|error| format!("{shown}: {error}"))?;
    let hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b"..");
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_));
    if place.components().filter(named).any(hidden) {
        return Err(format!(
            "{shown} is in a ConfigMap: its contents are changed with kubectl, and every node follows"
        ));
    }
    if is_mounted(&place) {
        return Err(format!("{shown} is a mount of its own, which cannot be replaced from here"));
    }
    let waits = beside(&place);
    let staged = Staged { waits: Some(waits.clone()), place };
    write(&waits, &staged.place, text)
        .map_err(|error| format!("{shown} cannot be replaced: {}: {error}", waits.display()))?;
    Ok(staged)
}

impl Staged {
    /// The file that it will be.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Takes its place.
    ///
    /// # Errors
    /// What the system says; then the file is what it was, and this may be tried again.
    pub fn put(&mut self) -> io::Result<()> {
        let Some(waits) = &self.waits else { return Ok(()) };
        fs::rename(waits, &self.place)?;
        self.waits = None;
        match self.place.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(waits) = &self.waits {
            // Hidden as it is, nobody takes it for anything.
            let _ = fs::remove_file(waits);
        }
    }
}

/// A hidden name, which no `include` takes for a part of the configuration.
fn beside(place: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".starling");
    place.with_file_name(name)
}

fn write(waits: &Path, place: &Path, text: &str) -> io::Result<()> {
    let like = fs::metadata(place)?;
    // One that was left behind may be of other rights.
    let _ = fs::remove_file(waits);
    let mut file = File::options().write(true).create_new(true).open(waits)?;
    // An owner that we may not give it is no reason to refuse.
    let _ = fchown(&file, Some(like.uid()), Some(like.gid()));
    file.set_permissions(like.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether something is mounted on exactly this file (a ConfigMap's `subPath`, a bind mount).
fn is_mounted(place: &Path) -> bool {
    // The fifth field; the kernel writes blanks and their like as octal numbers.
    let escape = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    };
    let place: String = place.to_string_lossy().chars().map(escape).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(&place))
}

#[cfg(test)]
mod tests;
