//! Tells systemd how the service fares: sd_notify(3), a datagram to the socket that `NOTIFY_SOCKET` names.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// A line to systemd, or to nobody.
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often systemd wants a sign of life: half of what it waits for.
    every: Option<Duration>,
    last: Instant,
}

impl Notify {
    /// From the environment that systemd sets.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        let to = variable("NOTIFY_SOCKET").and_then(|path| Some((UnixDatagram::unbound().ok()?, address(&path)?)));
        let number = |name: &str| variable(name).and_then(|v| v.to_str()?.parse::<u64>().ok());
        let mine = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let every = number("WATCHDOG_USEC").filter(|_| mine).map(|us| Duration::from_micros(us) / 2);
        Self { to, every, last: Instant::now() }
    }

    /// It captures.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its files again, from now (`CLOCK_MONOTONIC`) until [`Notify::ready`].
    pub fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", capture::live::monotonic_us()));
    }

    /// It comes to its end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A sign of life, if one is due.
    pub fn alive(&mut self) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every) {
            self.last = Instant::now();
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.to {
            // Systemd that does not listen is no reason to stop.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}

/// A path, or a name in the abstract namespace behind `@`.
fn address(path: &OsString) -> Option<SocketAddr> {
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None => SocketAddr::from_pathname(path).ok(),
    }
}
