//! bgpbench: measures BGP daemons from outside. See README.md.
mod bgp;
mod churn;
mod engine;
mod gen;
mod limits;
mod mesh;
mod nl;
mod probe;
mod reader;
mod run;
mod sample;

use std::collections::HashMap;

pub fn die(m: &str) -> ! {
    eprintln!("bgpbench: {m}");
    std::process::exit(2)
}

/// `--key value` and `--flag`.
pub struct Args(HashMap<String, String>);
impl Args {
    fn parse(it: impl Iterator<Item = String>) -> Args {
        let mut m = HashMap::new();
        let mut it = it.peekable();
        while let Some(a) = it.next() {
            let Some(k) = a.strip_prefix("--") else { die(&format!("unexpected argument {a}")) };
            let v = it.next_if(|n| !n.starts_with("--")).unwrap_or_default();
            m.insert(k.to_string(), v);
        }
        Args(m)
    }
    pub fn get(&self, k: &str) -> Option<&str> {
        self.0.get(k).map(|s| s.as_str())
    }
    pub fn has(&self, k: &str) -> bool {
        self.0.contains_key(k)
    }
    pub fn num(&self, k: &str, d: usize) -> usize {
        match self.get(k) {
            None => d,
            Some(v) => v
                .replace('_', "")
                .parse()
                .unwrap_or_else(|_| die(&format!("--{k} {v}: not a number"))),
        }
    }
    pub fn pids(&self) -> Vec<i32> {
        self.get("pids").unwrap_or("").split([',', ' ']).filter_map(|s| s.parse().ok()).collect()
    }
}

/// A JSON object, written in order.
pub struct Json(String);
impl Json {
    pub fn new() -> Json {
        Json(String::new())
    }
    fn put(&mut self, k: &str, v: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0 += &format!("\"{k}\":{v}");
    }
    pub fn n(&mut self, k: &str, v: u64) {
        self.put(k, &v.to_string())
    }
    pub fn f(&mut self, k: &str, v: f64) {
        self.put(k, &format!("{v:.4}"))
    }
    pub fn bool(&mut self, k: &str, v: bool) {
        self.put(k, if v { "true" } else { "false" })
    }
    pub fn str(&mut self, k: &str, v: &str) {
        let e: String = v
            .chars()
            .flat_map(|c| match c {
                '"' | '\\' => vec!['\\', c],
                c if c < ' ' => vec![' '],
                c => vec![c],
            })
            .collect();
        self.put(k, &format!("\"{e}\""))
    }
    pub fn obj(&mut self, k: &str, v: Json) {
        self.put(k, &v.done())
    }
    pub fn done(&self) -> String {
        format!("{{{}}}", self.0)
    }
}

fn main() {
    let mut it = std::env::args().skip(1);
    let sub = it.next().unwrap_or_default();
    let a = Args::parse(it);
    let rc = match sub.as_str() {
        "run" => run::run(&a),
        "inject" => run::inject(&a),
        "sink" => run::sink(&a),
        "relay" => limits::relay(&a),
        "mesh" => mesh::mesh(&a),
        "limits" => limits::limits(&a),
        "netlink" => limits::netlink(&a),
        "ip-batch" => limits::batchfile(&a),
        _ => die("usage: bgpbench run|inject|sink|relay|mesh|limits|netlink|ip-batch [--option value]... (README.md)"),
    };
    std::process::exit(rc)
}
