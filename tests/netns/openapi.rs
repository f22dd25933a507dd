//! A daemon answers as `src/api/openapi.json` says.

#[path = "../openapi/mod.rs"]
mod document;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, ensure};
use document::{Document, encoded};
use starling_lab::Result;

use crate::support::SOON;

/// Asks the daemon behind `socket`, which has a neighbour of that name, everything that changes
/// nothing.
pub fn answers_as_described(socket: &Path, neighbor: &str) -> Result {
    let document = Document::read();
    let mut asked = 0;
    for operation in document.operations() {
        if operation.method != "get" || !operation.places().0 {
            continue;
        }
        let mut path = operation.path_for(neighbor);
        let needed: Vec<String> =
            operation.query().iter().filter(|p| p.needed).map(encoded).collect();
        match operation.path {
            "/v1/policy/test" => path += "?prefix=10.244.2.0/26",
            "/v1/routes" => path += "?detail=true",
            _ if !needed.is_empty() => path += &format!("?{}", needed.join("&")),
            _ => {}
        }
        let (status, kind, body) = get(socket, &path, operation.is_endless())?;
        ensure!(status == 200 || operation.path == "/readyz", "{path}: {status}: {body}");
        document.check(&operation, status, &kind, &body);
        asked += 1;
    }
    ensure!(asked > 20, "{asked} questions");
    Ok(())
}

/// Status, media type and body of an answer; of one without an end its first line.
fn get(socket: &Path, path: &str, endless: bool) -> Result<(u16, String, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: test\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let (mut head, mut body) = (Vec::new(), String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    match endless {
        true => drop(reader.read_line(&mut body)?),
        false => {
            // Octets that are no text are looked at by others.
            let mut octets = Vec::new();
            reader.read_to_end(&mut octets)?;
            body.push_str(&String::from_utf8_lossy(&octets));
        }
    }
    let status = head.first().and_then(|line| line.split(' ').nth(1)).context("a status")?;
    let kind = head.iter().find_map(|line| line.strip_prefix("content-type: "));
    Ok((status.parse()?, kind.unwrap_or_default().to_owned(), body.trim_end().to_owned()))
}
