//! What the queues of an interface share: the program, its map of sockets, promiscuous mode.

use std::io;
use std::os::fd::OwnedFd;

use crate::live::bpf::{SocketMap, XdpProgram};
use crate::live::packet;
use crate::live::sys;
use crate::live::xdp::{RETRIES, RETRY_AFTER, Way};

/// The program on an interface. When the interface comes back after it was away, the first queue attaches it anew.
pub(crate) struct Attachment {
    interface: String,
    queues: u32,
    way: Way,
    held: Option<Held>,
}

struct Held {
    index: u32,
    map: SocketMap,
    /// The program stays attached while this is open.
    _link: OwnedFd,
    /// AF_XDP does not make an interface promiscuous: this socket does, while it is open.
    _promiscuous: OwnedFd,
}

impl Attachment {
    /// For an interface with so many receive queues; nothing is attached yet.
    pub(crate) fn new(interface: &str, queues: u32, way: Way) -> Self {
        Self { interface: interface.to_owned(), queues, way, held: None }
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    /// Attaches the program unless it is; says the interface's index.
    pub(crate) fn attach(&mut self) -> io::Result<u32> {
        let index = sys::interface_index(&self.interface);
        if index == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        if self.held.as_ref().is_none_or(|h| h.index != index) {
            self.held = None;
            self.held = Some(self.hold(index)?);
        }
        Ok(index)
    }

    fn hold(&self, index: u32) -> io::Result<Held> {
        let map = SocketMap::new(self.queues)?;
        // A kernel that knows no time stamps refuses the program with them.
        let program = XdpProgram::load(&map, self.way.multi_buffer, true)
            .or_else(|_| XdpProgram::load(&map, self.way.multi_buffer, false))?;
        let promiscuous = packet::promiscuous(index)?;
        let link = self.attach_patiently(&program, index)?;
        Ok(Held { index, map, _link: link, _promiscuous: promiscuous })
    }

    /// Waits for a program that was detached just now: the kernel takes it off some milliseconds later.
    fn attach_patiently(&self, program: &XdpProgram, index: u32) -> io::Result<OwnedFd> {
        for _ in 0..RETRIES {
            match program.attach(index, self.way.attach) {
                Err(error) if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::EBUSY)) => {
                    std::thread::sleep(RETRY_AFTER);
                }
                attached => return attached,
            }
        }
        program.attach(index, self.way.attach)
    }

    /// From now on the frames of a queue go to the system.
    pub(crate) fn leave(&self, queue: u32) {
        if let Some(held) = &self.held {
            held.map.remove(queue);
        }
    }

    /// Leads the frames of a queue to a socket.
    pub(crate) fn join(&self, queue: u32, socket: &OwnedFd) -> io::Result<()> {
        let held = self.held.as_ref().ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
        held.map.insert(queue, socket)
    }
}
