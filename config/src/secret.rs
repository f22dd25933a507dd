//! The keys of sessions, read from files so that the configuration itself can be shown to anybody.
//!
//! A key is compared and handed to the kernel, nothing else: it has no `Display`, no `Serialize`,
//! and its `Debug` says only how long it is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::load::Files;
use crate::raw::Raw;
use crate::source::{At, Problems, Sp, shown};
use crate::value::KeyFile;

/// The longest key that the kernel takes (TCP_MD5SIG_MAXKEYLEN, TCP_AO_MAXKEYLEN).
const LONGEST: usize = 80;

/// The octets of a key: 1 to 80.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// For the kernel, and for nobody else.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// What a key file holds: everything but one newline at its end.
    fn read(bytes: &[u8]) -> Result<Secret, String> {
        let key = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        match key.len() {
            0 => Err("there is no key in it".to_owned()),
            1..=LONGEST => Ok(Secret(key.into())),
            n => Err(format!("its {n} octets are more than the {LONGEST} that a key may have")),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.0.len())
    }
}

/// The keys that were read, by the places that name their files.
pub(crate) type Keys = BTreeMap<At, Secret>;

/// Reads every key file that `raw` names, each relative to the file that names it. Every one of
/// them, readable or not, is added to `read`: a change of it may change the configuration.
pub(crate) fn keys(
    raw: &Raw,
    files: &dyn Files,
    read: &mut Vec<PathBuf>,
    problems: &mut Problems,
) -> Keys {
    let mut keys = Keys::new();
    for Sp { value: KeyFile(named), at } in raw.key_files() {
        let folder = Path::new(problems.source(at.file)).parent().unwrap_or(Path::new(""));
        let path = folder.join(named);
        match files.read(&path).and_then(|bytes| Secret::read(&bytes)) {
            Ok(secret) => {
                keys.insert(*at, secret);
            }
            Err(reason) => {
                let name = path.display().to_string();
                problems
                    .error(*at, format!("no key in {}: {reason}", shown(&name)))
                    .expected("a file with the key, 1 to 80 octets, and nothing else");
            }
        }
        if !read.contains(&path) {
            read.push(path);
        }
    }
    keys
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
