//! What was written, kept word for word: its digest, and files tried in the place of others.

use std::path::Path;

use starling_config::{Config, Digest, Over};

const FIRST: &str = "include = [\"nodes.d/*.toml\"]\n[cluster]\nasn = 64512\n[[pool]]\n\
                     cidr = \"10.244.0.0/16\"\n";

fn node(number: u8) -> String {
    format!(
        "[[node]]\nname = \"n{number}\"\naddress = \"10.1.5.{number}\"\n\
         blocks = [\"10.244.{number}.0/26\"]\n"
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("nodes.d")).unwrap();
    std::fs::write(folder.path().join("cluster.toml"), FIRST).unwrap();
    for number in [1, 2] {
        std::fs::write(folder.path().join(format!("nodes.d/{number}.toml")), node(number)).unwrap();
    }
    folder
}

#[test]
fn the_digest_is_what_sha256sum_says_of_the_files() {
    let folder = folder();
    let config = Config::load(folder.path().join("cluster.toml")).unwrap();
    let names: Vec<&Path> = config.texts.iter().map(|(path, _)| path).collect();
    let expected = ["cluster.toml", "nodes.d/1.toml", "nodes.d/2.toml"];
    assert_eq!(names, expected.map(|name| folder.path().join(name)));
    let cat = std::process::Command::new("sh")
        .arg("-c")
        .arg("cat cluster.toml nodes.d/*.toml | sha256sum")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let digest: Digest = config.texts.digest();
    let said = String::from_utf8(cat.stdout).unwrap();
    assert_eq!(said.split_whitespace().next(), Some(digest.to_string().as_str()));
    assert_eq!(format!("{digest:.12}"), said[..12]);
}

#[test]
fn a_file_is_tried_in_the_place_of_another() {
    let folder = folder();
    let path = folder.path().join("cluster.toml");
    let new = FIRST.replace("64512", "64513");
    let config = Config::load_over(&path, Over::First(&new), "new.toml").unwrap();
    assert_eq!((config.asn.0, config.nodes.len()), (64513, 2));
    assert_eq!(config.texts.get(&path), Some(new.as_str()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), FIRST);
    // It is called what the operator calls it; what it includes, by its own name.
    let bad = new.replace("10.244.0.0/16", "10.244.0.0/33");
    let errors = Config::load_over(&path, Over::First(&bad), "new.toml").unwrap_err();
    assert_eq!((errors.errors[0].file.as_str(), errors.errors[0].line), ("new.toml", 5));
    let narrow = new.replace("10.244.0.0/16", "10.244.1.0/24");
    let errors = Config::load_over(&path, Over::First(&narrow), "new.toml").unwrap_err();
    assert!(errors.errors[0].file.ends_with("nodes.d/2.toml"), "{errors}");
}

#[test]
fn a_former_configuration_is_what_it_was_whatever_became_of_its_files() {
    let folder = folder();
    let path = folder.path().join("cluster.toml");
    let former = Config::load(&path).unwrap();
    std::fs::remove_file(folder.path().join("nodes.d/2.toml")).unwrap();
    std::fs::write(folder.path().join("nodes.d/3.toml"), node(3)).unwrap();
    std::fs::write(&path, FIRST.replace("64512", "64513")).unwrap();
    let now = Config::load(&path).unwrap();
    assert_eq!(now.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["n1", "n3"]);
    let again = Config::load_over(&path, Over::All(&former.texts), "cluster.toml").unwrap();
    assert_eq!(again, former);
    assert_ne!(again.texts.digest(), now.texts.digest());
}
