//! A BGP speaker that says exactly the bytes it is told, and shows those that it gets.
//!
//! It knows as much of RFC 4271 as a test needs: OPEN with the multiprotocol and four-octet-AS
//! capabilities, and where in an UPDATE the attributes are.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ipnet::Ipv4Net;
use socket2::{Domain, Socket, Type};
use starling_lab::{Netns, Result};

use crate::support::SOON;

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;

/// Optional, transitive, partial: the flags of a path attribute (RFC 4271 §4.3).
pub const OPTIONAL: u8 = 0x80;
pub const TRANSITIVE: u8 = 0x40;
pub const PARTIAL: u8 = 0x20;

/// Between two KEEPALIVEs of a session: a third of the hold time that is offered.
const KEEPALIVES: Duration = Duration::from_secs(30);

/// One end of a connection.
#[derive(Debug)]
pub struct Speaker {
    stream: TcpStream,
    /// Whole messages go out of it, whoever writes them.
    out: Arc<Mutex<TcpStream>>,
    /// Says KEEPALIVE now and then once the first was said, until it is dropped: however long a test
    /// looks elsewhere.
    alive: Option<mpsc::Sender<()>>,
}

/// A path attribute: flags without the extended-length bit, code, value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    pub flags: u8,
    pub code: u8,
    pub value: Vec<u8>,
}

/// What an UPDATE says of IPv4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    pub withdrawn: Vec<Ipv4Net>,
    pub attributes: Vec<Attribute>,
    pub announced: Vec<Ipv4Net>,
}

impl Update {
    pub fn attribute(&self, code: u8) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.code == code)
    }
}

pub fn attribute(flags: u8, code: u8, value: impl Into<Vec<u8>>) -> Attribute {
    Attribute { flags, code, value: value.into() }
}

/// ORIGIN IGP, AS_PATH of one sequence of four-octet numbers, NEXT_HOP.
pub fn mandatory(path: &[u32], next_hop: Ipv4Addr) -> Vec<Attribute> {
    vec![
        attribute(TRANSITIVE, 1, [0]),
        attribute(TRANSITIVE, 2, as_sequence(path)),
        attribute(TRANSITIVE, 3, next_hop.octets()),
    ]
}

pub fn as_sequence(path: &[u32]) -> Vec<u8> {
    let mut value = vec![2, u8::try_from(path.len()).unwrap()];
    value.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
    value
}

