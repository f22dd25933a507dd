//! Every page is known here, is reached from the front page, and its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::page::{PAGES, Page, root};

/// Every `.md` below `dir`, but for what is built or hidden.
fn pages_in(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && name != "target" {
                pages_in(&path, found);
            }
        } else if name.ends_with(".md") {
            found.insert(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
}

#[test]
fn every_page_is_checked() {
    let mut found = BTreeSet::new();
    pages_in(root(), &mut found);
    let known: BTreeSet<PathBuf> = PAGES.iter().map(|(path, _)| PathBuf::from(path)).collect();
    assert_eq!(found, known, "the pages of the project, and those of tests/readme/page.rs");
}

#[test]
fn links_lead_to_what_there_is() {
    let pages: BTreeMap<PathBuf, Page> =
        PAGES.iter().map(|(path, _)| (PathBuf::from(path), Page::read(path))).collect();
    for page in pages.values() {
        for (target, anchor) in page.links() {
            let here = page.path;
            assert!(root().join(&target).exists(), "{here}: {} is not there", target.display());
            let Some(anchor) = anchor else { continue };
            let there = pages.get(&target);
            let there = there.unwrap_or_else(|| panic!("{here}: {} is no page", target.display()));
            assert!(there.has(anchor), "{here}: {} has no heading #{anchor}", target.display());
        }
    }

    // From the front page on, link by link.
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut next: Vec<PathBuf> = reached.iter().cloned().collect();
    while let Some(page) = next.pop().and_then(|path| pages.get(&path)) {
        for (target, _) in page.links() {
            if pages.contains_key(&target) && reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    for page in pages.keys() {
        assert!(reached.contains(page), "no link leads to {}", page.display());
    }
}
