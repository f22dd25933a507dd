//! Headless Chromium by its DevTools protocol, over a pair of pipes: messages of JSON, each ended by a
//! zero byte (`--remote-debugging-pipe`). Only what the tests ask of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use starling_lab::{Netns, Proc, Result};

/// It ends by itself after so many seconds, and so does a test that it hangs.
const LIFE: &str = "400";

pub struct Browser {
    // Ended before the pipes are closed.
    proc: Proc,
    to: File,
    from: File,
    read: Vec<u8>,
    messages: VecDeque<Value>,
    number: u64,
    /// Answers in the daemon's place, by the end of the URL.
    pretended: Vec<(String, Value)>,
    complaints: Vec<String>,
}

/// An open page.
pub struct Page<'b> {
    browser: &'b mut Browser,
    session: String,
}

impl Browser {
    /// One inside a namespace, with its files in `dir`.
    pub fn start(netns: &Netns, dir: &Path) -> Result<Browser> {
        let (commands, answers) = (dir.join("commands"), dir.join("answers"));
        let made =
            Command::new("mkfifo").args([&commands, &answers]).stdin(Stdio::null()).status()?;
        ensure!(made.success(), "mkfifo: {made}");
        let mut shell = netns.command("sh");
        // The shell opens the pipes in this order, and so do we.
        shell.args(["-c", "exec 3<\"$1\" 4>\"$2\"; shift 2; exec \"$@\"", "sh"]);
        shell.args([&commands, &answers]);
        shell.args([
            "timeout",
            LIFE,
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ]);
        shell.args(["--disable-dev-shm-usage", "--disable-extensions", "--remote-debugging-pipe"]);
        shell.args(["--disable-background-networking", "--disable-component-update"]);
        shell.arg(format!("--user-data-dir={}", dir.join("profile").display()));
        let proc = Proc::spawn("chromium", &mut shell, &dir.join("chromium.log"))?;
        let to = File::options().write(true).open(&commands)?;
        let from = File::open(&answers)?;
        let (read, messages) = (Vec::new(), VecDeque::new());
        let (pretended, complaints) = (Vec::new(), Vec::new());
        Ok(Browser { proc, to, from, read, messages, number: 0, pretended, complaints })
    }

    /// Whatever asks for a URL that ends so gets this answer.
    pub fn pretend(&mut self, path: &str, answer: Value) {
        self.pretended.push((path.to_owned(), answer));
    }

    /// A page in a window of this size, loading.
    pub fn open(&mut self, url: &str, (width, height): (u32, u32)) -> Result<Page<'_>> {
        self.complaints.clear();
        let target = self.call(None, "Target.createTarget", &json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call(None, "Target.attachToTarget", &attach)?;
        let session = session["sessionId"].as_str().context("a session")?.to_owned();
        let mut page = Page { browser: self, session };
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            page.call(domain, &json!({}))?;
        }
        if !page.browser.pretended.is_empty() {
            page.call("Fetch.enable", &json!({"patterns": [{"urlPattern": "*/v1/*"}]}))?;
        }
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        page.call("Emulation.setDeviceMetricsOverride", &size)?;
        page.dark(false)?;
        page.call("Page.navigate", &json!({"url": url}))?;
        Ok(page)
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: &Value) -> Result<Value> {
        let number = self.send(session, method, params)?;
        loop {
            let message = match self.messages.iter().position(|m| m["id"] == json!(number)) {
                Some(at) => self.messages.remove(at).context("just found")?,
                None => {
                    self.hear()?;
                    continue;
                }
            };
            if let Some(error) = message.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(message["result"].clone());
        }
    }

    fn send(&mut self, session: Option<&str>, method: &str, params: &Value) -> Result<u64> {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes())?;
        Ok(self.number)
    }

    /// Takes in what comes next.
    fn hear(&mut self) -> Result {
        let mut piece = [0; 65536];
        let n = self.from.read(&mut piece)?;
        ensure!(n > 0, "the browser is gone: {}", self.proc.log());
        self.read.extend_from_slice(&piece[..n]);
        while let Some(end) = self.read.iter().position(|byte| *byte == 0) {
            let message: Value = serde_json::from_slice(&self.read[..end])?;
            self.read.drain(..=end);
            self.take(message)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Value) -> Result {
        let params = &message["params"];
        match message["method"].as_str() {
            None => self.messages.push_back(message),
            Some("Fetch.requestPaused") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                let found = self.pretended.iter().find(|(path, _)| url.ends_with(path.as_str()));
                let (session, id) = (message["sessionId"].as_str(), &params["requestId"]);
                let (method, answer) = match found {
                    None => ("Fetch.continueRequest", json!({"requestId": id})),
                    Some((_, body)) => {
                        let headers =
                            json!([{"name": "content-type", "value": "application/json"}]);
                        let body = base64(body.to_string().as_bytes());
                        let answer = json!({"requestId": id, "responseCode": 200,
                            "responseHeaders": headers, "body": body});
                        ("Fetch.fulfillRequest", answer)
                    }
                };
                self.send(session, method, &answer)?;
            }
            Some("Runtime.exceptionThrown" | "Log.entryAdded") => {
                // A daemon that has ended, or a question that it refused, is the network's matter.
                if params["entry"]["source"] != json!("network") {
                    self.complaints.push(params.to_string());
                }
            }
            Some(_) => {}
        }
        Ok(())
    }
}

impl Page<'_> {
    fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.browser.call(Some(&self.session), method, params)
    }

    /// The value of an expression.
    pub fn ask(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &asked)?;
        match answer.get("exceptionDetails") {
            Some(details) => bail!("{expression}: {}", details["exception"]["description"]),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Types, a newline being Enter.
    pub fn type_text(&mut self, text: &str) -> Result {
        for c in text.chars() {
            match c {
                '\n' => self.key("Enter")?,
                c => {
                    self.call("Input.dispatchKeyEvent", &json!({"type": "char", "text": c}))?;
                }
            }
        }
        Ok(())
    }

    /// Presses and releases a key by its name.
    pub fn key(&mut self, key: &str) -> Result {
        let code = match key {
            "Enter" => 13,
            "End" => 35,
            "Home" => 36,
            "ArrowRight" => 39,
            other => bail!("what is the code of {other}?"),
        };
        let text = if key == "Enter" { "\r" } else { "" };
        let down = json!({"type": "keyDown", "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &down)?;
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &up)?;
        Ok(())
    }

    /// What the system prefers.
    pub fn dark(&mut self, on: bool) -> Result {
        let scheme = if on { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features})).map(|_| ())
    }

    /// Leaves a picture of the whole page where `$SCREENSHOTS` says, if it says.
    pub fn screenshot(&mut self, name: &str) -> Result {
        let Some(folder) = std::env::var_os("SCREENSHOTS") else { return Ok(()) };
        let asked = json!({"captureBeyondViewport": true, "format": "png"});
        let picture = self.call("Page.captureScreenshot", &asked)?;
        let text = picture["data"].as_str().context("a picture")?;
        std::fs::create_dir_all(&folder)?;
        std::fs::write(Path::new(&folder).join(format!("{name}.png.base64")), text)?;
        Ok(())
    }

    /// Errors of its script, and what its policy has kept out.
    pub fn complaints(&self) -> &[String] {
        &self.browser.complaints
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            match place <= chunk.len() {
                true => out.push(char::from(LETTERS[(group >> (18 - 6 * place)) as usize & 63])),
                false => out.push('='),
            }
        }
    }
    out
}
