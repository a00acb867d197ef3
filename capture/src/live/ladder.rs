//! The modes of live capture, best first, each tried until one works.

use std::sync::{Arc, Mutex};

use crate::error::OpenError;
use crate::live::LiveOptions;
use crate::live::bpf::Attach;
use crate::live::facts::Facts;
use crate::live::packet::Packet;
use crate::live::pcap::Pcap;
use crate::live::port::{Port, Reopen};
use crate::live::receiver::Receiver;
use crate::live::sys;
use crate::live::xdp::{Attachment, Way, Xdp};

pub(crate) use crate::source::Refusal;

/// A mode of live capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// AF_XDP: the device writes frames to our memory; frames of several buffers too.
    XdpZeroCopyMulti,
    /// AF_XDP: the device writes frames to our memory, each in one buffer.
    XdpZeroCopy,
    /// AF_XDP in the driver: the kernel copies frames to our memory.
    XdpCopy,
    /// AF_XDP behind the driver. Dearer than TPACKET_V3; only on request.
    XdpGeneric,
    /// TPACKET_V3: the kernel copies frames to a ring.
    Packet,
    /// libpcap.
    Pcap,
}

/// All modes, best first.
pub(crate) const LADDER: [Mode; 6] =
    [Mode::XdpZeroCopyMulti, Mode::XdpZeroCopy, Mode::XdpCopy, Mode::XdpGeneric, Mode::Packet, Mode::Pcap];

/// Which modes are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The best that works and takes nothing from anybody: no AF_XDP where the host itself uses the interface, or where
    /// VLAN tags would be lost.
    #[default]
    Best,
    /// AF_XDP in the driver, whatever speaks against it.
    Xdp,
    /// This mode and no other.
    Only(Mode),
}

impl Mode {
    /// Short name for messages and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::XdpZeroCopyMulti => "af_xdp zero-copy multi-buffer",
            Self::XdpZeroCopy => "af_xdp zero-copy",
            Self::XdpCopy => "af_xdp copy",
            Self::XdpGeneric => "af_xdp generic",
            Self::Packet => "tpacket_v3",
            Self::Pcap => "libpcap",
        }
    }

    fn way(self) -> Option<Way> {
        let native = Way { attach: Attach::Native, zero_copy: true, multi_buffer: true };
        match self {
            Self::XdpZeroCopyMulti => Some(native),
            Self::XdpZeroCopy => Some(Way { multi_buffer: false, ..native }),
            Self::XdpCopy => Some(Way { zero_copy: false, ..native }),
            Self::XdpGeneric => Some(Way { attach: Attach::Generic, zero_copy: false, multi_buffer: true }),
            Self::Packet | Self::Pcap => None,
        }
    }

    fn chosen(self, choice: Choice) -> bool {
        match choice {
            Choice::Best => self != Self::XdpGeneric,
            Choice::Xdp => self.way().is_some_and(|w| w.attach == Attach::Native),
            Choice::Only(mode) => self == mode,
        }
    }

    /// Why this mode should not be taken on an interface, unless it was asked for.
    pub(crate) fn objection(self, facts: &Facts) -> Option<String> {
        self.way()?;
        if facts.has_addresses {
            return Some("the interface has addresses: the host would lose its own traffic on it".to_owned());
        }
        if facts.enslaved {
            return Some("the interface is in a bridge or bond, which would lose its traffic".to_owned());
        }
        if facts.takes_tags == Some(true) {
            let mend = format!("ethtool -K {} rxvlan off", facts.interface);
            return Some(format!("VLAN tags lie beside the frame, where AF_XDP does not see them: {mend}"));
        }
        if self == Self::XdpZeroCopy && facts.mtu > MAX_SINGLE {
            return Some(format!("frames of MTU {} do not fit one buffer of {MAX_SINGLE} bytes", facts.mtu));
        }
        None
    }
}

/// Longest MTU whose frames fit one buffer, with headroom, Ethernet header and two tags.
const MAX_SINGLE: u32 = 4096 - 256 - 22;

/// Opens an interface in the best mode that works.
pub(crate) fn open(interface: &str, options: &LiveOptions) -> Result<Vec<Port>, OpenError> {
    let index = sys::interface_index(interface);
    if index == 0 {
        return Err(OpenError::NoInterface { interface: interface.to_owned() });
    }
    let facts = Facts::of(interface, index);
    let mut refused: Vec<Refusal> = Vec::new();
    for mode in LADDER.into_iter().filter(|m| m.chosen(options.choice)) {
        let objection = mode.objection(&facts).filter(|_| options.choice == Choice::Best);
        let tried = objection.map_or_else(|| try_mode(mode, &facts, options), Err);
        match tried {
            Ok(mut ports) => {
                ports.iter_mut().for_each(|p| p.taken(mode.name(), &refused));
                return Ok(ports);
            }
            Err(reason) => refused.push(Refusal { mode: mode.name().to_owned(), reason }),
        }
    }
    let reasons: Vec<String> = refused.iter().map(|r| format!("{}: {}", r.mode, r.reason)).collect();
    Err(OpenError::NoMode { interface: interface.to_owned(), reasons: reasons.join("; ") })
}

pub(crate) fn try_mode(mode: Mode, facts: &Facts, options: &LiveOptions) -> Result<Vec<Port>, String> {
    let reopens = match mode.way() {
        Some(way) => queues(facts, way, options),
        None if mode == Mode::Packet => members(facts, options),
        None => vec![single(facts, options)],
    };
    let open = |(at, reopen)| Port::open(&facts.interface, facts.index, reopen, options, at == 0);
    reopens.into_iter().enumerate().map(open).collect()
}

/// All receive queues: one that is left out would hide its traffic.
fn queues(facts: &Facts, way: Way, options: &LiveOptions) -> Vec<Reopen> {
    let shared = Arc::new(Mutex::new(Attachment::new(&facts.interface, facts.queues, way)));
    let (ring_bytes, snaplen) = (options.ring_bytes, options.receiver_snaplen(&facts.interface));
    let reopen = |queue| -> Reopen {
        let shared = Arc::clone(&shared);
        Box::new(move || boxed(Xdp::open(&shared, queue, ring_bytes, snaplen)))
    };
    (0..facts.queues).map(reopen).collect()
}

fn members(facts: &Facts, options: &LiveOptions) -> Vec<Reopen> {
    let members = options.fan_out.max(1);
    // Groups are numbered per network namespace: the process and the interface tell ours from others'.
    let group = (members > 1).then(|| (std::process::id() ^ facts.index << 8) as u16);
    let (ring_bytes, snaplen) = (options.ring_bytes, options.receiver_snaplen(&facts.interface));
    let reopen = |_| -> Reopen {
        let (name, filter) = (facts.interface.clone(), options.filter.clone());
        Box::new(move || {
            boxed(Packet::open(sys::interface_index(&name), ring_bytes, snaplen, group, filter.as_deref()))
        })
    };
    (0..members).map(reopen).collect()
}

fn single(facts: &Facts, options: &LiveOptions) -> Reopen {
    let (name, filter) = (facts.interface.clone(), options.filter.clone());
    let (ring_bytes, snaplen) = (options.ring_bytes, options.receiver_snaplen(&name));
    Box::new(move || {
        Pcap::open(&name, ring_bytes, snaplen, filter.as_deref()).map(|r| -> Box<dyn Receiver> { Box::new(r) })
    })
}

fn boxed(opened: std::io::Result<impl Receiver + 'static>) -> Result<Box<dyn Receiver>, String> {
    opened.map(|r| -> Box<dyn Receiver> { Box::new(r) }).map_err(|e| sys::words(&e))
}
