//! Telemetry: sFlow, NetFlow and IPFIX, collectd, statsd, Graphite, InfluxDB lines, Ganglia, Zabbix, Munin, IPMI.

use crate::dpi::bytes::{Bytes, decimal, is_text, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("sflow", "sFlow", Group::Management, Over::UDP, &[6343], "sFlow version 5", |l, _| sflow(l))
        .datagrams(24, &[(0x00, 0x00)]),
    Protocol::new(
        "netflow",
        "NetFlow and IPFIX",
        Group::Management,
        Over::BOTH,
        &[2055, 9995, 9996, 4739],
        "RFC 3954, RFC 7011",
        |l, _| netflow(l),
    )
    .datagrams(20, &[(0x00, 0x00)])
    .also(&["ipfix"]),
    Protocol::new("ipmi", "IPMI and RMCP", Group::Management, Over::UDP, &[623], "IPMI 2.0, ASF 2.0", |l, _| rmcp(l))
        .datagrams(4, &[(0x06, 0x06)])
        .also(&["rmcp"]),
    Protocol::new("zabbix", "Zabbix", Group::Management, Over::TCP, &[10050, 10051], "Zabbix protocols", |l, _| {
        zabbix(l)
    }),
    Protocol::new(
        "collectd",
        "collectd network",
        Group::Management,
        Over::UDP,
        &[25826],
        "collectd binary protocol",
        collectd,
    )
    .datagrams(5, &[(0x00, 0x00), (0x02, 0x02)]),
    Protocol::new(
        "ganglia",
        "Ganglia",
        Group::Management,
        Over::BOTH,
        &[8649, 8651],
        "ganglia gm_protocol.x",
        |l, _| ganglia(l),
    )
    .datagrams(16, &[(0x00, 0x00)]),
    Protocol::new("munin", "Munin node", Group::Management, Over::TCP, &[4949], "munin node protocol", munin),
    Protocol::new("statsd", "StatsD", Group::Management, Over::BOTH, &[8125], "statsd metric types", |l, _| statsd(l))
        .datagrams(1, &[(0x0a, 0x0a), (0x2d, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7d)]),
    Protocol::new(
        "influxdb",
        "InfluxDB line protocol",
        Group::Management,
        Over::BOTH,
        &[8089],
        "InfluxDB line protocol",
        |l, _| influx(l),
    )
    .datagrams(3, &[(0x20, 0x20), (0x2d, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7d)]),
    Protocol::new(
        "graphite",
        "Graphite plaintext",
        Group::Management,
        Over::BOTH,
        &[2003],
        "Graphite plaintext protocol",
        |l, _| graphite(l),
    )
    .datagrams(5, &[(0x20, 0x20), (0x2d, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7d)]),
];

/// Version, kind of agent address, sub-agent, sequence, uptime, samples of known formats.
fn sflow(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(version), Some(kind)) = (here.be32(0), here.be32(4)) else { return Answer::NotForUs };
    let address = match kind {
        1 => 4,
        2 => 16,
        _ => return Answer::NotForUs,
    };
    let at = 8 + address + if version == 5 { 4 } else { 0 };
    let count = here.be32(at + 8);
    let format = here.be32(at + 12).map(|f| f & 0xfff);
    match (version, count) {
        (2 | 4 | 5, Some(0)) if here.len() == at + 12 => Answer::Certain("sflow", 0.85),
        (2 | 4 | 5, Some(1..=512)) if format.is_some_and(|f| (1..=5).contains(&f)) => Answer::Certain("sflow", 0.96),
        _ => Answer::NotForUs,
    }
}

fn netflow(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(version), Some(count)) = (here.be16(0), here.be16(2)) else { return Answer::NotForUs };
    let length = usize::from(count);
    let fixed =
        |head: usize, record: usize, most: usize| (1..=most).contains(&length) && here.len() == head + record * length;
    let clock = |at: usize| here.be32(at).is_some_and(|t| t > 900_000_000);
    match version {
        1 if look.udp() && fixed(16, 52, 24) => Answer::Certain("netflow", 0.9),
        5 if look.udp() && fixed(24, 48, 30) => Answer::Certain("netflow", 0.97),
        7 if look.udp() && fixed(24, 52, 28) => Answer::Certain("netflow", 0.93),
        9 if look.udp() && (1..=512).contains(&length) && clock(8) && sets(here, 20, here.len(), 0..=1) => {
            Answer::Certain("netflow", 0.95)
        }
        10 if length >= 16
            && clock(4)
            && (look.tcp() || length == here.len())
            && sets(here, 16, length.min(here.len()), 2..=3) =>
        {
            Answer::Certain("ipfix", 0.96)
        }
        _ => Answer::NotForUs,
    }
}

/// Sets of an identifier and a length lead to the end (padding of up to three bytes aside).
fn sets(here: &[u8], mut at: usize, end: usize, templates: std::ops::RangeInclusive<u16>) -> bool {
    let mut count = 0;
    while at + 4 <= end {
        let (Some(id), Some(len)) = (here.be16(at), here.be16(at + 2)) else { return false };
        if !(templates.contains(&id) || id >= 256) || len < 4 {
            return false;
        }
        at += usize::from(len);
        count += 1;
    }
    count > 0 && at >= end && at < end + 4
}

