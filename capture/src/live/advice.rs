//! What stands in the way of good captures, and the command that mends it. One line of the list each.

use crate::live::facts::Facts;
use crate::live::machine::Machine;

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What is found, and why it matters.
    pub found: String,
    /// Command that mends it, or that shows where to look.
    pub command: String,
}

/// RoCE with a path MTU of 4096 bytes is 4,170 bytes captured, 4,232 in ERSPAN III: this much must pass behind the
/// Ethernet header.
const ROCE_4096_MTU: u32 = 4_232 - 14;
/// A source locks this much memory by default; several of them more.
const ENOUGH_LOCKED: u64 = 256 * 1024 * 1024;

type Rule<T> = fn(&T) -> Option<Advice>;

const OF_INTERFACES: &[Rule<Facts>] =
    &[down, small_mtu, tags, joined, joined_in_device, small_ring, addresses, enslaved, foreign, lossy];
const OF_MACHINES: &[Rule<Machine>] = &[privileges, locked_memory, huge_pages, clock];

impl Facts {
    /// What to mend on this interface.
    pub fn advice(&self) -> Vec<Advice> {
        OF_INTERFACES.iter().filter_map(|rule| rule(self)).collect()
    }
}

impl Machine {
    /// What to mend on this machine.
    pub fn advice(&self) -> Vec<Advice> {
        OF_MACHINES.iter().filter_map(|rule| rule(self)).collect()
    }
}

fn advise(found: impl Into<String>, command: impl Into<String>) -> Option<Advice> {
    Some(Advice { found: found.into(), command: command.into() })
}

fn down(f: &Facts) -> Option<Advice> {
    let command = format!("ip link set dev {} up", f.interface);
    if f.running { None } else { advise("the interface is down or has no carrier: nothing can arrive", command) }
}

fn small_mtu(f: &Facts) -> Option<Advice> {
    let found =
        format!("MTU {}: RoCE frames of 4096 bytes of payload are {ROCE_4096_MTU} bytes long inside a mirror", f.mtu);
    (f.mtu < ROCE_4096_MTU).then(|| advise(found, format!("ip link set dev {} mtu 9000", f.interface))).flatten()
}

fn tags(f: &Facts) -> Option<Advice> {
    let found = "VLAN tags are taken out of frames: AF_XDP would lose the mirror's VLAN";
    (f.takes_tags == Some(true)).then(|| advise(found, format!("ethtool -K {} rxvlan off", f.interface))).flatten()
}

fn joined(f: &Facts) -> Option<Advice> {
    let found =
        "received segments are joined by software (GRO): TPACKET_V3 and libpcap show frames that were not on the wire";
    // A veth needs it to have frames redirected to it.
    let joins = f.joins_in_software == Some(true) && f.kind.as_deref() != Some("veth");
    joins.then(|| advise(found, format!("ethtool -K {} gro off", f.interface))).flatten()
}

fn joined_in_device(f: &Facts) -> Option<Advice> {
    let found = "received segments are joined by the device (LRO): captured frames were not on the wire so";
    (f.joins_in_device == Some(true)).then(|| advise(found, format!("ethtool -K {} lro off", f.interface))).flatten()
}

fn small_ring(f: &Facts) -> Option<Advice> {
    let (now, most) = f.ring.filter(|(now, most)| now < most)?;
    let found = format!("the device's receive ring has {now} entries of {most}: bursts are lost earlier than need be");
    advise(found, format!("ethtool -G {} rx {most}", f.interface))
}

fn addresses(f: &Facts) -> Option<Advice> {
    let found = "the interface has addresses, which a mirror port should not have: AF_XDP is not used on it unless asked for. If this \
                 machine is reached by them, take another interface for the mirror and leave them";
    f.has_addresses.then(|| advise(found, format!("ip address flush dev {}", f.interface))).flatten()
}

fn enslaved(f: &Facts) -> Option<Advice> {
    let found = "the interface is in a bridge or bond: AF_XDP is not used on it unless asked for";
    f.enslaved.then(|| advise(found, format!("ip link set dev {} nomaster", f.interface))).flatten()
}

fn foreign(f: &Facts) -> Option<Advice> {
    let found = "an XDP program is on the interface already: AF_XDP can't be used beside it";
    f.xdp_program.then(|| advise(found, format!("ip link set dev {} xdp off", f.interface))).flatten()
}

fn lossy(f: &Facts) -> Option<Advice> {
    let found = format!("the device lost {} frames since it was set up; its own counters say where", f.missed);
    let command = format!("ethtool -S {} | grep -iE 'drop|miss|discard|buffer'", f.interface);
    (f.missed > 0).then(|| advise(found, command)).flatten()
}

fn privileges(m: &Machine) -> Option<Advice> {
    let found = format!("missing privileges: {} (TPACKET_V3 and libpcap need CAP_NET_RAW only)", m.missing.join(", "));
    let command = "setcap cap_net_raw,cap_net_admin,cap_bpf+ep fabricscope";
    if m.missing.is_empty() { None } else { advise(found, command) }
}

fn locked_memory(m: &Machine) -> Option<Advice> {
    if m.capabilities.contains(&"CAP_IPC_LOCK") {
        return None;
    }
    let limit = m.locked_memory_bytes.filter(|l| *l < ENOUGH_LOCKED)?;
    let found = format!("{} MiB of memory may be locked: AF_XDP gets smaller rings", limit / (1024 * 1024));
    advise(found, "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit")
}

fn huge_pages(m: &Machine) -> Option<Advice> {
    let (free, total) = m.huge_pages?;
    let found = format!(
        "{free} huge pages are free of {total} set up: rings lie on small pages, which costs some time per frame"
    );
    (free < 32).then(|| advise(found, "sysctl vm.nr_hugepages=128")).flatten()
}

fn clock(m: &Machine) -> Option<Advice> {
    let found = "no time service sets the kernel's leap seconds: the clock is probably not synchronised (chronyc tracking, or \
                 timedatectl, tells)";
    (m.tai_ahead_s == 0).then(|| advise(found, "timedatectl set-ntp true, or: systemctl enable --now chrony")).flatten()
}
