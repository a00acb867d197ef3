//! What the kernel says of an interface, by rtnetlink(7). The socket belongs to the network namespace it was opened in.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::live::sys;

const NETLINK_ROUTE: i32 = 0;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_XDP: u16 = 43;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const RUNNING: u32 = 0x40;
const UP: u32 = 1;
/// Addresses of this scope and beyond concern the link only.
const SCOPE_LINK: u8 = 253;
/// Bytes of `struct nlmsghdr`, `struct ifinfomsg`, `struct ifaddrmsg`.
const MESSAGE: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) mtu: u32,
    /// `veth`, `bridge`; none for hardware.
    pub(crate) kind: Option<String>,
    /// Member of a bridge or bond.
    pub(crate) enslaved: bool,
    pub(crate) up: bool,
    /// Up, and with a carrier.
    pub(crate) running: bool,
    pub(crate) rx_queues: u32,
    /// An XDP program is on it.
    pub(crate) xdp: bool,
    /// Frames that the device lost before the kernel had them.
    pub(crate) missed: u64,
    /// Frames dropped in the receive path.
    pub(crate) rx_dropped: u64,
}

/// A socket to ask at.
pub(crate) struct Netlink(OwnedFd);

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, NETLINK_ROUTE).map(Self)
    }

    /// An interface by its index; `None` if there is none.
    pub(crate) fn link(&self, index: u32) -> io::Result<Option<Link>> {
        let mut body = [0; LINK];
        body.iter_mut().skip(4).zip(index.to_ne_bytes()).for_each(|(to, from)| *to = from);
        match self.ask(RTM_GETLINK, REQUEST, &body) {
            Ok(answers) => Ok(answers.iter().find(|(kind, _)| *kind == RTM_NEWLINK).map(|(_, b)| read_link(b))),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether an interface has addresses that others may reach it by.
    pub(crate) fn has_addresses(&self, index: u32) -> io::Result<bool> {
        let answers = self.ask(RTM_GETADDR, REQUEST | DUMP, &[0; ADDRESS])?;
        Ok(answers.iter().any(|(kind, body)| {
            let scope = body.get(3).copied().unwrap_or_default();
            *kind == RTM_NEWADDR && word(body, 4) == index && scope < SCOPE_LINK
        }))
    }

    /// Sends a request; the kinds and bodies of all answers.
    fn ask(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<(u16, Vec<u8>)>> {
        let mut message = ((MESSAGE + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        message.extend([0; 8]);
        message.extend(body);
        // SAFETY: the kernel reads as many bytes as the message has.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut answers = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let got = self.read(&mut buffer)?;
            if take_messages(got, &mut answers)? || flags & DUMP == 0 {
                return Ok(answers);
            }
        }
    }

    fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        // SAFETY: the kernel writes at most as many bytes as the buffer has.
        let got = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let len = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        Ok(buffer.get(..len).unwrap_or_default())
    }
}

/// Takes the messages of one datagram; says whether the last answer was among them.
fn take_messages(mut bytes: &[u8], answers: &mut Vec<(u16, Vec<u8>)>) -> io::Result<bool> {
    while bytes.len() >= MESSAGE {
        let (len, kind) = (word(bytes, 0) as usize, half(bytes, 4));
        let body = bytes.get(MESSAGE..len).unwrap_or_default();
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(io::Error::from_raw_os_error((word(body, 0) as i32).saturating_neg())),
            _ => answers.push((kind, body.to_vec())),
        }
        bytes = bytes.get(len.max(MESSAGE).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn read_link(body: &[u8]) -> Link {
    let flags = word(body, 8);
    let mut link = Link {
        index: word(body, 4),
        up: flags & UP != 0,
        running: flags & (UP | RUNNING) == UP | RUNNING,
        ..Link::default()
    };
    for (kind, value) in attributes(body.get(LINK..).unwrap_or_default()) {
        match kind {
            IFLA_MTU => link.mtu = word(value, 0),
            IFLA_MASTER => link.enslaved = true,
            IFLA_NUM_RX_QUEUES => link.rx_queues = word(value, 0),
            IFLA_LINKINFO => link.kind = attributes(value).find(|(k, _)| *k == IFLA_INFO_KIND).map(|(_, v)| text(v)),
            IFLA_XDP => link.xdp = attributes(value).any(|(k, v)| k == IFLA_XDP_ATTACHED && v.first() != Some(&0)),
            IFLA_STATS64 => read_statistics(&mut link, value),
            _ => {}
        }
    }
    link
}

/// `struct rtnl_link_stats64`: received dropped 6, overrun 11 and 14, missed 15.
fn read_statistics(link: &mut Link, value: &[u8]) {
    let at = |n: usize| value.get(n * 8..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_ne_bytes(*b));
    link.rx_dropped = at(6);
    // Drivers count the same loss as overrun, as FIFO error or as missed, some under two names: the largest is taken.
    link.missed = at(11).max(at(14)).max(at(15));
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(half(bytes.get(..4)?, 0));
        let value = bytes.get(4..len)?;
        let kind = half(bytes, 2) & 0x3fff;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}
