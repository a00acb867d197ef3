//! What a capturing process may do, and how it gives up the rest: capabilities(7), no_new_privs, landlock(7).

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::live::sys::check;

const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_BPF: u32 = 39;
/// Version 3 of `capset` and `capget` (linux/capability.h).
const VERSION: u32 = 0x2008_0522;
/// Capabilities are numbered below this.
const CAPABILITIES: u32 = 64;

/// What opening an interface again needs, should it come back.
const CAPTURE: u64 = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW | 1 << CAP_BPF;
/// What every thread keeps beside: nothing, but for root among folders of others.
static KEPT: AtomicU64 = AtomicU64::new(0);
/// Set by [`confine`].
static CONFINED: AtomicBool = AtomicBool::new(false);

/// Effective, permitted and inheritable capabilities of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sets {
    effective: u64,
    permitted: u64,
    inheritable: u64,
}

impl Sets {
    fn get() -> io::Result<Self> {
        let (header, mut words) = ([VERSION, 0], [0_u32; 6]);
        // SAFETY: the kernel reads the header of two words and writes six words, which are there.
        check(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), words.as_mut_ptr()) } as i32)?;
        let [e0, p0, i0, e1, p1, i1] = words.map(u64::from);
        Ok(Self { effective: e1 << 32 | e0, permitted: p1 << 32 | p0, inheritable: i1 << 32 | i0 })
    }

    fn set(self) -> io::Result<()> {
        let halves = [self.effective, self.permitted, self.inheritable].map(|set| (set as u32, (set >> 32) as u32));
        let [(e0, e1), (p0, p1), (i0, i1)] = halves;
        let (header, words) = ([VERSION, 0], [e0, p0, i0, e1, p1, i1]);
        // SAFETY: the kernel reads a header of two words and six words, which are there.
        check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), words.as_ptr()) } as i32).map(drop)
    }
}

/// Gives up, on this thread and those it starts from now on, everything that capturing does not need: other capabilities than
/// the three, new privileges by executing files, writing elsewhere than beneath `writable`. Says what was done and what could
/// not be. The three stay within reach for [`raised`] only.
pub fn confine(writable: &[PathBuf]) -> Vec<String> {
    CONFINED.store(true, Ordering::Relaxed);
    let mut said = Vec::new();
    let mut tell = |what: &str, done: io::Result<()>| {
        said.push(match done {
            Ok(()) => what.to_owned(),
            Err(why) => format!("not {what}: {why}"),
        });
    };
    // SAFETY: a system call without pointers.
    let no_new = check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop);
    tell("no new privileges", no_new);
    tell("files are written in their folders only (Landlock)", write_only_beneath(writable));
    tell("capabilities given up", keep_capture(writable));
    said
}

/// Root writes to folders of others by a capability; nobody else has it or needs it.
fn keep_capture(writable: &[PathBuf]) -> io::Result<()> {
    let others = writable.iter().any(|path| path.metadata().is_ok_and(|m| m.uid() != 0));
    let now = Sets::get()?;
    let kept = if others { now.effective & 1 << CAP_DAC_OVERRIDE } else { 0 };
    KEPT.store(kept, Ordering::Relaxed);
    forget_bounds(CAPTURE | kept);
    Sets { effective: kept, permitted: now.permitted & (CAPTURE | kept), inheritable: 0 }.set()
}

/// Takes all others out of the bounding set, where that is permitted: what is executed can't gain them.
fn forget_bounds(kept: u64) {
    for capability in (0..CAPABILITIES).filter(|c| kept & 1 << c == 0) {
        // SAFETY: a system call without pointers. It fails for numbers beyond the last capability, and without CAP_SETPCAP,
        // where no_new_privs has the same effect.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// For threads that do not capture, once the process is confined: gives up every capability.
pub fn give_up() {
    if !CONFINED.load(Ordering::Relaxed) {
        return;
    }
    let kept = KEPT.load(Ordering::Relaxed);
    if let Ok(now) = Sets::get() {
        let permitted = now.permitted & kept;
        // To give up is always permitted.
        let _ = Sets { effective: permitted, permitted, inheritable: 0 }.set();
    }
}

/// Runs `action` with the capabilities that this thread has within reach.
pub(crate) fn raised<T>(action: impl FnOnce() -> T) -> T {
    let before = Sets::get().ok();
    if let Some(sets) = before {
        // Where it fails, the action says what it lacks.
        let _ = Sets { effective: sets.permitted, ..sets }.set();
    }
    let result = action();
    if let Some(sets) = before {
        let _ = sets.set();
    }
    result
}

// linux/landlock.h
const WRITE_FILE: u64 = 1 << 1;
/// Removing, making and linking of files and folders.
const CHANGE: u64 = 0x1ff << 4;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const VERSION_FLAG: u32 = 1;
const PATH_BENEATH: u32 = 1;

/// Devices and the kernel's files, such as /dev/null and a thread's name: written, never made.
const SYSTEM: [&str; 2] = ["/dev", "/proc"];

/// From now on this thread and its children write beneath these folders only.
fn write_only_beneath(writable: &[PathBuf]) -> io::Result<()> {
    // SAFETY: asks for the version; no pointer is read.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, VERSION_FLAG) };
    let all = match version {
        ..1 => return Err(io::Error::last_os_error()),
        1 => WRITE_FILE | CHANGE,
        2 => WRITE_FILE | CHANGE | REFER,
        _ => WRITE_FILE | CHANGE | REFER | TRUNCATE,
    };
    // SAFETY: the kernel reads the eight bytes of `handled_access_fs`; the descriptor it gives is ours alone.
    let rules = unsafe {
        let fd = libc::syscall(libc::SYS_landlock_create_ruleset, &raw const all, size_of::<u64>(), 0_u32);
        OwnedFd::from_raw_fd(check(fd as i32)?)
    };
    writable.iter().try_for_each(|path| allow(&rules, path, all))?;
    SYSTEM.iter().try_for_each(|path| allow(&rules, &PathBuf::from(path), all & (WRITE_FILE | TRUNCATE)))?;
    // SAFETY: a system call without pointers, on a descriptor that is open.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u32) } as i32).map(drop)
}

fn allow(rules: &OwnedFd, path: &PathBuf, access: u64) -> io::Result<()> {
    let open = File::options().read(true).custom_flags(libc::O_PATH).open(path);
    let beneath = open.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?;
    let access = if beneath.metadata()?.is_dir() { access } else { access & (WRITE_FILE | TRUNCATE) };
    // `struct landlock_path_beneath_attr` is packed: eight bytes of rights, four of a descriptor.
    let mut rule = [0_u8; 12];
    let bytes = access.to_ne_bytes().into_iter().chain(beneath.as_raw_fd().to_ne_bytes());
    rule.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    // SAFETY: the kernel reads the twelve bytes of the rule; both descriptors are open.
    let added =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), PATH_BENEATH, rule.as_ptr(), 0_u32) };
    check(added as i32).map(drop)
}
