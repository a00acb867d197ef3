//! Mail and files in lines of text: SMTP, POP3, IMAP, FTP, IRC, XMPP, git. STARTTLS is followed.

use crate::dpi::bytes::{Bytes, decimal, is_text, lines, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Name, Over, Protocol};
use crate::packet::Addr;

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "smtp",
        "Simple Mail Transfer Protocol",
        Group::Terminal,
        Over::TCP,
        &[25, 587, 2525],
        "RFC 5321, RFC 3207",
        smtp,
    ),
    Protocol::new(
        "ftp",
        "File Transfer Protocol",
        Group::Terminal,
        Over::TCP,
        &[21],
        "RFC 959, RFC 2428, RFC 4217",
        ftp,
    )
    .also(&["ftp-data"]),
    Protocol::new("pop3", "Post Office Protocol 3", Group::Terminal, Over::TCP, &[110], "RFC 1939, RFC 2595", pop3),
    Protocol::new("imap", "Internet Message Access Protocol", Group::Terminal, Over::TCP, &[143], "RFC 9051", imap),
    Protocol::new("irc", "Internet Relay Chat", Group::Internet, Over::TCP, &[6667], "RFC 2812", |l, _| irc(l)),
    Protocol::new("xmpp", "XMPP", Group::Internet, Over::TCP, &[5222, 5269], "RFC 6120", xmpp),
    Protocol::new("git", "git", Group::Terminal, Over::TCP, &[9418], "git Documentation/gitprotocol-pack", git),
];

/// A TLS record after the lines: a start of encryption was agreed upon.
fn encrypts(text: &[u8]) -> Option<usize> {
    let at = text.windows(3).position(|w| w[0] == 22 && w[1] == 3 && w[2] <= 4)?;
    (at > 0 && text.get(at - 1) == Some(&b'\n')).then_some(at)
}

/// The conversation is named; where TLS follows, go into it.
fn go_on(look: &Look<'_>, name: Name, confidence: f32) -> Answer {
    match (encrypts(look.here), encrypts(look.there)) {
        (Some(here), there) => Answer::Inside { here, there: there.unwrap_or(look.there.len()), name, stays: true },
        (None, Some(there)) => Answer::Inside { here: look.here.len(), there, name, stays: true },
        (None, None) => Answer::SoFar(name, confidence),
    }
}

/// A greeting of three digits whose text speaks for one of the protocols that greet so.
fn code(line: &[u8]) -> Option<u64> {
    let sep = line.u8(3);
    decimal(line.first_of(3)).filter(|c| (100..=659).contains(c) && matches!(sep, None | Some(b' ' | b'-')))
}

/// The conversation's word of either side.
fn verb(line: &[u8], verbs: &[&[u8]]) -> bool {
    let word = line.split(|b| matches!(b, b' ' | b'\r')).next().unwrap_or_default();
    verbs.iter().any(|v| v.eq_ignore_ascii_case(word))
}

fn has(line: &[u8], what: &[u8]) -> bool {
    line.first_of(256).windows(what.len()).any(|w| w.eq_ignore_ascii_case(what))
}

fn complete<'a>(look: &Look<'a>) -> Result<&'a [u8], Answer> {
    match look.here.line(1024) {
        Some(line) if is_text(line) || line.iter().all(|b| *b >= b' ' || *b == b'\t') => Ok(line),
        Some(_) => Err(Answer::NotForUs),
        None if look.here.len() < 512 && is_text(look.here) => Err(Answer::Unsure),
        None => Err(Answer::NotForUs),
    }
}

const SMTP: &[&[u8]] = &[b"EHLO", b"HELO", b"LHLO"];
const SMTP_MORE: &[&[u8]] = &[b"MAIL", b"RCPT", b"DATA", b"RSET", b"STARTTLS", b"AUTH", b"VRFY"];

