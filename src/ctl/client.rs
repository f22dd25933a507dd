//! HTTP over the daemon's Unix socket: one request a connection, whole documents or rows as they
//! come, and a patience that ends.
//!
//! Where no daemon answers, this file finds out why (no file, no permission, nobody behind it)
//! and says what to do: that is the first thing somebody in trouble reads.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use starling_config::readers_socket;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::api::ApiError;

/// To connect: the socket is on this machine.
const CONNECT: Duration = Duration::from_secs(3);
/// For the answer to begin, and between two pieces of it. More than the daemon's own limit for a
/// question, so that its explanation arrives.
const ANSWER: Duration = Duration::from_secs(15);
/// For a reload, likewise.
const RELOAD: Duration = Duration::from_secs(40);
/// The longest document or row that is believed to be one.
const LONGEST: usize = 64 << 20;

/// Why a command could not be carried out.
#[derive(Debug)]
pub enum Failure {
    /// No daemon answers (exit code 3).
    Absent(ApiError),
    /// It answers with an error (exit code 1).
    Refused(ApiError),
    /// The output could not be written.
    Output(io::Error),
}

/// The daemon behind a socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The daemon that listens on `socket`. Nothing is opened yet.
    pub fn new(socket: &Path) -> Client {
        Client { socket: socket.to_owned() }
    }

    /// The answer to `GET path`, whole.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn document(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let answer = self.request(Method::GET, path, Bytes::new(), ANSWER).await?;
        let succeeded = answer.status().is_success();
        let body = self.whole(answer).await?;
        if succeeded { Ok(body) } else { Err(refusal(&body)) }
    }

    /// The answer to `POST path`, whole.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn post(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.post_within(path, ANSWER).await
    }

    /// The same, for what may take longer to begin its answer.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn post_within(&self, path: &str, patience: Duration) -> Result<Vec<u8>, Failure> {
        let answer = self.request(Method::POST, path, Bytes::new(), patience).await?;
        let succeeded = answer.status().is_success();
        let body = self.whole(answer).await?;
        if succeeded { Ok(body) } else { Err(refusal(&body)) }
    }

    /// The answer to `POST path` with lines of text, whole.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn post_text(&self, path: &str, text: String) -> Result<Vec<u8>, Failure> {
        let answer = self.request(Method::POST, path, text.into(), ANSWER).await?;
        let succeeded = answer.status().is_success();
        let body = self.whole(answer).await?;
        if succeeded { Ok(body) } else { Err(refusal(&body)) }
    }

    /// The answer to `POST path` that is a reload: a `ReloadResult`, also where the file had errors.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn reload(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.change(path, String::new(), RELOAD).await
    }

    /// The answer to `POST path` with a file: also where that had errors, which it says.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn change(
        &self,
        path: &str,
        file: String,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let answer = self.request(Method::POST, path, file.into(), patience).await?;
        let status = answer.status();
        let body = self.whole(answer).await?;
        if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
            return Ok(body);
        }
        Err(refusal(&body))
    }

    /// The answer to `GET path`, as rows that come.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn rows(&self, path: &str) -> Result<Rows, Failure> {
        let answer = self.request(Method::GET, path, Bytes::new(), ANSWER).await?;
        if !answer.status().is_success() {
            return Err(refusal(&self.whole(answer).await?));
        }
        let (client, body) = (self.clone(), answer.into_body());
        Ok(Rows { client, body, patience: ANSWER, partial: Vec::new() })
    }

    /// The answer to `GET path`, as octets that come.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn pieces(&self, path: &str) -> Result<Pieces, Failure> {
        let answer = self.request(Method::GET, path, Bytes::new(), ANSWER).await?;
        if !answer.status().is_success() {
            return Err(refusal(&self.whole(answer).await?));
        }
        Ok(Pieces { client: self.clone(), body: answer.into_body() })
    }

    /// The answer to `GET path`, as rows that come when there is something to say, however long
    /// that takes.
    ///
    /// # Errors
    /// [`Failure::Absent`], [`Failure::Refused`].
    pub async fn events(&self, path: &str) -> Result<Rows, Failure> {
        self.rows(path).await.map(|rows| Rows { patience: Duration::MAX, ..rows })
    }

    /// Who may not steer the daemon may perhaps look at it: over the socket beside.
    async fn connect(&self) -> io::Result<UnixStream> {
        match UnixStream::connect(&self.socket).await {
            Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => {
                UnixStream::connect(readers_socket(&self.socket)).await.map_err(|_| refused)
            }
            other => other,
        }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = match timeout(CONNECT, self.connect()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return Err(Failure::Absent(absent(&self.socket, &e))),
            Err(_elapsed) => return Err(self.silent("does not accept the connection")),
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
                .await
                .map_err(|e| self.broken(&e))?;
        // Its errors reach us through the answer or its body.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "starlingd")
            .body(Full::new(body))
            .map_err(|e| Failure::Refused(ApiError::new(format!("cannot ask `{path}`: {e}"))))?;
        match timeout(patience, sender.send_request(request)).await {
            Ok(answer) => answer.map_err(|e| self.broken(&e)),
            Err(_elapsed) => Err(self.silent("took the question and does not answer")),
        }
    }

    async fn whole(&self, answer: Response<Incoming>) -> Result<Vec<u8>, Failure> {
        let mut body = answer.into_body();
        let mut whole = Vec::new();
        while let Some(data) = self.next_data(&mut body, ANSWER).await? {
            whole.extend_from_slice(&data);
            if whole.len() > LONGEST {
                return Err(Failure::Refused(ApiError::new("the answer does not end")));
            }
        }
        Ok(whole)
    }

    async fn next_data(
        &self,
        body: &mut Incoming,
        patience: Duration,
    ) -> Result<Option<Bytes>, Failure> {
        loop {
            match timeout(patience, body.frame()).await {
                Err(_elapsed) => return Err(self.silent("stopped in the middle of its answer")),
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => return Err(self.broken(&e)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn silent(&self, what: &str) -> Failure {
        Failure::Absent(
            ApiError::new(format!("the daemon behind {} {what}", self.socket.display())).hint(
                "is it stuck or starved? `journalctl -u starlingd`, `systemctl status starlingd`",
            ),
        )
    }

    fn broken(&self, e: &hyper::Error) -> Failure {
        Failure::Absent(
            ApiError::new(format!(
                "the connection to {} broke before the answer was complete: {e}",
                self.socket.display()
            ))
            .hint("did the daemon stop or restart just now? `journalctl -u starlingd`"),
        )
    }
}

/// Octets as they come.
#[derive(Debug)]
pub struct Pieces {
    client: Client,
    body: Incoming,
}

impl Pieces {
    /// Some that have come since the last call; `None` at the end.
    ///
    /// # Errors
    /// [`Failure::Absent`] where the daemon falls silent, goes away or breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.client.next_data(&mut self.body, ANSWER).await
    }
}

/// The rows of a table, each the bytes of one JSON object.
#[derive(Debug)]
pub struct Rows {
    client: Client,
    body: Incoming,
    /// With which the next rows are waited for.
    patience: Duration,
    /// The beginning of a row whose rest has not come yet.
    partial: Vec<u8>,
}

impl Rows {
    /// The rows that have come since the last call, at least one; `None` at the end. Giving up a
    /// call half-way loses nothing.
    ///
    /// # Errors
    /// [`Failure::Absent`] where the daemon falls silent or goes away, [`Failure::Refused`] where
    /// it says that the table ends unfinished.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        loop {
            let data = self.client.next_data(&mut self.body, self.patience).await?;
            let Some(data) = data else {
                if self.partial.is_empty() {
                    return Ok(None);
                }
                return Err(Failure::Refused(ApiError::new("the last row is cut off")));
            };
            let mut lines = Vec::new();
            for piece in data.split_inclusive(|byte| *byte == b'\n') {
                self.partial.extend_from_slice(piece);
                if self.partial.last() == Some(&b'\n') {
                    self.partial.pop();
                    lines.push(std::mem::take(&mut self.partial));
                }
            }
            if self.partial.len() > LONGEST {
                return Err(Failure::Refused(ApiError::new("a row does not end")));
            }
            // Only a last line can be one, and no row begins like it.
            if let Some(last) = lines.last()
                && last.starts_with(b"{\"error\":")
            {
                return Err(refusal(last));
            }
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }
}

/// Reads what the daemon said.
///
/// # Errors
/// Where it is not what this bgpctl understands.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|e| {
        Failure::Refused(
            ApiError::new(format!("the daemon's answer cannot be read: {e}")).hint(
                "is it of another release? compare with `bgpctl version`; --json still works",
            ),
        )
    })
}

