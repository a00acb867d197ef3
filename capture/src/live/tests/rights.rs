//! What is given up is gone; what capturing needs stays within reach.

use std::fs::{self, File};
use std::io::{Write as _, stderr};

use crate::live::rights::{confine, raised};

/// Effective capabilities of this thread.
fn effective() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let text = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap().trim();
    u64::from_str_radix(text, 16).unwrap()
}

#[test]
fn a_confined_thread_writes_in_its_folder_only() {
    let thread = std::thread::spawn(|| {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = effective();
        let said = confine(&[inside.path().to_owned()]);
        assert_eq!(effective(), 0, "{said:?}");
        let three = before & (1 << 12 | 1 << 13 | 1 << 39);
        assert_eq!((raised(effective), effective()), (three, 0));
        File::create(inside.path().join("a")).unwrap();
        fs::rename(inside.path().join("a"), inside.path().join("b")).unwrap();
        if said.iter().any(|s| s.starts_with("not files")) {
            let _ = writeln!(stderr(), "SKIPPED: no Landlock: {said:?}");
            return;
        }
        assert!(File::create(outside.path().join("a")).is_err(), "{said:?}");
        assert!(fs::write("/dev/null", "x").is_ok());
    });
    thread.join().unwrap();
}
