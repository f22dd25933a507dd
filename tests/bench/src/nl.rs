//! Minimal rtnetlink: batched route add/delete, dump count, multicast watch.
use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;

pub const RTM_NEWROUTE: u16 = 24;
pub const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const F_REQUEST: u16 = 1;
const F_ACK: u16 = 4;
const F_REPLACE: u16 = 0x100;
const F_EXCL: u16 = 0x200;
const F_CREATE: u16 = 0x400;
const F_DUMP: u16 = 0x300;

fn err<T>(r: isize, v: T) -> io::Result<T> {
    if r < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(v)
    }
}

/// Runs `f` with the calling thread inside the named network namespace.
pub fn in_netns<T>(ns: Option<&str>, f: impl FnOnce() -> T) -> io::Result<T> {
    let Some(ns) = ns else { return Ok(f()) };
    unsafe {
        let open = |p: &str| {
            let c = CString::new(p).unwrap();
            let fd = libc::open(c.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            err(fd as isize, fd)
        };
        let old = open("/proc/thread-self/ns/net")?;
        let new = open(&format!("/run/netns/{ns}"))?;
        err(libc::setns(new, libc::CLONE_NEWNET) as isize, ())?;
        let r = f();
        err(libc::setns(old, libc::CLONE_NEWNET) as isize, ())?;
        libc::close(old);
        libc::close(new);
        Ok(r)
    }
}

pub struct Sock(pub RawFd);
impl Drop for Sock {
    fn drop(&mut self) {
        unsafe { libc::close(self.0) };
    }
}

impl Sock {
    /// Opens a NETLINK_ROUTE socket in `ns`; with `groups` it subscribes and does not block.
    pub fn open(ns: Option<&str>, groups: u32, rcvbuf: i32) -> io::Result<Sock> {
        in_netns(ns, || unsafe {
            let nb = if groups != 0 { libc::SOCK_NONBLOCK } else { 0 };
            let fd = libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | nb,
                libc::NETLINK_ROUTE,
            );
            err(fd as isize, ())?;
            let s = Sock(fd);
            let set = |opt: i32, v: i32| {
                libc::setsockopt(fd, libc::SOL_SOCKET, opt, &v as *const i32 as *const _, 4)
            };
            set(libc::SO_RCVBUFFORCE, rcvbuf);
            set(libc::SO_SNDBUFFORCE, 8 << 20);
            let mut a: libc::sockaddr_nl = std::mem::zeroed();
            a.nl_family = libc::AF_NETLINK as u16;
            a.nl_groups = groups;
            err(
                libc::bind(fd, &a as *const _ as *const _, std::mem::size_of_val(&a) as u32)
                    as isize,
                s,
            )
        })?
    }

    pub fn send(&self, b: &[u8]) -> io::Result<()> {
        let n = unsafe { libc::send(self.0, b.as_ptr() as *const _, b.len(), 0) };
        err(n, ())
    }

    pub fn recv(&self, b: &mut [u8], flags: i32) -> io::Result<usize> {
        let n = unsafe { libc::recv(self.0, b.as_mut_ptr() as *mut _, b.len(), flags) };
        err(n, n as usize)
    }

    /// Number of main-table IPv4 routes of protocol `proto` (0: any but `kernel`).
    pub fn count(&self, proto: u8) -> io::Result<usize> {
        let mut m = Vec::new();
        begin(&mut m, RTM_GETROUTE, F_REQUEST | F_DUMP, 1);
        m.extend_from_slice(&[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        end(&mut m, 0);
        self.send(&m)?;
        let (mut buf, mut n) = (vec![0u8; 1 << 18], 0);
        loop {
            let l = self.recv(&mut buf, 0)?;
            let mut done = false;
            each(&buf[..l], |ty, _, body| match ty {
                3 => done = true,
                2 => done = true,
                RTM_NEWROUTE if wanted(body, proto) => n += 1,
                _ => {}
            });
            if done {
                return Ok(n);
            }
        }
    }
}

#[inline]
fn wanted(rt: &[u8], proto: u8) -> bool {
    rt.len() >= 12
        && rt[0] == libc::AF_INET as u8
        && rt[4] == 254
        && if proto == 0 { rt[5] != 2 } else { rt[5] == proto }
}

#[inline]
pub fn each(mut b: &[u8], mut f: impl FnMut(u16, u16, &[u8])) {
    while b.len() >= 16 {
        let l = u32::from_ne_bytes(b[..4].try_into().unwrap()) as usize;
        if l < 16 || l > b.len() {
            return;
        }
        f(u16::from_ne_bytes([b[4], b[5]]), u16::from_ne_bytes([b[6], b[7]]), &b[16..l]);
        b = &b[((l + 3) & !3).min(b.len())..];
    }
}

fn begin(m: &mut Vec<u8>, ty: u16, flags: u16, seq: u32) {
    m.extend_from_slice(&0u32.to_ne_bytes());
    m.extend_from_slice(&ty.to_ne_bytes());
    m.extend_from_slice(&flags.to_ne_bytes());
    m.extend_from_slice(&seq.to_ne_bytes());
    m.extend_from_slice(&0u32.to_ne_bytes());
}
fn end(m: &mut [u8], at: usize) {
    let l = (m.len() - at) as u32;
    m[at..at + 4].copy_from_slice(&l.to_ne_bytes());
}
fn attr(m: &mut Vec<u8>, ty: u16, v: &[u8]) {
    m.extend_from_slice(&(4 + v.len() as u16).to_ne_bytes());
    m.extend_from_slice(&ty.to_ne_bytes());
    m.extend_from_slice(v);
    while m.len() % 4 != 0 {
        m.push(0);
    }
}

/// Counts routes from multicast events; `lost` is set on buffer overrun.
pub struct Watch {
    pub sock: Sock,
    pub count: i64,
    pub adds: u64,
    pub dels: u64,
    pub lost: bool,
    proto: u8,
    ns: Option<String>,
    bufs: Vec<Vec<u8>>,
}

impl Watch {
    pub fn open(ns: Option<&str>, proto: u8, rcvbuf: i32) -> io::Result<Watch> {
        let sock = Sock::open(ns, 0x40, rcvbuf)?; // RTMGRP_IPV4_ROUTE
        let mut w = Watch {
            sock,
            count: 0,
            adds: 0,
            dels: 0,
            lost: false,
            proto,
            ns: ns.map(String::from),
            bufs: vec![vec![0u8; 2048]; 64],
        };
        w.count = w.dump()? as i64;
        Ok(w)
    }
    pub fn dump(&self) -> io::Result<usize> {
        Sock::open(self.ns.as_deref(), 0, 4 << 20)?.count(self.proto)
    }
    /// Takes what is queued; true if anything arrived.
    pub fn poll(&mut self) -> bool {
        let mut any = false;
        for _ in 0..16 {
            let mut iov: Vec<libc::iovec> = self
                .bufs
                .iter_mut()
                .map(|b| libc::iovec { iov_base: b.as_mut_ptr() as *mut _, iov_len: b.len() })
                .collect();
            let mut hdr: Vec<libc::mmsghdr> = iov
                .iter_mut()
                .map(|v| unsafe {
                    let mut h: libc::mmsghdr = std::mem::zeroed();
                    h.msg_hdr.msg_iov = v;
                    h.msg_hdr.msg_iovlen = 1;
                    h
                })
                .collect();
            let n = unsafe {
                libc::recvmmsg(
                    self.sock.0,
                    hdr.as_mut_ptr(),
                    hdr.len() as u32,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            if n < 0 {
                if io::Error::last_os_error().raw_os_error() == Some(libc::ENOBUFS) {
                    self.lost = true;
                    continue;
                }
                break;
            }
            any = true;
            for i in 0..n as usize {
                let (mut c, mut a, mut d) = (0i64, 0, 0);
                let p = self.proto;
                each(&self.bufs[i][..hdr[i].msg_len as usize], |ty, fl, b| {
                    if wanted(b, p) {
                        match ty {
                            RTM_NEWROUTE => {
                                a += 1;
                                if fl & F_REPLACE == 0 {
                                    c += 1
                                }
                            }
                            RTM_DELROUTE => {
                                d += 1;
                                c -= 1
                            }
                            _ => {}
                        }
                    }
                });
                self.count += c;
                self.adds += a;
                self.dels += d;
            }
            if (n as usize) < self.bufs.len() {
                break;
            }
        }
        any
    }
    pub fn resync(&mut self) {
        if self.lost {
            while self.poll() {}
            self.lost = false;
            if let Ok(n) = self.dump() {
                self.count = n as i64;
            }
        }
    }
}

pub struct Bench {
    pub batch: usize,
    pub ack: bool,
    pub replace: bool,
    pub nhid: bool,
    pub proto: u8,
    pub oif: u32,
    pub gw: u32,
}

pub fn ifindex(name: &str) -> u32 {
    let c = CString::new(name).unwrap();
    unsafe { libc::if_nametoindex(c.as_ptr()) }
}

fn route(m: &mut Vec<u8>, ty: u16, flags: u16, seq: u32, p: (u32, u8), b: &Bench) {
    let at = m.len();
    begin(m, ty, flags, seq);
    m.extend_from_slice(&[libc::AF_INET as u8, p.1, 0, 0, 254, b.proto, 0, 1, 0, 0, 0, 0]);
    attr(m, 1, &p.0.to_be_bytes());
    if ty == RTM_NEWROUTE {
        if b.nhid {
            attr(m, 30, &1u32.to_ne_bytes());
        } else {
            attr(m, 5, &b.gw.to_be_bytes());
            attr(m, 4, &b.oif.to_ne_bytes());
        }
    }
    end(m, at);
}

/// Creates (or deletes) nexthop object 1.
pub fn nexthop(s: &Sock, b: &Bench, add: bool) -> io::Result<i32> {
    let mut m = Vec::new();
    begin(
        &mut m,
        if add { RTM_NEWNEXTHOP } else { RTM_DELNEXTHOP },
        F_REQUEST | F_ACK | if add { F_CREATE | F_REPLACE } else { 0 },
        7,
    );
    m.extend_from_slice(&[
        if add { libc::AF_INET as u8 } else { 0 },
        0,
        if add { b.proto } else { 0 },
        0,
        0,
        0,
        0,
        0,
    ]);
    attr(&mut m, 1, &1u32.to_ne_bytes());
    if add {
        attr(&mut m, 6, &b.gw.to_be_bytes());
        attr(&mut m, 5, &b.oif.to_ne_bytes());
    }
    end(&mut m, 0);
    s.send(&m)?;
    let mut buf = [0u8; 4096];
    let l = s.recv(&mut buf, 0)?;
    let mut code = 0;
    each(&buf[..l], |ty, _, b| {
        if ty == 2 {
            code = i32::from_ne_bytes(b[..4].try_into().unwrap())
        }
    });
    Ok(code)
}

/// Sends one pass over all prefixes; returns (sendmsg calls, errors, acks).
pub fn pass(s: &Sock, ps: &[(u32, u8)], add: bool, b: &Bench) -> io::Result<(u64, u64, u64)> {
    let (mut calls, mut errs, mut acks) = (0, 0, 0);
    let flags = F_REQUEST
        | if b.ack { F_ACK } else { 0 }
        | if add { F_CREATE | if b.replace { F_REPLACE } else { F_EXCL } } else { 0 };
    let ty = if add { RTM_NEWROUTE } else { RTM_DELROUTE };
    let mut buf = vec![0u8; 1 << 18];
    let mut m = Vec::with_capacity(b.batch * 64);
    for ch in ps.chunks(b.batch) {
        m.clear();
        for (i, &p) in ch.iter().enumerate() {
            route(&mut m, ty, flags, i as u32 + 1, p, b);
        }
        s.send(&m)?;
        calls += 1;
        let mut need = if b.ack { ch.len() } else { 0 };
        loop {
            if !b.ack && need == 0 {
                // errors only: look without blocking
                match s.recv(&mut buf, libc::MSG_DONTWAIT) {
                    Ok(l) => each(&buf[..l], |ty, _, _| {
                        if ty == 2 {
                            errs += 1
                        }
                    }),
                    Err(_) => break,
                }
                continue;
            }
            if need == 0 {
                break;
            }
            let l = s.recv(&mut buf, 0)?;
            each(&buf[..l], |ty, _, bd| {
                if ty == 2 {
                    need -= 1;
                    acks += 1;
                    if bd[..4] != [0; 4] {
                        errs += 1
                    }
                }
            });
        }
    }
    Ok((calls, errs, acks))
}
