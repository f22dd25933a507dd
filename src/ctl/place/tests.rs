//! Files that are replaced, and those that cannot be.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_what_it_was_until_the_other_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.toml");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let staged = stage(&path, "new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    drop(staged);
    assert_eq!(names(folder.path()), ["cluster.toml"]);

    // A link stays one, and leads to the new text; what was left behind is in nobody's way.
    let link = folder.path().join("link.toml");
    symlink("cluster.toml", &link).unwrap();
    std::mem::forget(stage(&link, "left behind").unwrap());
    assert_eq!(names(folder.path()), [".cluster.toml.starling", "cluster.toml", "link.toml"]);
    stage(&link, "new").unwrap().put().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(folder.path()), ["cluster.toml", "link.toml"]);
}

#[test]
fn a_config_map_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("..2026_11_22");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("cluster.toml"), "old").unwrap();
    symlink("..2026_11_22", folder.path().join("..data")).unwrap();
    let path = folder.path().join("cluster.toml");
    symlink("..data/cluster.toml", &path).unwrap();
    let refused = stage(&path, "new").unwrap_err();
    assert!(refused.contains("kubectl"), "{refused}");
    assert_eq!(names(&data), ["cluster.toml"]);
    let gone = stage(&folder.path().join("nothing.toml"), "new").unwrap_err();
    assert!(gone.contains("nothing.toml"), "{gone}");
}

#[test]
fn what_is_mounted_is_known() {
    assert!(is_mounted(Path::new("/proc")));
    assert!(!is_mounted(Path::new("/proc/self")));
}
