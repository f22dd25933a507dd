//! BGP-4 wire format: the little of it a benchmark needs.
use std::net::Ipv4Addr;

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;

pub fn open(asn: u32, hold: u16, id: Ipv4Addr) -> Vec<u8> {
    let mut caps = vec![1, 4, 0, 1, 0, 1, 2, 0, 65, 4];
    caps.extend_from_slice(&asn.to_be_bytes());
    let mut m = vec![0xFF; 16];
    m.extend_from_slice(&[0, 0, OPEN, 4]);
    let as2 = if asn > 65535 { 23456 } else { asn as u16 };
    m.extend_from_slice(&as2.to_be_bytes());
    m.extend_from_slice(&hold.to_be_bytes());
    m.extend_from_slice(&id.octets());
    m.extend_from_slice(&[caps.len() as u8 + 2, 2, caps.len() as u8]);
    m.extend_from_slice(&caps);
    let l = m.len() as u16;
    m[16..18].copy_from_slice(&l.to_be_bytes());
    m
}

pub fn keepalive() -> Vec<u8> {
    let mut m = vec![0xFF; 16];
    m.extend_from_slice(&[0, 19, KEEPALIVE]);
    m
}

pub fn cease() -> Vec<u8> {
    let mut m = vec![0xFF; 16];
    m.extend_from_slice(&[0, 21, NOTIFICATION, 6, 2]);
    m
}

/// Length of the complete message at the start of `b`, if it is all there.
#[inline]
pub fn frame(b: &[u8]) -> Result<Option<usize>, String> {
    if b.len() < 19 {
        return Ok(None);
    }
    let l = u16::from_be_bytes([b[16], b[17]]) as usize;
    if !(19..=65535).contains(&l) || b[0] != 0xFF {
        return Err(format!("bad header, length {l}"));
    }
    Ok(if b.len() >= l { Some(l) } else { None })
}

pub trait Visitor {
    fn announce(&mut self, addr: u32, len: u8, path_len: u8);
    fn withdraw(&mut self, addr: u32, len: u8);
}

#[inline]
fn walk(mut b: &[u8], mut f: impl FnMut(u32, u8)) -> Result<(), String> {
    while let Some(&l) = b.first() {
        let n = (l as usize + 7) / 8;
        if l > 32 || b.len() < 1 + n {
            return Err("bad NLRI".into());
        }
        let mut a = [0u8; 4];
        a[..n].copy_from_slice(&b[1..1 + n]);
        f(u32::from_be_bytes(a), l);
        b = &b[1 + n..];
    }
    Ok(())
}

/// Walks an UPDATE (header included), IPv4 unicast in both encodings.
#[inline]
pub fn update(m: &[u8], v: &mut impl Visitor) -> Result<(), String> {
    let e = || "short UPDATE".to_string();
    let b = &m[19..];
    let wl = u16::from_be_bytes([*b.first().ok_or_else(e)?, *b.get(1).ok_or_else(e)?]) as usize;
    let wd = b.get(2..2 + wl).ok_or_else(e)?;
    walk(wd, |a, l| v.withdraw(a, l))?;
    let b = &b[2 + wl..];
    if b.len() < 2 {
        return Err(e());
    }
    let al = u16::from_be_bytes([b[0], b[1]]) as usize;
    let mut at = b.get(2..2 + al).ok_or_else(e)?;
    let nlri = &b[2 + al..];
    let mut plen = 0u8;
    let mut mp: Option<&[u8]> = None;
    while at.len() >= 3 {
        let (l, h) = if at[0] & 0x10 != 0 {
            if at.len() < 4 {
                return Err(e());
            }
            (u16::from_be_bytes([at[2], at[3]]) as usize, 4)
        } else {
            (at[2] as usize, 3)
        };
        let val = at.get(h..h + l).ok_or_else(e)?;
        match at[1] {
            2 => {
                let mut s = val;
                while s.len() >= 2 {
                    let n = s[1] as usize;
                    plen = plen.saturating_add(if s[0] == 2 { n as u8 } else { 1 });
                    s = s.get(2 + 4 * n..).ok_or_else(e)?;
                }
            }
            14 if val.len() > 5 && val[..3] == [0, 1, 1] => {
                mp = Some(val.get(5 + val[3] as usize..).ok_or_else(e)?);
            }
            15 if val.len() >= 3 && val[..3] == [0, 1, 1] => {
                walk(&val[3..], |a, l| v.withdraw(a, l))?
            }
            _ => {}
        }
        at = &at[h + l..];
    }
    if let Some(n) = mp {
        walk(n, |a, l| v.announce(a, l, plen))?;
    }
    walk(nlri, |a, l| v.announce(a, l, plen))
}