fn smtp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let line = match complete(look) {
        Ok(line) => line,
        Err(answer) => return answer,
    };
    let other = look.there.line(1024).unwrap_or_default();
    if verb(line, SMTP) && words(line).count() <= 2 {
        facts.set("client_host", line.from(5));
        return go_on(look, "smtp", 0.97);
    }
    if has(line.first_of(11), b"MAIL FROM:") || has(line.first_of(9), b"RCPT TO:") {
        return go_on(look, "smtp", 0.97);
    }
    match code(line) {
        Some(220 | 554)
            if has(line, b"SMTP") || has(line, b"Postfix") || has(line, b"Exim") || has(line, b"Sendmail") =>
        {
            facts.set("server_version", line.from(4));
            go_on(look, "smtp", 0.95)
        }
        Some(220 | 421 | 554) if verb(other, SMTP) => go_on(look, "smtp", 0.97),
        Some(220) => Answer::Unsure,
        // Answers in the middle say what they answer, or carry enhanced codes (RFC 2034).
        Some(250)
            if has(line, b"SIZE")
                || has(look.here, b"\n250-STARTTLS")
                || has(look.here, b"250-PIPELINING")
                || has(line, b"2.1.0")
                || has(line, b"2.1.5") =>
        {
            go_on(look, "smtp", 0.93)
        }
        Some(354) if has(line, b"mail input") || has(line, b"<CR>") => Answer::Certain("smtp", 0.9),
        _ if verb(line, SMTP_MORE) && code(other).is_some() && !has(other, b"FTP") => go_on(look, "smtp", 0.7),
        _ => Answer::NotForUs,
    }
}

const FTP: &[&[u8]] = &[
    b"PASV", b"EPSV", b"EPRT", b"SYST", b"FEAT", b"CWD", b"PBSZ", b"PROT", b"MLSD", b"LIST", b"RETR", b"STOR", b"TYPE",
    b"SIZE", b"MDTM", b"NLST", b"CDUP", b"MKD", b"PWD", b"XPWD", b"OPTS",
];

fn ftp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let line = match complete(look) {
        Ok(line) => line,
        Err(answer) => return answer,
    };
    transfers(look, facts);
    let other = look.there.line(1024).unwrap_or_default();
    let login = verb(line, &[b"USER"]) && words(line).count() == 2;
    if login {
        facts.set("user", line.from(5));
    }
    match code(line) {
        Some(220) if has(line, b"FTP") || has(look.here.first_of(512), b"FTP") => {
            facts.set("server_version", line.from(4));
            go_on(look, "ftp", 0.95)
        }
        Some(220) if login_follows(other) || verb(other, FTP) => go_on(look, "ftp", 0.95),
        Some(220) if lines(look.here).take(16).any(answers_ftp) => go_on(look, "ftp", 0.9),
        Some(220) => Answer::Unsure,
        Some(227) if has(line, b"Passive") => go_on(look, "ftp", 0.95),
        Some(229) if has(line, b"Extended Passive") || has(line, b"(|||") => go_on(look, "ftp", 0.95),
        Some(331) if has(line, b"password") => go_on(look, "ftp", 0.85),
        Some(150 | 125) if has(line, b"data connection") => go_on(look, "ftp", 0.93),
        Some(211 | 214 | 215 | 226 | 230 | 250 | 257 | 350 | 530) if verb(other, FTP) || login_follows(other) => {
            go_on(look, "ftp", 0.93)
        }
        _ if login && code(other).is_some() => go_on(look, "ftp", 0.95),
        _ if login && other.is_empty() && !lines(look.here).take(16).any(speaks_ftp) => Answer::Unsure,
        _ if verb(line, &[b"AUTH"]) && has(line, b" TLS") => go_on(look, "ftp", 0.9),
        _ if port_of(line).is_some() => go_on(look, "ftp", 0.95),
        _ if verb(line, FTP) && code(other).is_some() => go_on(look, "ftp", 0.93),
        _ if lines(look.here).take(16).any(speaks_ftp) => go_on(look, "ftp", 0.85),
        _ => Answer::NotForUs,
    }
}

