//! HTTP/1: requests, responses, and what their headers tell of the service behind (RFC 9112).

use crate::dpi::bytes::{Bytes, decimal, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Datagrams, Group, Look, Name, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "http",
    also: &[
        "websocket",
        "http-proxy",
        "s3",
        "prometheus",
        "clickhouse",
        "elasticsearch",
        "soap",
        "json-rpc",
        "xml-rpc",
        "webdav",
        "docker",
        "etcd",
        "kubernetes",
        "ocsp",
        "ipp",
        "doh",
    ],
    title: "Hypertext Transfer Protocol 1.x and services over it",
    group: Group::Rpc,
    over: Over::TCP,
    ports: &[80, 8000, 8008, 8080, 8081, 8123, 8888, 9090, 9100, 9200, 9400, 2375, 2379, 3128, 5985],
    source: "RFC 9112, RFC 9110, RFC 6455, RFC 4918",
    probe,
    datagrams: Datagrams::ALL,
}];

/// Methods of RFC 9110, RFC 5789, RFC 4918, RFC 3253, RFC 5323 and those of UPnP and MS-RPCH.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SEARCH",
    b"MKCALENDAR",
    b"CHECKOUT",
    b"MERGE",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"NOTIFY",
    b"M-SEARCH",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"BITS_POST",
    b"CCM_POST",
    b"SSTP_DUPLEX_POST",
    b"PURGE",
];

/// Longest request line that is read.
const MAX_LINE: usize = 8192;
/// Headers looked at.
const MAX_HEADERS: usize = 64;

/// A request or response as far as it is there.
#[derive(Default)]
pub struct Message<'a> {
    /// Request method; empty for a response.
    pub method: &'a [u8],
    /// Request target.
    pub target: &'a [u8],
    /// Response status.
    pub status: u64,
    headers: Vec<(&'a [u8], &'a [u8])>,
    /// Where the body begins, once the headers are complete.
    pub body_at: Option<usize>,
    /// What is there of the body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
    }

    /// Some header's name begins so.
    fn has_header_like(&self, start: &[u8]) -> bool {
        self.headers.iter().any(|(n, _)| n.begins_like(start))
    }

    fn value_has(&self, name: &[u8], what: &[u8]) -> bool {
        self.header(name).is_some_and(|v| contains(v, what))
    }

    fn take_headers(mut self, text: &'a [u8], mut at: usize) -> Self {
        while self.headers.len() < MAX_HEADERS {
            let rest = text.from(at);
            let Some(end) = memchr::memchr(b'\n', rest) else { break };
            let line = rest.first_of(end).trim_ascii_end();
            at += end + 1;
            if line.is_empty() {
                self.body_at = Some(at);
                self.body = text.from(at);
                break;
            }
            if let Some(colon) = memchr::memchr(b':', line) {
                self.headers.push((line.first_of(colon), line.from(colon + 1).trim_ascii()));
            }
        }
        self
    }
}

fn contains(value: &[u8], what: &[u8]) -> bool {
    value.len() >= what.len() && value.windows(what.len()).take(2048).any(|w| w.eq_ignore_ascii_case(what))
}

/// A request whose line is complete.
pub fn request<'a>(text: &'a [u8], version: &[u8]) -> Option<Message<'a>> {
    let line = text.line(MAX_LINE)?;
    let mut parts = words(line);
    let (method, target) = (parts.next()?, parts.next()?);
    let last = parts.last()?;
    let is_method = METHODS.contains(&method);
    if !is_method || !last.starts_with(version) {
        return None;
    }
    Some(Message { method, target, ..Message::default() }.take_headers(text, after_line(text)))
}

/// A response whose line is complete.
pub fn response<'a>(text: &'a [u8], version: &[u8]) -> Option<Message<'a>> {
    let line = text.line(MAX_LINE)?;
    let mut parts = words(line);
    let (first, code) = (parts.next()?, parts.next()?);
    let status = decimal(code).filter(|c| (100..=999).contains(c))?;
    first.starts_with(version).then(|| Message { status, ..Message::default() }.take_headers(text, after_line(text)))
}

