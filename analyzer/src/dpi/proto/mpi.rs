//! MPI over TCP: Open MPI's BTL and out-of-band channel, MPICH's Hydra and PMI.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "openmpi",
        "Open MPI: BTL and out-of-band over TCP",
        Group::Training,
        Over::TCP,
        &[],
        "ompi opal/mca/btl/tcp, orte/mca/oob/tcp",
        |l, _| openmpi(l),
    ),
    Protocol::new(
        "hydra",
        "MPICH and Intel MPI: Hydra process manager and PMI",
        Group::Training,
        Over::TCP,
        &[],
        "mpich src/pm/hydra, src/pmi",
        hydra,
    ),
];

/// The magic of the BTL's handshake behind the process name; the header of an out-of-band message; a match fragment.
fn openmpi(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.has(8, b"OPAL-TCP-BTL") {
        return Answer::Certain("openmpi", 1.0);
    }
    if here.len() < 20 && b"OPAL-TCP-BTL".starts_with(here.from(8)) && look.from_start {
        return Answer::Unsure;
    }
    if out_of_band(here) {
        return Answer::Certain("openmpi", 0.95);
    }
    if fragment(here) { Answer::Certain("openmpi", 0.85) } else { Answer::NotForUs }
}

/// mca_oob_tcp_hdr_t: origin and destination of one job family, tag, sequence, length, kind, then the routed module's name.
fn out_of_band(here: &[u8]) -> bool {
    let (Some(job), Some(other), Some(len)) = (here.le32(0), here.le32(8), here.be32(24)) else { return false };
    let rank = |at| here.le32(at).is_some_and(|r| r < 1 << 20 || r == u32::MAX);
    let family = job >> 16 == other >> 16 && job >> 16 != 0 && job & 0xffff <= 64 && other & 0xffff <= 64;
    let routed = [&b"radix\0"[..], b"direct\0", b"binomial\0", b"debruijn\0"].iter().any(|name| here.has(29, name));
    let greeting = here.le32(16) == Some(0) && len == 8 && here.u8(28) == Some(1);
    family && rank(4) && rank(12) && len < 1 << 26 && (routed || greeting)
}

/// mca_btl_tcp_hdr_t (tag of the PML, send, no segments, size) and the PML's match header behind it.
fn fragment(here: &[u8]) -> bool {
    let head = here.starts_with(&[0x41, 1, 0, 0]);
    let size = here.le32(4).is_some_and(|s| (14..1 << 26).contains(&s));
    head && size
        && here.u8(8).is_some_and(|kind| (0x41..=0x49).contains(&kind))
        && here.u8(9).is_some_and(|flags| flags < 16)
}

fn hydra(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    // The manager's arguments for its proxies, each behind its length.
    let arguments = here.find(b"\x0a\0\0\0--version\0", 128).is_some();
    let control = arguments
        || intel_proxy(look)
        || here.starts_with(b"HYD\0")
        || here.has(8, b"-upstream-ho")
        || here.has(9, b"upstream-ho");
    if control {
        return Answer::Certain("hydra", 0.97);
    }
    // PMI-1 text, alone or behind Hydra's header whose size differs by version.
    let at = here.first_of(72).windows(4).position(|w| w == b"cmd=");
    if let Some(text) = at.map(|at| here.from(at)).filter(|t| is_text(t.first_of(12))) {
        let word = text.from(4).split(|b| matches!(b, b' ' | b'\n' | b'\r' | 0)).next().unwrap_or_default();
        if PMI.contains(&word) {
            facts.set("pmi", text.line(128).unwrap_or(text.first_of(64)));
            return Answer::Certain("hydra", 0.95);
        }
    }
    if manager_record(look) {
        return Answer::Unsure;
    }
    let begun =
        here.len() < 8 && [&b"HYD\0"[..], b"cmd=", b"mcmd="].iter().any(|m| m.starts_with(here.first_of(m.len())));
    if begun { Answer::Unsure } else { Answer::NotForUs }
}

/// The manager's first record: command 1, then a filled or a blank identifier; what tells it apart follows.
fn manager_record(look: &Look<'_>) -> bool {
    let here = look.here;
    let rest = here.from(4).first_of(4);
    look.from_start
        && here.le32(0) == Some(1)
        && here.len() < 400
        && (matches!(rest, [0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff]) || here.len() < 98)
}

/// Intel MPI's manager tells its proxy the address that it is to use: a header, a record of 300 bytes with the text.
fn intel_proxy(look: &Look<'_>) -> bool {
    let here = look.here;
    let head = here.le32(0) == Some(1) && here.part(20, 32).is_some_and(|z| z.iter().all(|b| *b == 0));
    let text = here.from(52).first_of(46);
    let end = text.iter().position(|b| *b == 0).unwrap_or(0);
    let address = std::str::from_utf8(text.first_of(end)).is_ok_and(|t| t.parse::<std::net::IpAddr>().is_ok());
    look.from_start && head && address
}

/// Commands of PMI-1 and of its answers.
const PMI: &[&[u8]] = &[
    b"init",
    b"response_to_init",
    b"get_maxes",
    b"maxes",
    b"get_appnum",
    b"appnum",
    b"get_my_kvsname",
    b"my_kvsname",
    b"get_universe_size",
    b"universe_size",
    b"barrier_in",
    b"barrier_out",
    b"put",
    b"put_result",
    b"get",
    b"get_result",
    b"finalize",
    b"finalize_ack",
    b"fullinit",
    b"spawn",
    b"mput",
    b"keyval_cache",
    b"abort",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn handshakes() {
        assert_eq!(named(Over::TCP, 9, 1, b"\x01\x02\x03\x04\0\0\0\x01OPAL-TCP-BTL\0"), Some("openmpi"));
        assert_eq!(named(Over::TCP, 9, 1, b"cmd=init pmi_version=1 pmi_subversion=1\n"), Some("hydra"));
        assert_eq!(named(Over::TCP, 9, 1, b"HYD\0\0\0\0\0\x02\0\0\0"), Some("hydra"));
        assert_eq!(named(Over::TCP, 9, 1, b"cmd=eject\n"), None);
    }

    #[test]
    fn out_of_band_greets() {
        let mut hello = vec![0, 0, 0, 0xe0, 3, 0, 0, 0, 0, 0, 0, 0xe0, 0, 0, 0, 0];
        hello.extend([0; 8]);
        hello.extend([0, 0, 0, 8, 1]);
        hello.extend([0; 40]);
        assert_eq!(named(Over::TCP, 9, 1, &hello), Some("openmpi"));
        hello[11] = 0xe1;
        assert_eq!(named(Over::TCP, 9, 1, &hello), None);
    }
}