/// A command that no other protocol of lines has, as programs write it.
fn speaks_ftp(line: &[u8]) -> bool {
    let word = line.split(|b| *b == b' ').next().unwrap_or_default();
    let alone: [&[u8]; 5] = [b"PASV", b"EPSV", b"SYST", b"FEAT", b"CDUP"];
    let with: [&[u8]; 8] = [b"RETR", b"STOR", b"CWD", b"MLSD", b"PBSZ", b"PROT", b"EPRT", b"MDTM"];
    alone.contains(&line)
        || with.contains(&word) && line.len() > word.len() + 1
        || matches!(line, b"TYPE I" | b"TYPE A")
}

/// Answers that only FTP gives.
fn answers_ftp(line: &[u8]) -> bool {
    match code(line) {
        Some(227) => has(line, b"Passive"),
        Some(229) => has(line, b"(|||"),
        Some(234) => has(line, b"TLS") || has(line, b"SSL"),
        Some(331) => has(line, b"password"),
        Some(230) => has(line, b"log"),
        _ => false,
    }
}

fn login_follows(line: &[u8]) -> bool {
    verb(line, &[b"USER"]) && words(line).count() == 2
}

/// Address and port in six numbers, of PORT or of the answer to PASV.
fn six(text: &[u8]) -> Option<(Addr, u16)> {
    let numbers: Vec<u8> = text
        .split(|b| !b.is_ascii_digit())
        .filter(|w| !w.is_empty())
        .filter_map(|w| decimal(w).and_then(|n| u8::try_from(n).ok()))
        .collect();
    let [a, b, c, d, high, low] = numbers.as_slice().try_into().ok()?;
    Some((Addr::v4([a, b, c, d]), u16::from_be_bytes([high, low])))
}

fn port_of(line: &[u8]) -> Option<(Addr, u16)> {
    line.begins_like(b"PORT ").then(|| six(line.from(5))).flatten()
}

/// Data connections that the control connection announces.
fn transfers(look: &Look<'_>, facts: &mut Facts) {
    for line in lines(look.here.from(look.here.len().saturating_sub(1024))) {
        let passive = line.starts_with(b"227 ").then(|| six(line.from(4))).flatten();
        if let Some((addr, port)) = passive.or_else(|| port_of(line)) {
            facts.expect(addr, port, "ftp-data");
        }
        let extended = if line.starts_with(b"229 ") || line.begins_like(b"EPRT ") {
            line.rsplit(|b| *b == b'|').nth(1).and_then(decimal)
        } else {
            None
        };
        if let Some(port) = extended.and_then(|p| u16::try_from(p).ok()) {
            facts.expect(Addr::default(), port, "ftp-data");
        }
    }
}

const POP3: &[&[u8]] = &[b"CAPA", b"UIDL", b"STLS", b"TOP", b"APOP", b"RETR", b"DELE"];

fn pop3(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let line = match complete(look) {
        Ok(line) => line,
        Err(answer) => return answer,
    };
    let other = look.there.line(1024).unwrap_or_default();
    let good = line.starts_with(b"+OK");
    if good && (has(line, b"POP3") || has(line, b"POP server") || line.ends_with(b">") && line.contains(&b'@')) {
        facts.set("server_version", line.from(4));
        return go_on(look, "pop3", 0.96);
    }
    let asks = verb(line, POP3) || verb(line, &[b"USER", b"STAT", b"AUTH", b"PASS", b"LIST", b"QUIT"]);
    match () {
        () if (good || line.starts_with(b"-ERR"))
            && (verb(other, POP3) || verb(other, &[b"USER", b"STAT", b"AUTH", b"PASS", b"LIST", b"QUIT"])) =>
        {
            go_on(look, "pop3", 0.95)
        }
        () if asks && (other.starts_with(b"+OK") || other.starts_with(b"-ERR")) => go_on(look, "pop3", 0.97),
        () if good && (has(line, b"octets") || has(line, b"message")) => go_on(look, "pop3", 0.75),
        () if lines(look.here).take(8).any(|l| verb(l, POP3)) && asks => go_on(look, "pop3", 0.75),
        () if good
            && line.len() > 4
            && lines(look.here).skip(1).any(|l| l.starts_with(b"-ERR ") || l.starts_with(b"+OK ")) =>
        {
            go_on(look, "pop3", 0.75)
        }
        () if asks && other.is_empty() || good && line.len() > 4 => Answer::Unsure,
        () => Answer::NotForUs,
    }
}

