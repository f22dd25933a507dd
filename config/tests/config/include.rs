//! Several files: what is found, in which order, and what goes wrong.

use std::fs;
use std::path::{Path, PathBuf};

use starling_config::Config;

const CLUSTER: &str =
    "include = [\"nodes.d/*.toml\"]\n[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\n";

fn node(name: &str, last: u8) -> String {
    format!(
        "[[node]]\nname = \"{name}\"\naddress = \"10.1.5.{last}\"\nblocks = [\"10.244.{last}.0/26\"]\n"
    )
}

#[test]
fn a_folder_of_nodes_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cluster.toml");
    fs::write(&root, CLUSTER).unwrap();
    fs::create_dir(dir.path().join("nodes.d")).unwrap();
    for (name, last) in [("b", 11), ("a", 10)] {
        fs::write(dir.path().join(format!("nodes.d/{name}.toml")), node(name, last)).unwrap();
    }
    // What an editor leaves behind is no part of it.
    fs::write(dir.path().join("nodes.d/.a.toml"), "rubbish").unwrap();
    fs::write(dir.path().join("nodes.d/a.toml~"), "rubbish").unwrap();
    let config = Config::load(&root).unwrap();
    let names: Vec<&str> = config.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let expected: Vec<PathBuf> =
        ["cluster.toml", "nodes.d/a.toml", "nodes.d/b.toml"].map(|f| dir.path().join(f)).into();
    assert_eq!(config.files, expected);
    assert_eq!(config.folders, [dir.path().to_path_buf(), dir.path().join("nodes.d")]);
}

/// A ConfigMap: the file is a symlink into a folder that is swapped as a whole.
#[test]
fn a_swapped_symlink_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (folder, name) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(at(folder)).unwrap();
        fs::write(at(folder).join("cluster.toml"), CLUSTER.to_owned() + &node(name, 10)).unwrap();
    }
    std::os::unix::fs::symlink("..1", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/cluster.toml", at("cluster.toml")).unwrap();
    assert_eq!(Config::load(at("cluster.toml")).unwrap().nodes[0].name, "old");
    std::os::unix::fs::symlink("..2", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    assert_eq!(Config::load(at("cluster.toml")).unwrap().nodes[0].name, "new");
}

#[test]
fn a_folder_whose_name_looks_like_a_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a[b]*");
    fs::create_dir_all(odd.join("nodes.d")).unwrap();
    fs::write(odd.join("cluster.toml"), CLUSTER).unwrap();
    fs::write(odd.join("nodes.d/a.toml"), node("a", 10)).unwrap();
    assert_eq!(Config::load(odd.join("cluster.toml")).unwrap().nodes.len(), 1);
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("cluster.toml");
    let said = |path: &Path| {
        let folder = dir.path().to_str().unwrap();
        Config::load(path).unwrap_err().to_string().replace(folder, "/etc/starling")
    };
    let missing = said(&root);
    fs::write(&root, b"[cluster]\nasn = 64512 # caf\xe9\n").unwrap();
    let latin1 = said(&root);
    fs::write(&root, "include = [\"gone.toml\", \"..\"]\n[cluster]\nasn = 64512\n").unwrap();
    let include = said(&root);
    insta::assert_snapshot!("unreadable", [missing, latin1, include].join("\n----\n"));
}

#[test]
fn what_is_said_about_several_files() {
    let a = node("server1", 10);
    let cases: [(&str, Vec<(&str, String)>); 5] = [
        (
            "a cycle over two steps",
            vec![
                ("etc/a.toml", "include = [\"b.toml\"]".into()),
                ("etc/b.toml", "include = [\"./a.toml\"]".into()),
            ],
        ),
        (
            "a pattern that matches its own file",
            vec![("etc/a.toml", "include = [\"*.toml\"]".into())],
        ),
        (
            "the same twice in two files",
            vec![
                ("etc/a.toml", CLUSTER.to_owned() + &a),
                ("etc/nodes.d/1.toml", "[cluster]\nasn = 64513\n".to_owned() + &a),
            ],
        ),
        (
            "errors in every file",
            vec![
                ("etc/a.toml", CLUSTER.replace("64512", "0")),
                ("etc/nodes.d/1.toml", "[[node]]\nname = server1\n".into()),
                ("etc/nodes.d/2.toml", "[[node]]\nname = \"a\"\nadress = \"10.1.5.10\"\n".into()),
            ],
        ),
        ("a pattern that matches nothing", vec![("etc/a.toml", CLUSTER.into())]),
    ];
    let mut all = String::new();
    for (what, files) in &cases {
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
        let errors = Config::parse(&files).unwrap_err();
        all.push_str(&format!("---- {what}\n{errors}\n\n"));
    }
    insta::assert_snapshot!("include", all);
}

#[test]
fn a_file_reached_twice_is_read_once() {
    let include = "include = [\"nodes.d/*.toml\", \"nodes.d/../nodes.d/1.toml\"]";
    let root = CLUSTER.replacen("include = [\"nodes.d/*.toml\"]", include, 1);
    let one = node("server1", 10);
    let config = Config::parse(&[("etc/a.toml", &root), ("etc/nodes.d/1.toml", &one)]).unwrap();
    assert_eq!(config.nodes.len(), 1);
    assert_eq!(config.files.len(), 2);
}

#[test]
fn includes_do_not_nest_for_ever() {
    let names: Vec<String> = (0..40).map(|i| format!("{i}.toml")).collect();
    let texts: Vec<String> = (1..=40).map(|i| format!("include = [\"{i}.toml\"]")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().zip(&texts).map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let errors = Config::parse(&files).unwrap_err();
    assert!(errors.errors.iter().any(|e| e.message == "includes nest more than 16 deep"));
    assert!(errors.files.len() <= 16);
}