fn after_line(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

fn begins_request(here: &[u8], whole: bool) -> Answer {
    let word = here.split(|&b| b == b' ').next().unwrap_or_default();
    let known = METHODS.iter().any(|m| if word.len() < here.len() { *m == word } else { m.starts_with(word) });
    if !known || here.len() > MAX_LINE {
        return Answer::NotForUs;
    }
    let target = here.from(word.len() + 1).first_of(256);
    let clean = target.iter().all(|&b| b > b' ' && b != 0x7f || matches!(b, b' ' | b'\t'));
    match target.first() {
        Some(b'/') if clean && here.len() > if whole { 120 } else { 24 } => Answer::SoFar("http", 0.9),
        _ if clean || target.is_empty() => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if let Some(request) = request(here, b"HTTP/") {
        return of_pair(Some(&request), response(look.there, b"HTTP/").as_ref(), false, facts);
    }
    if let Some(response) = response(here, b"HTTP/1.").or_else(|| response(here, b"ICY")) {
        return of_pair(request_of(look.there).as_ref(), Some(&response), true, facts);
    }
    if b"HTTP/1.".starts_with(here.first_of(7)) {
        return if here.len() < 64 { Answer::Unsure } else { Answer::NotForUs };
    }
    if !look.from_start && raft_stream(here) {
        return Answer::Certain("etcd", 0.93);
    }
    begins_request(here, look.whole)
}

/// A chunk of etcd's message stream, joined in its middle: its length in hexadecimal, the message's length in 64 bits, a
/// raftpb.Message that begins by its type (etcd `server/etcdserver/api/rafthttp/message.go`).
fn raft_stream(here: &[u8]) -> bool {
    let line = here.line(8).unwrap_or_default();
    let size = std::str::from_utf8(line).ok().and_then(|l| u64::from_str_radix(l, 16).ok());
    let at = line.len() + 2;
    let exact = size.zip(here.be64(at)).is_some_and(|(chunk, message)| message > 8 && chunk == message + 8);
    exact && here.u8(at + 8) == Some(0x08) && here.u8(at + 9).is_some_and(|kind| kind <= 30)
}

fn request_of(there: &[u8]) -> Option<Message<'_>> {
    request(there, b"HTTP/")
}

/// What both sides tell so far. `answered`: the look is at the response.
fn of_pair(request: Option<&Message<'_>>, response: Option<&Message<'_>>, answered: bool, facts: &mut Facts) -> Answer {
    if let Some(request) = request {
        tell_request(request, facts);
    }
    if let Some(response) = response {
        tell_response(response, facts);
    }
    if let (Some(request), Some(response)) = (request, response)
        && let Some(answer) = becomes(request, response, answered)
    {
        return answer;
    }
    let name = service(request, response);
    let complete = |m: Option<&Message<'_>>| m.is_some_and(|m| m.body_at.is_some());
    if complete(request) && complete(response) || name != "http" && complete(response) {
        return Answer::Certain(name, 1.0);
    }
    Answer::SoFar(name, 1.0)
}

/// CONNECT and Upgrade: another protocol follows.
fn becomes(request: &Message<'_>, response: &Message<'_>, answered: bool) -> Option<Answer> {
    let (asked, told) = (request.body_at?, response.body_at?);
    let (here, there) = if answered { (told, asked) } else { (asked, told) };
    if request.method == b"CONNECT" {
        return (response.status / 100 == 2).then_some(Answer::Inside { here, there, name: "http-proxy", stays: true });
    }
    if response.status != 101 {
        return None;
    }
    Some(match response.value_has(b"upgrade", b"websocket") {
        true => Answer::Certain("websocket", 1.0),
        false => Answer::Inside { here, there, name: "http", stays: false },
    })
}

fn tell_request(request: &Message<'_>, facts: &mut Facts) {
    let target = if request.method == b"CONNECT" { Some(request.target) } else { None };
    if let Some(host) = target.or_else(|| request.header(b"host")) {
        facts.host(host);
    }
    facts.set("method", request.method);
    facts.set("path", request.target);
    facts.set("user_agent", request.header(b"user-agent").unwrap_or_default());
    let known = [
        (&b"/redfish/v1"[..], "redfish"),
        (b"/api/kernels", "jupyter"),
        (b"/api/contents", "jupyter"),
        (b"/api/sessions", "jupyter"),
        (b"/wsman", "winrm"),
        (b"/dns-query", "doh"),
    ];
    let by_path = known.iter().find(|(start, _)| request.target.starts_with(start)).map(|(_, name)| *name);
    let is_hub = request.value_has(b"host", b"huggingface.co") || request.value_has(b"user-agent", b"huggingface_hub");
    facts.note("service", by_path.unwrap_or(if is_hub { "huggingface" } else { "" }));
}

fn tell_response(response: &Message<'_>, facts: &mut Facts) {
    facts.note("status", response.status.to_string());
    facts.set("server", response.header(b"server").unwrap_or_default());
    facts.set("content_type", response.header(b"content-type").unwrap_or_default());
    let dcgm = response.body.find(b"DCGM_FI_", 2048).is_some();
    facts.note("service", if dcgm { "dcgm-exporter" } else { "" });
}

/// The most specific name that the headers allow.
fn service(request: Option<&Message<'_>>, response: Option<&Message<'_>>) -> Name {
    let by_request = request.and_then(of_request);
    by_request.or_else(|| response.and_then(of_response)).unwrap_or("http")
}

fn of_request(m: &Message<'_>) -> Option<Name> {
    if m.method == b"CONNECT" || m.target.begins_like(b"http://") || m.has_header_like(b"proxy-connection") {
        return Some("http-proxy");
    }
    if m.header(b"sec-websocket-key").is_some() || m.value_has(b"upgrade", b"websocket") {
        return Some("websocket");
    }
    let webdav: [&[u8]; 8] = [b"PROPFIND", b"PROPPATCH", b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"REPORT"];
    if webdav.contains(&m.method) {
        return Some("webdav");
    }
    if m.has_header_like(b"x-amz-")
        || m.value_has(b"authorization", b"AWS4-HMAC-SHA256")
        || contains(m.target, b"X-Amz-Signature=")
    {
        return Some("s3");
    }
    of_target(m).or_else(|| of_body(m))
}

fn of_target(m: &Message<'_>) -> Option<Name> {
    if m.value_has(b"user-agent", b"Prometheus/") || m.header(b"x-prometheus-scrape-timeout-seconds").is_some() {
        return Some("prometheus");
    }
    if m.header(b"x-etcd-cluster-id").is_some()
        || m.header(b"x-raft-to").is_some()
        || m.header(b"x-server-from").is_some()
    {
        return Some("etcd");
    }
    if m.has_header_like(b"x-clickhouse-") || m.value_has(b"user-agent", b"clickhouse") {
        return Some("clickhouse");
    }
    if m.value_has(b"user-agent", b"docker") || m.value_has(b"user-agent", b"containerd") {
        return Some("docker");
    }
    if m.value_has(b"user-agent", b"kube") || m.target.starts_with(b"/apis/") {
        return Some("kubernetes");
    }
    let last = m.target.split(|&b| b == b'?').next().and_then(|path| path.rsplit(|&b| b == b'/').next());
    let search: [&[u8]; 6] = [b"_search", b"_bulk", b"_msearch", b"_mapping", b"_doc", b"_mget"];
    last.filter(|l| search.contains(l)).map(|_| "elasticsearch")
}

fn of_body(m: &Message<'_>) -> Option<Name> {
    if m.header(b"soapaction").is_some() || m.value_has(b"content-type", b"application/soap+xml") {
        return Some("soap");
    }
    if m.value_has(b"content-type", b"application/ocsp-request") {
        return Some("ocsp");
    }
    if m.value_has(b"content-type", b"application/ipp") {
        return Some("ipp");
    }
    if m.value_has(b"content-type", b"application/dns-message") {
        return Some("doh");
    }
    let start = m.body.first_of(512);
    if contains(start, b"\"jsonrpc\"") {
        return Some("json-rpc");
    }
    if contains(start, b"<methodCall>") {
        return Some("xml-rpc");
    }
    contains(start, b":Envelope").then_some("soap")
}

fn of_response(m: &Message<'_>) -> Option<Name> {
    if m.has_header_like(b"x-clickhouse-") {
        return Some("clickhouse");
    }
    if m.has_header_like(b"x-amz-") || m.value_has(b"server", b"MinIO") || m.value_has(b"server", b"AmazonS3") {
        return Some("s3");
    }
    if m.header(b"x-elastic-product").is_some() {
        return Some("elasticsearch");
    }
    if m.value_has(b"server", b"Docker/") || m.has_header_like(b"docker-") {
        return Some("docker");
    }
    if m.header(b"x-etcd-cluster-id").is_some() || m.header(b"x-raft-index").is_some() {
        return Some("etcd");
    }
    if m.value_has(b"content-type", b"text/plain; version=0.0.4") || m.value_has(b"content-type", b"openmetrics-text") {
        return Some("prometheus");
    }
    of_body(m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, feed_mid, named};

    const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: Files.Example:81\r\nUser-Agent: curl/8\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello";

    #[test]
    fn request_and_response() {
        let label = feed(Over::TCP, 40000, 12345, &[(true, GET), (false, OK)]);
        assert_eq!((label.named.unwrap().name, label.closed), ("http", true));
        assert_eq!(label.host_name.as_deref(), Some("files.example"));
        assert_eq!(named(Over::TCP, 40000, 22, OK), Some("http"));
        assert_eq!(
            feed_mid(Over::TCP, 1, 2, &[(false, b"\x01\x02middle of it"), (true, GET)]).named.unwrap().name,
            "http"
        );
    }

    #[test]
    fn services_are_named() {
        let name = |request: &str, response: &str| {
            let (a, b) = (format!("{request}\r\n\r\n"), format!("{response}\r\n\r\n"));
            feed(Over::TCP, 1, 2, &[(true, a.as_bytes()), (false, b.as_bytes())]).named.unwrap().name
        };
        let ok = "HTTP/1.1 200 OK";
        assert_eq!(name("GET /x HTTP/1.1\r\nx-amz-date: 1", ok), "s3");
        assert_eq!(
            name("GET /metrics HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
            "prometheus"
        );
        assert_eq!(name("POST / HTTP/1.1", "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: 1"), "clickhouse");
        assert_eq!(name("POST / HTTP/1.1\r\nContent-Type: application/dns-message", ok), "doh");
        assert_eq!(name("PROPFIND / HTTP/1.1", ok), "webdav");
        assert_eq!(name("GET http://a/ HTTP/1.1", ok), "http-proxy");
        assert_eq!(name("GET /c HTTP/1.1\r\nUpgrade: websocket", "HTTP/1.1 101 X\r\nUpgrade: websocket"), "websocket");
    }

    #[test]
    fn a_tunnel_is_followed() {
        let ssh = b"SSH-2.0-OpenSSH_9.2\r\n";
        let label = feed(
            Over::TCP,
            1,
            3128,
            &[
                (true, b"CONNECT a.example:22 HTTP/1.1\r\n\r\n"),
                (false, b"HTTP/1.1 200 OK\r\n\r\n"),
                (true, ssh),
                (false, ssh),
            ],
        );
        assert_eq!(label.named.unwrap().name, "http-proxy");
        assert!(label.attrs.unwrap().contains(&("inside", "ssh".to_owned())));
        assert_eq!(label.host_name.as_deref(), Some("a.example"));
    }

    #[test]
    fn a_raft_stream_joined_in_the_middle() {
        let chunk = b"16\r\n\0\0\0\0\0\0\0\x0e\x08\x08\x18\0\x20\0\x28\0\x30\0\x40\0\x58\0\r\n";
        assert_eq!(feed_mid(Over::TCP, 1, 2, &[(true, chunk)]).named.map(|n| n.name), Some("etcd"));
        let other = [&chunk[..11], &[0x0f], &chunk[12..]].concat();
        assert_eq!(feed_mid(Over::TCP, 1, 2, &[(true, &other)]).named, None);
    }

    #[test]
    fn words_that_only_look_like_it() {
        assert_eq!(named(Over::TCP, 1, 80, b"GETTING STARTED\r\n"), None);
        assert_eq!(named(Over::TCP, 1, 80, b"GET lost\r\n\r\n"), None);
    }
}