impl Speaker {
    /// Connects from `local` in `netns` to port 179 of `remote`.
    pub fn dial(netns: &Netns, local: Ipv4Addr, remote: Ipv4Addr) -> Result<Self> {
        let stream = netns.inside(|| -> std::io::Result<TcpStream> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(IpAddr::V4(local), 0).into())?;
            let remote = SocketAddr::new(IpAddr::V4(remote), 179);
            socket.connect_timeout(&remote.into(), SOON)?;
            Ok(socket.into())
        })??;
        Self::on(stream)
    }

    /// Speaks on a connection that stands.
    pub fn on(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(SOON))?;
        stream.set_nodelay(true)?;
        let out = Arc::new(Mutex::new(stream.try_clone()?));
        Ok(Self { stream, out, alive: None })
    }

    /// Exchanges OPENs and KEEPALIVEs.
    pub fn establish(&mut self, asn: u32, id: Ipv4Addr) -> Result {
        self.open(asn, id)?;
        self.expect(OPEN)?;
        self.send(KEEPALIVE, &[])?;
        self.expect(KEEPALIVE)
    }

    /// Sends an OPEN: version 4, hold time 90 s, IPv4 and IPv6 unicast, four-octet AS numbers.
    pub fn open(&mut self, asn: u32, id: Ipv4Addr) -> Result {
        self.open_with(asn, id, &[])
    }

    /// The same with more capabilities: code, length and value of each.
    pub fn open_with(&mut self, asn: u32, id: Ipv4Addr, more: &[u8]) -> Result {
        let mut body = vec![4];
        body.extend(u16::try_from(asn).unwrap_or(23456).to_be_bytes());
        body.extend(90u16.to_be_bytes());
        body.extend(id.octets());
        let mut capabilities = vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4];
        capabilities.extend(asn.to_be_bytes());
        capabilities.extend(more);
        let length = u8::try_from(capabilities.len())?;
        body.extend([length + 2, 2, length]);
        body.extend(capabilities);
        self.send(OPEN, &body)
    }

    /// Announces prefixes.
    pub fn announce(&mut self, attributes: &[Attribute], prefixes: &[&str]) -> Result {
        let mut nlri = Vec::new();
        for prefix in prefixes {
            let net: Ipv4Net = prefix.parse()?;
            let octets = usize::from(net.prefix_len().div_ceil(8));
            nlri.push(net.prefix_len());
            nlri.extend(&net.network().octets()[..octets]);
        }
        self.announce_encoded(attributes, nlri)
    }

    /// Announces prefixes that are octets already.
    pub fn announce_encoded(
        &mut self,
        attributes: &[Attribute],
        nlri: impl IntoIterator<Item = u8>,
    ) -> Result {
        let mut encoded = Vec::new();
        for Attribute { flags, code, value } in attributes {
            encoded.extend([*flags, *code, u8::try_from(value.len())?]);
            encoded.extend(value);
        }
        let mut body = vec![0, 0];
        body.extend(u16::try_from(encoded.len())?.to_be_bytes());
        body.extend(encoded);
        body.extend(nlri);
        self.send(UPDATE, &body)
    }

    pub fn send(&mut self, kind: u8, body: &[u8]) -> Result {
        let mut message = vec![0xff; 16];
        message.extend(u16::try_from(19 + body.len())?.to_be_bytes());
        message.push(kind);
        message.extend(body);
        self.send_bytes(&message)?;
        if kind == KEEPALIVE && self.alive.is_none() {
            self.alive = Some(keep_alive(Arc::clone(&self.out), message));
        }
        Ok(())
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(bytes).context("the connection is gone")
    }

    /// The next message: its type and body.
    pub fn next(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut header = [0; 19];
        self.stream.read_exact(&mut header).context("no message came")?;
        ensure!(header[..16] == [0xff; 16], "the marker is {:?}", &header[..16]);
        let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
        ensure!((19..=4096).contains(&length), "the length is {length}");
        let mut body = vec![0; length - 19];
        self.stream.read_exact(&mut body).context("half a message came")?;
        Ok((header[18], body))
    }

    /// The next message, which must be of this type.
    pub fn expect(&mut self, kind: u8) -> Result {
        let (got, body) = self.next()?;
        ensure!(got == kind, "type {got} {body:?} came where {kind} was due");
        Ok(())
    }

    /// Code and subcode of the NOTIFICATION that ends this; what comes before it is skipped.
    pub fn notification(&mut self) -> Result<(u8, u8)> {
        loop {
            if let (NOTIFICATION, body) = self.next()? {
                return Ok((body[0], body[1]));
            }
        }
    }

    /// The UPDATE that announces `prefix`; what comes before it is skipped.
    pub fn update_for(&mut self, prefix: &str) -> Result<Update> {
        let prefix: Ipv4Net = prefix.parse()?;
        loop {
            let update = self.update()?;
            if update.announced.contains(&prefix) {
                return Ok(update);
            }
        }
    }

    /// The next UPDATE; what comes before it is skipped.
    pub fn update(&mut self) -> Result<Update> {
        loop {
            match self.next()? {
                (UPDATE, body) => return read(&body),
                (NOTIFICATION, body) => bail!("the session ended: {body:?}"),
                _ => {}
            }
        }
    }

    /// All IPv4 prefixes announced until `wanted` are among them and nothing has come for a second.
    pub fn announced(&mut self, wanted: &[&str]) -> Result<Vec<Ipv4Net>> {
        let mut missing: Vec<Ipv4Net> =
            wanted.iter().map(|prefix| Ok(prefix.parse()?)).collect::<Result<_>>()?;
        let mut all = Vec::new();
        loop {
            let patience = if missing.is_empty() { Duration::from_secs(1) } else { SOON };
            self.stream.set_read_timeout(Some(patience))?;
            let (kind, body) = match self.next() {
                Ok(message) => message,
                Err(_) if missing.is_empty() => break,
                Err(error) => return Err(error.context(format!("{all:?}, without {missing:?}"))),
            };
            ensure!(kind != NOTIFICATION, "the session ended: {body:?}");
            if kind == UPDATE {
                let announced = read(&body)?.announced;
                missing.retain(|prefix| !announced.contains(prefix));
                all.extend(announced);
            }
        }
        self.stream.set_read_timeout(Some(SOON))?;
        all.sort();
        Ok(all)
    }
}

/// Writes `message` now and then, for as long as what it gives lives and somebody takes it.
fn keep_alive(out: Arc<Mutex<TcpStream>>, message: Vec<u8>) -> mpsc::Sender<()> {
    let (alive, end) = mpsc::channel();
    std::thread::spawn(move || {
        while end.recv_timeout(KEEPALIVES) == Err(mpsc::RecvTimeoutError::Timeout) {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            if out.write_all(&message).is_err() {
                return;
            }
        }
    });
    alive
}

fn read(body: &[u8]) -> Result<Update> {
    let (withdrawn, rest) = block(body)?;
    let (mut encoded, announced) = block(rest)?;
    let mut attributes = Vec::new();
    while let [flags, code, rest @ ..] = encoded {
        let (length, rest) = match rest {
            [high, low, rest @ ..] if flags & 0x10 != 0 => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            [length, rest @ ..] if flags & 0x10 == 0 => (usize::from(*length), rest),
            _ => bail!("attribute {code} has no length"),
        };
        ensure!(rest.len() >= length, "attribute {code} is cut off");
        attributes.push(attribute(flags & !0x10, *code, &rest[..length]));
        encoded = &rest[length..];
    }
    Ok(Update { withdrawn: prefixes(withdrawn)?, attributes, announced: prefixes(announced)? })
}

/// A length of two octets, as many octets, the rest.
fn block(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let [high, low, rest @ ..] = bytes else { bail!("a length is cut off") };
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).context("cut off")
}

fn prefixes(mut bytes: &[u8]) -> Result<Vec<Ipv4Net>> {
    let mut all = Vec::new();
    while let [length, rest @ ..] = bytes {
        let octets = usize::from(length.div_ceil(8));
        let (used, rest) = rest.split_at_checked(octets).context("a prefix is cut off")?;
        let mut address = [0; 4];
        address[..octets].copy_from_slice(used);
        all.push(Ipv4Net::new(address.into(), *length)?);
        bytes = rest;
    }
    Ok(all)
}
