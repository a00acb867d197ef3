//! What the machine gives to live capture, whatever the interface: privileges, locked memory, huge pages, clocks.

use crate::live::sys;

/// Capabilities that live capture can use, by name and number (linux/capability.h).
const CAPABILITIES: [(&str, u32); 4] =
    [("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13), ("CAP_IPC_LOCK", 14), ("CAP_BPF", 39)];
/// May do what `CAP_BPF` may, on every kernel.
const CAP_SYS_ADMIN: u32 = 21;

/// Facts about the machine and this process. What can't be read is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Names of the capabilities that this process has, of those that capture can use.
    pub capabilities: Vec<&'static str>,
    /// Names of those it needs for AF_XDP and does not have.
    pub missing: Vec<&'static str>,
    /// Most memory in bytes that this process may lock; `None` where there is no limit.
    pub locked_memory_bytes: Option<u64>,
    /// Huge pages of the default size: free, and in all.
    pub huge_pages: Option<(u64, u64)>,
    /// By how many seconds `CLOCK_TAI` is ahead of the wall clock: 37 where a time service sets it, 0 where none does.
    pub tai_ahead_s: u64,
}

impl Machine {
    /// Reads the facts.
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|k| k.trim().to_owned());
        let effective = field(&status, "CapEff:").and_then(|v| u64::from_str_radix(v, 16).ok()).unwrap_or(0);
        let has = |number: u32| effective & (1 << number) != 0;
        let (capabilities, missing): (Vec<_>, Vec<_>) = CAPABILITIES.iter().partition(|(_, number)| has(*number));
        let names = |list: Vec<&(&'static str, u32)>| list.into_iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let huge = |name| field(&memory, name).and_then(|v| v.parse().ok());
        let wall = sys::clock_ns(libc::CLOCK_REALTIME);
        let mut missing = names(missing);
        missing.retain(|name| *name != "CAP_IPC_LOCK" && !(*name == "CAP_BPF" && has(CAP_SYS_ADMIN)));
        Self {
            kernel,
            capabilities: names(capabilities),
            missing,
            locked_memory_bytes: sys::memory_lock_limit(),
            huge_pages: huge("HugePages_Free:").zip(huge("HugePages_Total:")),
            tai_ahead_s: sys::clock_ns(libc::CLOCK_TAI).saturating_sub(wall) / 1_000_000_000,
        }
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).and_then(|value| value.split_whitespace().next())
}
