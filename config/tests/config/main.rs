//! What the crate promises, asked through its public face: files in `tests/good` and
//! `tests/bad`, and what it makes of them in `snapshots`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this crate is nothing but tests")]

mod bad;
mod good;
mod identity;
mod include;
mod outward;
mod plan;
mod policy;
mod property;
mod reference;
mod reload;
mod routing;
mod session;
mod texts;
mod transport;

use starling_config::{Config, Errors};

/// The files of `tests/<folder>` with their names (without `.toml`), in order.
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn parse(name: &str, text: &str) -> Result<Config, Errors> {
    let keys = ["mesh.key", "keys/tor0", "/etc/starling/leaf.key"].map(|name| (name, "secret\n"));
    let name = format!("{name}.toml");
    let mut files = vec![(name.as_str(), text)];
    files.extend(keys);
    Config::parse(&files)
}

/// The file `tests/good/<name>.toml`.
fn good(name: &str) -> Config {
    let (_, text) = files("good").into_iter().find(|(n, _)| n == name).unwrap();
    parse(name, &text).unwrap_or_else(|errors| panic!("{errors}"))
}
