//! Noticing that the configuration changed: a reload is asked for once the files are quiet.
//!
//! The *folders* are watched, not the files: editors replace a file, and Kubernetes swaps a
//! symlink (`..data`) beside it. What counts is whether the contents differ, which the reload
//! itself finds out, so a change too many costs nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// No change for this long: the writer is done.
const QUIET: Duration = Duration::from_millis(200);

/// A watch on the folders of the configuration's files.
#[derive(Debug)]
pub struct ConfigWatch {
    watcher: notify::RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl ConfigWatch {
    /// Starts; `changed` gets a message after each burst of changes.
    ///
    /// # Errors
    /// The operating system's (out of inotify instances, mostly).
    pub fn start(changed: mpsc::Sender<()>) -> notify::Result<ConfigWatch> {
        let (raw, mut bursts) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let relevant = event.as_ref().map_or(true, |event| !event.kind.is_access());
            if relevant {
                // A full channel already says "something changed".
                let _ = raw.try_send(());
            }
        })?;
        tokio::spawn(async move {
            while bursts.recv().await.is_some() {
                while tokio::time::timeout(QUIET, bursts.recv()).await.is_ok_and(|m| m.is_some()) {}
                if changed.send(()).await.is_err() {
                    return;
                }
            }
        });
        Ok(ConfigWatch { watcher, folders: BTreeSet::new() })
    }

    /// Watches exactly these folders, and those of these files and of what they link to.
    pub fn watch<'a>(&mut self, places: impl IntoIterator<Item = &'a Path>) {
        let mut wanted = BTreeSet::new();
        for place in places {
            if place.is_dir() {
                wanted.insert(folder(place));
                continue;
            }
            wanted.extend(place.parent().map(folder));
            wanted.extend(place.canonicalize().ok().as_deref().and_then(Path::parent).map(folder));
        }
        for gone in self.folders.difference(&wanted) {
            // It may not exist any more, which is as good.
            let _ = self.watcher.unwatch(gone);
        }
        for new in wanted.difference(&self.folders) {
            if let Err(error) = self.watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(
                    folder = %new.display(), %error,
                    "cannot watch the configuration's folder: changes need SIGHUP or `bgpctl reload`"
                );
            }
        }
        self.folders = wanted;
    }
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}
