//! Schedulers and task graphs: Slurm, Dask, Gearman, beanstalkd.

use crate::dpi::bytes::{Bytes, is_text, words};
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "slurm",
        "Slurm workload manager",
        Group::Training,
        Over::TCP,
        &[6817, 6818, 6819],
        "slurm src/common/slurm_protocol_pack.c",
        |l, _| slurm(l),
    ),
    Protocol::new(
        "dask",
        "Dask distributed",
        Group::Training,
        Over::TCP,
        &[8786],
        "distributed/comm/tcp.py, distributed/protocol",
        |l, _| dask(l),
    ),
    Protocol::new("gearman", "Gearman", Group::Queue, Over::TCP, &[4730], "gearman.org protocol", |l, _| gearman(l)),
    Protocol::new(
        "beanstalkd",
        "beanstalkd work queue",
        Group::Queue,
        Over::TCP,
        &[11300],
        "beanstalkd doc/protocol.txt",
        |l, _| beanstalkd(l),
    ),
];

/// A header: protocol version (release number in the high byte), flags, message type, length of the body.
fn slurm_header(here: &[u8], at: usize) -> bool {
    let (Some(version), Some(flags), Some(kind), Some(len)) =
        (here.be16(at), here.be16(at + 2), here.be16(at + 4), here.be32(at + 6))
    else {
        return false;
    };
    (0x1c00..=0x3200).contains(&version)
        && version & 0xff == 0
        && flags < 0x200
        && (1001..=12_000).contains(&kind)
        && len < 1 << 28
}

/// A credential of MUNGE: the plugin's number, a length, text.
fn munge(here: &[u8], at: usize) -> bool {
    here.be32(at) == Some(101) && here.has(at + 8, b"MUNGE:") || here.has(at, b"MUNGE:")
}

fn slurm(look: &Look<'_>) -> Answer {
    let here = look.here;
    if slurm_header(here, 4) && here.be32(0).is_some_and(|len| (16..1 << 28).contains(&len)) {
        return Answer::Certain("slurm", 0.95);
    }
    if (14..48).any(|at| munge(here, at)) && here.first_of(14).iter().filter(|b| **b == 0).count() >= 4
        || munge(here, 0) && !look.from_start
    {
        return Answer::Certain("slurm", 0.95);
    }
    if !look.from_start && slurm_header(here, 0) {
        return Answer::Certain("slurm", 0.75);
    }
    let begun = here.len() < 54
        && here.be32(0).is_none_or(|len| len < 1 << 24)
        && here.be16(4).is_none_or(|v| (0x1c00..=0x3200).contains(&v));
    if begun { Answer::Unsure } else { Answer::NotForUs }
}

/// Total length, number of frames, length of each, in 64 bits little-endian: they must agree.
fn dask(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(total), Some(count)) = (here.le64(0), here.le64(8)) else {
        return if here.len() < 16 && here.from(4).first_of(4).iter().all(|b| *b == 0) {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    };
    if !(1..=64).contains(&count) || !(24..=1 << 32).contains(&total) {
        return Answer::NotForUs;
    }
    let mut sum = 8 * (count + 1);
    for i in 0..count as usize {
        let Some(len) = here.le64(16 + 8 * i) else { return Answer::Unsure };
        sum = sum.saturating_add(len);
    }
    match sum == total {
        true if total > 32 => Answer::Certain("dask", 0.96),
        true => Answer::Certain("dask", 0.85),
        false => Answer::NotForUs,
    }
}

/// Magic of requests or responses, a type, a length.
fn gearman(look: &Look<'_>) -> Answer {
    let here = look.here;
    // The text protocol's status: name, jobs, running, workers, then a dot.
    let status = here
        .line(512)
        .is_some_and(|l| l.split(|b| *b == b'\t').skip(1).filter(|n| n.iter().all(u8::is_ascii_digit)).count() == 3);
    if status && here.ends_with(b"\n.\n") && is_text(here.first_of(256)) {
        return Answer::Certain("gearman", 0.85);
    }
    let magic = here.starts_with(b"\0REQ") || here.starts_with(b"\0RES");
    match (here.be32(4), here.be32(8)) {
        (Some(1..=43), Some(_)) if magic => Answer::Certain("gearman", 1.0),
        (Some(_), Some(_)) => Answer::NotForUs,
        _ if magic || b"\0RE".starts_with(here.first_of(3)) => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

fn beanstalkd(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(line) = here.line(256) else {
        return if here.len() < 16 && is_text(here) { Answer::Unsure } else { Answer::NotForUs };
    };
    if !here.has(line.len(), b"\r\n") {
        return Answer::NotForUs;
    }
    let parts: Vec<&[u8]> = words(line).take(6).collect();
    let number = |i: usize| parts.get(i).is_some_and(|w: &&[u8]| w.iter().all(u8::is_ascii_digit));
    let found = match parts.first().copied().unwrap_or_default() {
        b"put" => parts.len() == 5 && (1..5).all(number),
        b"INSERTED" | b"BURIED" | b"WATCHING" | b"KICKED" => parts.len() == 2 && number(1),
        b"RESERVED" => parts.len() == 3 && number(1) && number(2),
        b"reserve-with-timeout" | b"peek" | b"release" | b"bury" => number(1),
        b"list-tubes" | b"list-tube-used" | b"stats-tube" | b"stats-job" => true,
        b"use" | b"watch" | b"USING" => {
            return if parts.len() == 2 { Answer::Certain("beanstalkd", 0.75) } else { Answer::NotForUs };
        }
        _ => false,
    };
    if found { Answer::Certain("beanstalkd", 0.95) } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn slurm_and_dask() {
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\x01\xba\x26\0\0\0\x03\xea\0\0\0\xe6\0\0\0\0\0\0"), Some("slurm"));
        assert_eq!(named(Over::TCP, 9, 1, b"\0\0\x01\xba\x26\x07\0\0\x03\xea\0\0\0\xe6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), None);
        let mut frames: Vec<u8> = [58_u64, 1, 42].iter().flat_map(|w| w.to_le_bytes()).collect();
        frames.extend([0x83; 42]);
        assert_eq!(named(Over::TCP, 9, 1, &frames), Some("dask"));
    }

    #[test]
    fn queues() {
        assert_eq!(named(Over::TCP, 9, 1, b"\0REQ\0\0\0\x16\0\0\0\x02w1"), Some("gearman"));
        assert_eq!(named(Over::TCP, 9, 1, b"put 10 0 60 5\r\nxxxxx\r\n"), Some("beanstalkd"));
        let label = feed(Over::TCP, 9, 1, &[(true, b"use jobs\r\n"), (false, b"USING jobs\r\n")]);
        assert_eq!(label.named.unwrap().name, "beanstalkd");
    }
}