/// `text` for use as one segment or value of a URL.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `path` with a query.
pub fn with_query(path: &str, pairs: &[(&'static str, String)]) -> String {
    let mut url = path.to_owned();
    for (i, (key, value)) in pairs.iter().enumerate() {
        url.push(if i == 0 { '?' } else { '&' });
        url.push_str(key);
        url.push('=');
        url.push_str(&escaped(value));
    }
    url
}

fn refusal(body: &[u8]) -> Failure {
    Failure::Refused(serde_json::from_slice(body).unwrap_or_else(|_| {
        ApiError::new(format!("the daemon refuses: {}", String::from_utf8_lossy(body).trim()))
    }))
}

/// Why nobody could be reached on `socket`.
fn absent(socket: &Path, e: &io::Error) -> ApiError {
    const RUNNING: &str = "is the daemon running? `systemctl status starlingd`";
    const OTHER: &str = "another socket: --socket PATH or $STARLING_SOCKET";
    let path = socket.display();
    let file = std::fs::metadata(socket);
    match (e.kind(), file) {
        (io::ErrorKind::NotFound, _) => {
            ApiError::new(format!("no daemon on {path}: there is no such file"))
                .hint(format!("{RUNNING}; {OTHER}"))
        }
        (io::ErrorKind::PermissionDenied, Ok(file)) => ApiError::new(format!(
            "{path} exists, but you may not open it: its mode is {:o}, its owner uid {} and gid {}",
            file.mode() & 0o7777,
            file.uid(),
            file.gid()
        ))
        .hint(format!("run bgpctl as root (sudo) or as a member of that group; {OTHER}")),
        (io::ErrorKind::PermissionDenied, Err(_)) => {
            ApiError::new(format!("{path} is in a directory that you may not enter"))
                .hint(format!("run bgpctl as root (sudo); {OTHER}"))
        }
        (_, Ok(file)) if !file.file_type().is_socket() => {
            ApiError::new(format!("{path} exists, but is not a socket")).hint(OTHER)
        }
        (io::ErrorKind::ConnectionRefused, Ok(_)) => {
            ApiError::new(format!("{path} exists, but no daemon listens behind it any more"))
                .hint(format!("{RUNNING}, `journalctl -u starlingd`; {OTHER}"))
        }
        _ => ApiError::new(format!("cannot connect to {path}: {e}"))
            .hint(format!("{RUNNING}; {OTHER}")),
    }
}