/// Version 6, a class: 6 ASF, 7 IPMI, 8 OEM; acknowledgements have the high bit.
fn rmcp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(6), Some(0), Some(class)) = (here.u8(0), here.u8(1), here.u8(3)) else { return Answer::NotForUs };
    match class & 0x1f {
        7 if here.u8(4).is_some_and(|auth| auth <= 6) && here.len() >= 14 => Answer::Certain("ipmi", 0.95),
        6 if here.be32(4) == Some(4542) || class & 0x80 != 0 && here.len() == 4 => Answer::Certain("rmcp", 0.95),
        _ => Answer::NotForUs,
    }
}

fn zabbix(look: &Look<'_>) -> Answer {
    let here = look.here;
    let flags = here.u8(4);
    match () {
        () if here.starts_with(b"ZBXD") && flags.is_none_or(|f| (1..=7).contains(&f)) => Answer::Certain("zabbix", 1.0),
        () if b"ZBXD".starts_with(here) => Answer::Unsure,
        // Passive checks of old servers: a key in one line; the answer carries the header.
        () if look.there.starts_with(b"ZBXD") && is_text(here) => Answer::Certain("zabbix", 0.97),
        () if look.from_start
            && here.len() < 256
            && is_text(here)
            && here.ends_with(b"\n")
            && !here.contains(&b' ') =>
        {
            Answer::Unsure
        }
        () => Answer::NotForUs,
    }
}

/// Parts of a type and a length; the first names the host, or signs, or encrypts.
fn collectd(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (mut at, mut count) = (0, 0);
    while let (Some(kind), Some(len)) = (here.be16(at), here.be16(at + 2)) {
        let known = matches!(kind, 0..=9 | 0x0100 | 0x0101 | 0x0200 | 0x0210);
        if !known || len < 5 || count == 0 && !matches!(kind, 0 | 0x0200 | 0x0210) {
            return Answer::NotForUs;
        }
        let text = here.from(at + 4).first_of(usize::from(len) - 5);
        if kind == 0 {
            if !is_text(text) || text.is_empty() {
                return Answer::NotForUs;
            }
            facts.set("reporting_host", text);
        }
        at += usize::from(len);
        count += 1;
        if count >= 64 {
            break;
        }
    }
    let whole = at == here.len() || count >= 64 || !look.whole;
    match count {
        3.. if whole => Answer::Certain("collectd", 0.96),
        1.. if whole && here.be16(0) == Some(0x0210) => Answer::Certain("collectd", 0.75),
        _ => Answer::NotForUs,
    }
}

/// Metadata and values in XDR, or the XML of gmond and gmetad.
fn ganglia(look: &Look<'_>) -> Answer {
    let here = look.here;
    if look.tcp() {
        let xml = here.starts_with(b"<?xml");
        return match () {
            () if here.find(b"GANGLIA_XML", 4096).is_some() => Answer::Certain("ganglia", 0.97),
            () if xml && here.len() < 4096 || here.is_empty() => Answer::Unsure,
            () => Answer::NotForUs,
        };
    }
    let (Some(128..=140), Some(len)) = (here.be32(0), here.be32(4)) else { return Answer::NotForUs };
    let host = here.part(8, len.min(255) as usize).unwrap_or_default();
    let padded = 8 + (len as usize).next_multiple_of(4);
    let metric = here
        .be32(padded)
        .is_some_and(|n| (1..=255).contains(&n) && here.part(padded + 4, n as usize).is_some_and(is_text));
    if (1..=255).contains(&len) && is_text(host) && metric {
        Answer::Certain("ganglia", 0.96)
    } else {
        Answer::NotForUs
    }
}

fn munin(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let greeting = b"# munin node at ";
    match () {
        () if here.starts_with(greeting) => {
            facts.set("node", here.from(greeting.len()).line(128).unwrap_or_default());
            Answer::Certain("munin", 1.0)
        }
        () if here.starts_with(b"cap multigraph") || here.starts_with(b"cap dirtyconfig") => {
            Answer::Certain("munin", 0.95)
        }
        () if greeting.starts_with(here) || b"cap multigraph".starts_with(here) => Answer::Unsure,
        () => Answer::NotForUs,
    }
}

fn name_like(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'{' | b'}'))
}

fn number_like(text: &[u8]) -> bool {
    !text.is_empty() && text.len() < 32 && std::str::from_utf8(text).is_ok_and(|t| t.parse::<f64>().is_ok())
}