const IMAP: &[&[u8]] = &[
    b"CAPABILITY",
    b"LOGIN",
    b"SELECT",
    b"EXAMINE",
    b"FETCH",
    b"UID",
    b"STARTTLS",
    b"AUTHENTICATE",
    b"LIST",
    b"LSUB",
    b"NOOP",
    b"LOGOUT",
    b"IDLE",
    b"ID",
    b"STATUS",
    b"NAMESPACE",
    b"APPEND",
    b"CLOSE",
    b"ENABLE",
];

fn imap(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let line = match complete(look) {
        Ok(line) => line,
        Err(answer) => return answer,
    };
    let mut parts = words(line);
    let (tag, word) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let untagged = tag == b"*";
    if untagged
        && (has(line, b"IMAP")
            || verb(word, &[b"CAPABILITY", b"FLAGS", b"BYE", b"LIST", b"LSUB", b"SEARCH", b"NAMESPACE", b"STATUS"]))
    {
        facts.set("server_version", line.from(5));
        return go_on(look, "imap", 0.96);
    }
    if untagged && matches!(word, b"OK" | b"PREAUTH") {
        return Answer::SoFar("imap", 0.75);
    }
    // A line of three digits first is an answer of SMTP or FTP.
    let tagged = (1..=12).contains(&tag.len())
        && tag.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.')
        && (tag == b"." || tag.iter().any(u8::is_ascii_digit))
        && code(tag).is_none();
    let numbered = untagged
        && word.iter().all(u8::is_ascii_digit)
        && parts.next().is_some_and(|w| matches!(w, b"EXISTS" | b"RECENT" | b"FETCH" | b"EXPUNGE"));
    match () {
        () if tagged && verb(word, IMAP) => go_on(look, "imap", 0.96),
        () if numbered => go_on(look, "imap", 0.93),
        () if tagged && matches!(word, b"OK" | b"NO" | b"BAD") => Answer::SoFar("imap", 0.75),
        () => Answer::NotForUs,
    }
}

fn irc(look: &Look<'_>) -> Answer {
    let line = match complete(look) {
        Ok(line) => line,
        Err(answer) => return answer,
    };
    let parts: Vec<&[u8]> = words(line).take(6).collect();
    let word = parts.first().copied().unwrap_or_default();
    let second = parts.get(1).copied().unwrap_or_default();
    let numeric = second.len() == 3 && decimal(second).is_some();
    match () {
        () if word.starts_with(b":")
            && (numeric || matches!(second, b"NOTICE" | b"PRIVMSG" | b"JOIN" | b"MODE" | b"PART" | b"QUIT")) =>
        {
            Answer::Certain("irc", 0.93)
        }
        () if word == b"NICK" && parts.len() == 2 || word == b"CAP" && matches!(second, b"LS" | b"REQ" | b"END") => {
            Answer::Certain("irc", 0.85)
        }
        () if word == b"USER" && parts.len() >= 5 => Answer::Certain("irc", 0.9),
        () if word == b"NOTICE" && second == b"AUTH" || word == b"PRIVMSG" && line.contains(&b':') => {
            Answer::Certain("irc", 0.9)
        }
        () => Answer::NotForUs,
    }
}

