//! Which processors a reading thread stays on: those close to the interface's memory, unless the user says otherwise.

#![allow(unsafe_code)]

use std::io;

use crate::live::sys::check;

/// Processors that a machine is expected to have at most.
const MAX: usize = 1_024;

/// The processors of an interface's NUMA node; nothing where the device does not tell it, or the machine has one node only.
pub fn near(interface: &str) -> Option<Vec<usize>> {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let node: u32 = read(format!("/sys/class/net/{interface}/device/numa_node"))?.trim().parse().ok()?;
    let nodes = parse(&read("/sys/devices/system/node/online".to_owned())?)?;
    let near = parse(&read(format!("/sys/devices/system/node/node{node}/cpulist"))?)?;
    (nodes.len() > 1 && !near.is_empty()).then_some(near)
}

/// A list as the kernel and people write it: `0-3,8`. Nothing where it is none, or numbers are out of range.
pub fn parse(text: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= MAX {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

/// Keeps the calling thread on these processors, and threads that it starts from then on.
///
/// # Errors
/// When none of them is there, or may be used by this process.
pub fn stay_on(processors: &[usize]) -> io::Result<()> {
    let mut mask = [0_u64; MAX / 64];
    for &processor in processors {
        if let Some(word) = mask.get_mut(processor / 64) {
            *word |= 1 << (processor % 64);
        }
    }
    // SAFETY: the kernel reads as many bytes of the mask as it has; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&mask), mask.as_ptr().cast()) }).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse("5"), Some(vec![5]));
        for wrong in ["", "3-1", "a", "0-99999", "-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_thread_stays_where_it_was_told_to() {
        let of = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
        };
        let first = parse(&of()).unwrap()[0];
        std::thread::spawn(move || {
            stay_on(&[first]).unwrap();
            assert_eq!(of(), first.to_string());
            assert!(stay_on(&[1_000]).is_err(), "no machine here has so many");
        })
        .join()
        .unwrap();
    }
}