/// `name:value|type` with optional rate and tags, each line.
fn statsd(look: &Look<'_>) -> Answer {
    let mut count = 0;
    for line in look.here.first_of(4096).split(|b| *b == b'\n').filter(|l| !l.is_empty()).take(8) {
        let Some(colon) = line.iter().position(|b| *b == b':') else { return Answer::NotForUs };
        let mut parts = line.from(colon + 1).split(|b| *b == b'|');
        let (value, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let typed = matches!(kind, b"c" | b"g" | b"ms" | b"s" | b"h" | b"d" | b"m");
        if !name_like(line.first_of(colon)) || !typed || !(number_like(value) || kind == b"s" && is_text(value)) {
            return Answer::NotForUs;
        }
        count += 1;
    }
    if count > 0 { Answer::Certain("statsd", 0.93) } else { Answer::Unsure }
}

/// `measurement,tag=value field=value time`.
fn influx(look: &Look<'_>) -> Answer {
    let Some(line) = look.here.line(2048).or(if look.udp() { Some(look.here) } else { None }) else {
        return if look.here.len() < 64 && is_text(look.here) { Answer::Unsure } else { Answer::NotForUs };
    };
    let parts: Vec<&[u8]> = words(line).take(4).collect();
    let (head, fields) = (parts.first().copied().unwrap_or_default(), parts.get(1).copied().unwrap_or_default());
    let tags = head.split(|b| *b == b',').skip(1).all(|t| t.contains(&b'='));
    let good = |f: &[u8]| {
        let at = f.iter().position(|b| *b == b'=');
        at.is_some_and(|at| {
            let value = f.from(at + 1);
            at > 0
                && (number_like(value)
                    || value.strip_suffix(b"i").is_some_and(number_like)
                    || value.starts_with(b"\"")
                    || matches!(value, b"t" | b"f" | b"true" | b"false"))
        })
    };
    let time = parts.get(2).is_none_or(|t| number_like(t));
    let name = head.split(|b| *b == b',').next().unwrap_or_default();
    let shaped = is_text(line)
        && name_like(name)
        && tags
        && !fields.is_empty()
        && fields.split(|b| *b == b',').all(good)
        && time
        && parts.len() <= 3;
    match shaped {
        true if head.contains(&b',') => Answer::Certain("influxdb", 0.93),
        true => Answer::Certain("influxdb", 0.75),
        false => Answer::NotForUs,
    }
}

/// `path value time`: a dotted path, a number, seconds.
fn graphite(look: &Look<'_>) -> Answer {
    let Some(line) = look.here.line(1024) else {
        return if look.tcp() && look.here.len() < 64 && is_text(look.here) {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    };
    let parts: Vec<&[u8]> = words(line).take(4).collect();
    let [path, value, time] = parts.as_slice() else { return Answer::NotForUs };
    let path_only = path.split(|b| *b == b';').next().unwrap_or_default();
    let dotted = name_like(path_only) && path_only.contains(&b'.') && path_only.iter().any(u8::is_ascii_alphabetic);
    let clock = decimal(time).is_some_and(|t| t > 900_000_000) || *time == b"-1" || *time == b"N";
    if dotted && number_like(value) && clock { Answer::Certain("graphite", 0.93) } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn flow_records() {
        let mut v5 = vec![0, 5, 0, 1];
        v5.resize(72, 0);
        assert_eq!(named(Over::UDP, 9, 1, &v5), Some("netflow"));
        v5.push(0);
        assert_eq!(named(Over::UDP, 9, 2055, &v5), None);
        let ipfix = [0, 10, 0, 24, 0x60, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 8, 1, 0, 0, 0];
        assert_eq!(named(Over::UDP, 9, 1, &ipfix), Some("ipfix"));
        let mut sflow =
            vec![0, 0, 0, 5, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1];
        assert_eq!(named(Over::UDP, 9, 1, &sflow), Some("sflow"));
        sflow[3] = 6;
        assert_eq!(named(Over::UDP, 9, 6343, &sflow), None);
    }

    #[test]
    fn metrics_in_text() {
        assert_eq!(named(Over::UDP, 9, 1, b"gpu.util:71|g\njobs:1|c|@0.1\n"), Some("statsd"));
        assert_eq!(named(Over::UDP, 9, 1, b"gpu,host=n1 util=1,temp=61.5\n"), Some("influxdb"));
        assert_eq!(named(Over::TCP, 9, 1, b"node7.gpu0.util 71.5 1700000000\n"), Some("graphite"));
        assert_eq!(named(Over::UDP, 9, 8125, b"hello world\n"), None);
    }

    #[test]
    fn agents() {
        assert_eq!(named(Over::TCP, 9, 1, b"ZBXD\x01\x05\0\0\0\0\0\0\0"), Some("zabbix"));
        assert_eq!(
            feed(Over::TCP, 9, 1, &[(true, b"agent.ping\n"), (false, b"ZBXD\x01\x01\0\0\0\0\0\0\x001")])
                .named
                .unwrap()
                .name,
            "zabbix"
        );
        assert_eq!(named(Over::TCP, 9, 1, b"# munin node at node7\n"), Some("munin"));
        assert_eq!(named(Over::UDP, 9, 1, b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09"), Some("ipmi"));
        assert_eq!(
            named(Over::UDP, 9, 1, b"\0\0\0\x06n\0\0\x01\0\x0c\0\0\0\0\0\0\0\x01\0\x02\0\x08cpu\0"),
            Some("collectd")
        );
        assert_eq!(named(Over::UDP, 9, 1, b"\0\0\0\x80\0\0\0\x02vm\0\0\0\0\0\x04load"), Some("ganglia"));
    }
}
