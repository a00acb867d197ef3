//! HTTP/2 in the clear, and gRPC over it (RFC 9113, gRPC over HTTP2).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::h2::hpack::{Decoder, Header};
use crate::dpi::protocol::{Answer, Group, Look, Name, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "http2",
    "HTTP/2 in the clear, and gRPC",
    Group::Rpc,
    Over::TCP,
    &[50051, 2379, 2380],
    "RFC 9113, RFC 7541, gRPC over HTTP2",
    probe,
)
.also(&["grpc", "doh"])];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
/// What gRPC in Go sends to estimate bandwidth and delay (`bdpPing` in grpc-go `internal/transport/bdp_estimator.go`).
const BANDWIDTH_PING: [u8; 8] = [2, 4, 16, 16, 9, 14, 7, 7];

/// A frame's head: length, type, flags, stream.
#[derive(Clone, Copy)]
struct Frame {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// A head whose fields agree with its type (RFC 9113 6).
fn frame(bytes: &[u8]) -> Option<Frame> {
    let (len, kind, flags, stream) = (bytes.be24(0)? as usize, bytes.u8(3)?, bytes.u8(4)?, bytes.be32(5)?);
    let fits = stream >> 24 == 0
        && match kind {
            DATA => stream != 0 && flags & !0x09 == 0 && (len > 0 || flags & 1 == 1),
            HEADERS => stream != 0 && flags & !0x2d == 0 && len > 0,
            2 => stream != 0 && len == 5,
            3 => stream != 0 && len == 4,
            SETTINGS => stream == 0 && flags & !1 == 0 && len % 6 == 0 && (flags == 0 || len == 0),
            6 => stream == 0 && len == 8 && flags & !1 == 0,
            7 => stream == 0 && len >= 8,
            8 => len == 4,
            9 => stream != 0 && flags & !4 == 0,
            _ => false,
        };
    (fits && len <= 1 << 20).then_some(Frame { len, kind, flags, stream })
}

/// What a walk over frames found.
#[derive(Default)]
struct Walk {
    frames: usize,
    /// Bytes inside the frames.
    content: usize,
    grpc: bool,
    requested: bool,
    settings: bool,
    whole: bool,
    headers: Vec<Header>,
    broken: bool,
}

fn walk(bytes: &[u8]) -> Walk {
    let mut found = Walk { whole: true, ..Walk::default() };
    let mut decoder = Decoder::default();
    let mut at = 0;
    while at + 9 <= bytes.len() && found.frames < 64 {
        let Some(frame) = frame(bytes.from(at)) else {
            found.broken = true;
            break;
        };
        let body = bytes.from(at + 9).first_of(frame.len);
        found.whole = body.len() == frame.len;
        match frame.kind {
            HEADERS => found.headers.extend(decoder.block(fragment(body, frame.flags))),
            SETTINGS => {
                found.settings = true;
                // A setting that only gRPC's own implementations send.
                found.grpc |= body.chunks_exact(6).any(|s| s.be16(0) == Some(0xfe03));
            }
            DATA if message(body, frame.len) => found.grpc = true,
            PING if body == BANDWIDTH_PING => found.grpc = true,
            _ => {}
        }
        found.requested |= frame.kind == HEADERS && frame.stream % 2 == 1;
        found.frames += 1;
        found.content += body.len();
        at += 9 + frame.len;
    }
    found.grpc |= found.headers.iter().any(is_grpc) || found.headers.iter().any(is_post) && called(&found.headers);
    found
}

/// A header block without padding and priority.
fn fragment(body: &[u8], flags: u8) -> &[u8] {
    let padding = if flags & 8 != 0 { 1 } else { 0 };
    let priority = if flags & 0x20 != 0 { 5 } else { 0 };
    body.from(padding + priority)
}

/// gRPC messages fill their frame to its end: each compressed or not, its length, so many bytes.
fn message(body: &[u8], len: usize) -> bool {
    let mut at = 0;
    while body.u8(at).is_some_and(|compressed| compressed <= 1)
        && let Some(length) = body.be32(at + 1)
    {
        at = at.saturating_add(length as usize).saturating_add(5);
        if at >= len {
            return at == len;
        }
    }
    false
}

fn is_grpc((name, value): &Header) -> bool {
    match name.as_slice() {
        b"content-type" => value.starts_with(b"application/grpc"),
        b"te" => false,
        _ => name.starts_with(b"grpc-"),
    }
}

/// DNS over HTTPS, without TLS around it or behind what ended it (RFC 8484).
fn is_dns((name, value): &Header) -> bool {
    matches!(name.as_slice(), b"content-type" | b"accept") && value == b"application/dns-message"
}

fn is_post((name, value): &Header) -> bool {
    name == b":method" && value == b"POST"
}

/// The path is a procedure of a service with a package: `/package.Service/Method`.
fn called(headers: &[Header]) -> bool {
    headers.iter().any(|(name, value)| name == b":path" && procedure(value).is_some_and(|(s, _)| s.contains(&b'.')))
}

/// Service and method of a path (gRPC over HTTP2, "Requests").
fn procedure(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let path = path.strip_prefix(b"/")?;
    let at = memchr::memchr(b'/', path)?;
    let (service, method) = (path.first_of(at), path.from(at + 1));
    let word = |text: &[u8]| {
        let rest = text.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_');
        rest && text.first().is_some_and(u8::is_ascii_alphabetic)
    };
    (service.split(|&b| b == b'.').all(word) && word(method)).then_some((service, method))
}

/// Whose procedures these are, by the package of their service.
const SERVICES: [(&[u8], &str); 14] = [
    (b"etcdserverpb.", "etcd"),
    (b"ray.", "ray"),
    (b"gnmi.", "gnmi"),
    (b"gnoi.", "gnoi"),
    (b"gribi.", "gribi"),
    (b"p4.v1.", "p4runtime"),
    (b"tensorflow.", "tensorflow"),
    (b"xla.", "xla"),
    (b"inference.", "triton"),
    (b"runtime.v1", "kubernetes"),
    (b"v1beta1.", "kubernetes"),
    (b"containerd.", "containerd"),
    (b"milvus.proto.", "milvus"),
    (b"opentelemetry.proto.", "opentelemetry"),
];

/// Service, method and whose they are.
fn tell_call(path: &[u8], facts: &mut Facts) {
    let Some((service, method)) = procedure(path) else { return };
    facts.set("grpc_service", service);
    facts.set("grpc_method", method);
    let known = SERVICES.iter().find(|(package, _)| service.starts_with(package)).map(|(_, name)| *name);
    facts.note("service", known.unwrap_or_default());
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() < PREFACE.len() && PREFACE.starts_with(here) {
        return Answer::Unsure;
    }
    let preface = here.starts_with(PREFACE);
    let found = walk(if preface { here.from(PREFACE.len()) } else { here });
    tell(&found.headers, facts);
    if found.grpc {
        found.headers.iter().filter(|(name, _)| name == b":path").for_each(|(_, path)| tell_call(path, facts));
    }
    if found.headers.iter().any(is_dns) {
        return Answer::Certain("doh", 1.0);
    }
    if preface {
        return opened(&found);
    }
    if found.frames == 0 || found.broken && found.frames < 2 {
        let begun = here.len() < 9
            && look.from_start
            && here.be24(0).is_none_or(|l| l < 1024)
            && here.u8(3).is_none_or(|k| k == SETTINGS);
        return if begun { Answer::Unsure } else { Answer::NotForUs };
    }
    if look.from_start {
        // A server opens by SETTINGS.
        return match found.settings && here.u8(3) == Some(SETTINGS) {
            true if found.grpc => Answer::Certain("grpc", 0.97),
            true => Answer::SoFar("http2", if look.there.starts_with(PREFACE) { 1.0 } else { 0.9 }),
            false => Answer::NotForUs,
        };
    }
    middle(&found)
}

fn opened(found: &Walk) -> Answer {
    match (found.grpc, found.requested && !found.headers.is_empty()) {
        (true, _) => Answer::Certain("grpc", 1.0),
        (_, true) if found.headers.iter().any(|(n, _)| n == b":path") => Answer::Certain("http2", 1.0),
        _ => Answer::SoFar("http2", 1.0),
    }
}

/// Frames in the middle of a connection: two that follow on each other, or one whose content speaks.
fn middle(found: &Walk) -> Answer {
    let name: Name = if found.grpc { "grpc" } else { "http2" };
    let known = found.headers.iter().any(|(n, _)| n.starts_with(b":") || n == b"content-type");
    match found.frames {
        2.. if found.whole && !found.broken && found.content >= 4 => by(name, 0.93),
        _ if found.grpc && found.whole && !found.broken => by(name, 0.94),
        _ if known || found.grpc && found.whole => by(name, 0.85),
        1 if found.whole && !found.broken && found.content >= 4 => by(name, 0.75),
        _ => Answer::NotForUs,
    }
}

/// The name may still become more specific.
fn by(name: Name, confidence: f32) -> Answer {
    if name == "grpc" { Answer::Certain(name, confidence) } else { Answer::SoFar(name, confidence) }
}

fn tell(headers: &[Header], facts: &mut Facts) {
    for (name, value) in headers {
        match name.as_slice() {
            b":authority" => facts.host(value),
            b":path" => facts.set("path", value),
            b":method" => facts.set("method", value),
            b":status" => facts.set("status", value),
            b"user-agent" => facts.set("user_agent", value),
            b"server" => facts.set("server", value),
            b"content-type" => facts.set("content_type", value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, feed_mid, named};

    fn frame_of(kind: u8, flags: u8, stream: u8, body: &[u8]) -> Vec<u8> {
        [&[0, 0, body.len() as u8, kind, flags, 0, 0, 0, stream][..], body].concat()
    }

    /// POST, http, a literal path and content type without indexing.
    fn request(content_type: &[u8]) -> Vec<u8> {
        let mut block = vec![0x83, 0x86, 0x04, 13];
        block.extend(b"/pkg.Svc/Call");
        block.extend([0x0f, 0x10, content_type.len() as u8]);
        block.extend(content_type);
        frame_of(HEADERS, 4, 1, &block)
    }

    #[test]
    fn grpc_by_its_content_type() {
        let open = [PREFACE, &frame_of(SETTINGS, 0, 0, &[]), &request(b"application/grpc")].concat();
        let label = feed(Over::TCP, 9, 1, &[(true, &open)]);
        assert_eq!(label.named.unwrap().name, "grpc");
        let attrs = label.attrs.unwrap();
        for told in [("path", "/pkg.Svc/Call"), ("grpc_service", "pkg.Svc"), ("grpc_method", "Call")] {
            assert!(attrs.iter().any(|(name, value)| (*name, value.as_str()) == told), "{told:?} of {attrs:?}");
        }
        let dns = [PREFACE, &frame_of(SETTINGS, 0, 0, &[]), &request(b"application/dns-message")].concat();
        assert_eq!(named(Over::TCP, 9, 1, &dns), Some("doh"));
        let mut get = request(b"text/html");
        get[9] = 0x82;
        let other = [PREFACE, &frame_of(SETTINGS, 0, 0, &[]), &get].concat();
        assert_eq!(named(Over::TCP, 9, 1, &other), Some("http2"));
    }

    /// Cut before its content type, a request is known by what it calls.
    #[test]
    fn grpc_by_what_it_calls() {
        let call = request(b"application/grpc");
        let cut = [PREFACE, &frame_of(SETTINGS, 0, 0, &[]), &call[..9 + 4 + 13]].concat();
        assert_eq!(named(Over::TCP, 9, 1, &cut), Some("grpc"));
        assert_eq!(procedure(b"/gnmi.gNMI/Subscribe"), Some((&b"gnmi.gNMI"[..], &b"Subscribe"[..])));
        for other in [&b"/index.html"[..], b"/a/b/c", b"/v1.2/x", b"/a.b/", b"//x", b"/a.b/c?d=1"] {
            let shaped = procedure(other).is_some_and(|(service, _)| service.contains(&b'.'));
            assert!(!shaped, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn messages_that_fill_their_frame() {
        let two = [0, 0, 0, 0, 2, 8, 1, 1, 0, 0, 0, 1, 9];
        assert!(message(&two, two.len()) && !message(&two, two.len() + 1) && !message(&two[..12], 12));
        let cut = [0, 0, 0, 1, 0, 8, 1];
        assert!(message(&cut, 261), "the mirror cut the rest");
        let data = frame_of(DATA, 0, 1, &two);
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &data)]).named.unwrap().name, "grpc");
        let other = frame_of(DATA, 1, 1, b"plain text, as a page has it");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &[other.clone(), other].concat())]).named.unwrap().name, "http2");
    }

    #[test]
    fn the_middle_of_a_connection() {
        let data = frame_of(DATA, 0, 1, &[0, 0, 0, 0, 3, 1, 2, 3]);
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &data)]).named.unwrap().name, "grpc");
        let ping = [frame_of(6, 0, 0, &[0; 8]), frame_of(8, 0, 0, &[0, 0, 1, 0])].concat();
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &ping)]).named.unwrap().name, "http2");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &[0; 40])]).named, None);
    }
}