fn xmpp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let stream = here.find(b"<stream:stream", 256).is_some()
        || here.find(b"jabber:client", 512).is_some()
        || here.find(b"jabber:server", 512).is_some()
        || here.find(b"urn:ietf:params:xml:ns:xmpp", 256).is_some();
    if here.starts_with(b"<") && stream {
        if let Some(at) = here.find(b" to=", 512) {
            facts.host(here.from(at + 5).split(|b| matches!(b, b'\'' | b'"')).next().unwrap_or_default());
        }
        return Answer::Certain("xmpp", 0.97);
    }
    let stanza = [&b"<presence"[..], b"<message ", b"<iq ", b"<starttls"].iter().any(|s| here.starts_with(s));
    match () {
        () if stanza
            && (here.find(b" id=", 256).is_some()
                || here.find(b" to=", 256).is_some()
                || here.find(b"jabber:", 256).is_some()) =>
        {
            Answer::Certain("xmpp", 0.9)
        }
        () if here.is_empty()
            || here.len() < 15 && here.starts_with(b"<")
            || here.starts_with(b"<?xml") && here.len() < 64 =>
        {
            Answer::Unsure
        }
        () => Answer::NotForUs,
    }
}

/// A packet line: length in four hexadecimal digits, then a service or a reference.
fn git(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let digits = here.first_of(4);
    let len = std::str::from_utf8(digits).ok().and_then(|t| u16::from_str_radix(t, 16).ok());
    let Some(len) = len.filter(|_| digits.iter().all(u8::is_ascii_hexdigit)) else {
        return if here.is_empty() { Answer::Unsure } else { Answer::NotForUs };
    };
    let line = here.from(4);
    if line.starts_with(b"git-upload-pack ")
        || line.starts_with(b"git-receive-pack ")
        || line.starts_with(b"git-upload-archive ")
    {
        facts.set("repository", line.split(|b| matches!(b, b' ' | 0)).nth(1).unwrap_or_default());
        return Answer::Certain("git", 1.0);
    }
    let hash =
        line.first_of(40).iter().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) && line.u8(40) == Some(b' ');
    let words = [&b"version 2"[..], b"want ", b"have ", b"command=", b"NAK\n", b"ACK ", b"packfile\n", b"ERR "]
        .iter()
        .any(|w| line.starts_with(w));
    match () {
        () if (len >= 8) && (words || hash && line.len() > 44) => Answer::Certain("git", 0.95),
        () if here.len() < 24 && len >= 4 => Answer::Unsure,
        () => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    fn name(turns: &[(bool, &[u8])]) -> Option<Name> {
        feed(Over::TCP, 40000, 4321, turns).named.map(|n| n.name)
    }

    #[test]
    fn greetings_alike_are_told_apart() {
        assert_eq!(name(&[(false, b"220 node7 ready\r\n"), (true, b"EHLO a\r\n")]), Some("smtp"));
        assert_eq!(name(&[(false, b"220 node7 ready\r\n"), (true, b"USER bob\r\n")]), Some("ftp"));
        assert_eq!(name(&[(false, b"220 node7 ready\r\n")]), None);
        assert_eq!(name(&[(false, b"+OK POP3 ready\r\n")]), Some("pop3"));
        assert_eq!(name(&[(false, b"* OK IMAP4rev1 ready\r\n"), (true, b"a1 CAPABILITY\r\n")]), Some("imap"));
    }

    #[test]
    fn others() {
        assert_eq!(named(Over::TCP, 9, 1, b"0032git-upload-pack /a.git\0host=b\0"), Some("git"));
        assert_eq!(named(Over::TCP, 9, 1, b"NICK bob\r\nUSER bob 0 * :Bob\r\n"), Some("irc"));
        assert_eq!(
            named(Over::TCP, 9, 1, b"<?xml version='1.0'?><stream:stream to='a.b' xmlns='jabber:client'>"),
            Some("xmpp")
        );
        assert_eq!(named(Over::TCP, 9, 25, b"HELLO world\r\n"), None);
    }

    #[test]
    fn ports_of_data_connections() {
        assert_eq!(six(b"(10,0,0,9,4,1)"), Some((Addr::v4([10, 0, 0, 9]), 1025)));
        assert_eq!(six(b"(10,0,0,9,4)"), None);
        let mut facts = Facts::default();
        let text = b"229 Entering Extended Passive Mode (|||2025|)\r\n";
        transfers(&Look::of(Over::TCP, 21, 4, text), &mut facts);
        assert_eq!(facts.expected[0].port, 2025);
    }
}
