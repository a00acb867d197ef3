//! What a detector says of one tick.

use crate::fabric;
use crate::packet::Addr;
use crate::report::{FirstPacket, Severity, Subject, SubjectQp};
use crate::tick::{LinkId, QpKey, QpTick, Sign};
use crate::tick_merge::TapKey;

use super::Map;

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// One direction of a link.
    Link(LinkId),
    /// A host.
    Host(Addr),
    /// One direction of a queue pair.
    Qp(QpKey),
    /// A mirror feed.
    Tap(TapKey),
    /// A job by its id.
    Job(String),
    /// A rule of the user's policy at a sender; the default address stands for none.
    Rule(String, Addr),
}

impl About {
    /// As the report names it. `link`: the link that carries a queue pair.
    pub fn subject(&self, map: &Map, link: Option<LinkId>) -> Subject {
        let link_id = |l: LinkId| Some(map.id(l));
        match self {
            Self::Link(l) => Subject { link: link_id(*l), host: map.host_of(*l), ..Subject::default() },
            Self::Host(h) => Subject { host: Some(h.to_string()), ..Subject::default() },
            Self::Qp(key) => Subject { link: link.and_then(link_id), qp: Some(subject_qp(key)), ..Subject::default() },
            Self::Tap((source, key)) => Subject { tap: Some(fabric::tap(source, *key)), ..Subject::default() },
            Self::Job(id) => Subject { job: Some(id.clone()), ..Subject::default() },
            Self::Rule(_, host) => Subject { link: link.and_then(link_id), host: known(*host), ..Subject::default() },
        }
    }

    /// For people, in a sentence.
    pub fn name(&self, map: &Map) -> String {
        match self {
            Self::Link(l) => map.name(*l),
            Self::Host(h) => h.to_string(),
            Self::Qp(key) => qp_name(key),
            Self::Tap((source, key)) => fabric::tap(source, *key),
            Self::Job(id) => id.clone(),
            Self::Rule(rule, host) => match known(*host) {
                Some(host) => format!("`{rule}` at {host}"),
                None => format!("`{rule}`"),
            },
        }
    }
}

fn known(host: Addr) -> Option<String> {
    (host != Addr::default()).then(|| host.to_string())
}

fn subject_qp(key: &QpKey) -> SubjectQp {
    SubjectQp { src: key.src.to_string(), dst: key.dst.to_string(), dst_qp: key.dst_qp }
}

/// `10.0.0.1 -> 10.0.0.2 QP 0x11`.
pub fn qp_name(key: &QpKey) -> String {
    format!("{} -> {} QP 0x{:x}", key.src, key.dst, key.dst_qp)
}

/// One tick's evidence for one kind on one subject.
#[derive(Clone, Debug)]
pub struct Symptom {
    /// Subject.
    pub about: About,
    /// How bad.
    pub severity: Severity,
    /// When what it shows began.
    pub since_ns: u64,
    /// When it was last seen.
    pub last_ns: u64,
    /// Measured.
    pub value: f64,
    /// The value adds over the finding's life (a count) instead of keeping its worst.
    pub adds: bool,
    /// Unit of the value.
    pub unit: &'static str,
    /// What it crossed.
    pub threshold: f64,
    /// Numbers that add over the finding's life; names end in their unit.
    pub sums: Vec<(&'static str, f64)>,
    /// Numbers of which the largest is kept.
    pub peaks: Vec<(&'static str, f64)>,
    /// Numbers of which the smallest is kept.
    pub lows: Vec<(&'static str, f64)>,
    /// First packets.
    pub packets: Vec<FirstPacket>,
    /// Names of queue pairs and hosts concerned.
    pub involved: Vec<String>,
    /// A word for the sentence, when the detector has one: where, which, whose.
    pub note: Option<String>,
    /// What to do, where it differs from the kind's advice.
    pub advice: Option<&'static str>,
    /// Links concerned.
    pub links: Vec<LinkId>,
    /// Hosts concerned.
    pub hosts: Vec<Addr>,
    /// Queue pairs concerned.
    pub qps: Vec<QpKey>,
    /// What limits the judgement.
    pub caveats: Vec<String>,
    /// The host that a job waits for, where that is known.
    pub culprit: Option<Addr>,
}

impl Symptom {
    /// A symptom over a stretch of time.
    pub fn new(about: About, severity: Severity, since_ns: u64, last_ns: u64) -> Self {
        Self {
            about,
            severity,
            since_ns,
            last_ns: last_ns.max(since_ns),
            value: 0.0,
            adds: false,
            unit: "",
            threshold: 0.0,
            sums: Vec::new(),
            peaks: Vec::new(),
            lows: Vec::new(),
            packets: Vec::new(),
            involved: Vec::new(),
            note: None,
            advice: None,
            links: Vec::new(),
            hosts: Vec::new(),
            qps: Vec::new(),
            caveats: Vec::new(),
            culprit: None,
        }
    }

    /// What was measured; the worst is kept.
    pub fn worst(mut self, value: f64, unit: &'static str, threshold: f64) -> Self {
        (self.value, self.unit, self.threshold, self.adds) = (value, unit, threshold, false);
        self
    }

    /// What was counted; it adds over the finding's life.
    pub fn counted(mut self, value: f64, unit: &'static str, threshold: f64) -> Self {
        (self.value, self.unit, self.threshold, self.adds) = (value, unit, threshold, true);
        self
    }

    /// A number that adds.
    pub fn sum(mut self, name: &'static str, value: f64) -> Self {
        self.sums.push((name, value));
        self
    }

    /// A number whose largest is kept.
    pub fn peak(mut self, name: &'static str, value: f64) -> Self {
        self.peaks.push((name, value));
        self
    }

    /// A number whose smallest is kept.
    pub fn low(mut self, name: &'static str, value: f64) -> Self {
        self.lows.push((name, value));
        self
    }

    /// A word for the sentence.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// A link concerned.
    pub fn on(mut self, link: LinkId) -> Self {
        self.links.push(link);
        self
    }

    /// A queue pair concerned, with its hosts and the link that carries it.
    pub fn qp(mut self, qp: &QpTick, map: &Map) -> Self {
        self.involved.push(qp_name(&qp.key));
        self.qps.push(qp.key);
        self.links.push(qp.link);
        self.links.extend(map.from_host(qp.key.src));
        self.links.extend(map.to_host(qp.key.dst));
        self
    }

    /// The first packets of a queue pair that show one of some signs.
    pub fn witnesses(mut self, qp: &QpTick, signs: &[Sign]) -> Self {
        let shown = qp.witnesses.iter().filter(|w| signs.contains(&w.what));
        self.packets.extend(shown.map(|w| FirstPacket {
            at_ns: w.at_ns,
            src: qp.key.src.to_string(),
            dst: qp.key.dst.to_string(),
            dst_qp: Some(qp.key.dst_qp),
            psn: Some(w.psn),
            what: sign_name(w.what).to_owned(),
        }));
        self
    }
}

/// A sign in words.
pub fn sign_name(sign: Sign) -> &'static str {
    match sign {
        Sign::NakSequence => "NAK, PSN sequence error",
        Sign::NakInvalidRequest => "NAK, invalid request",
        Sign::NakRemoteAccess => "NAK, remote access error",
        Sign::NakRemoteOperation => "NAK, remote operational error",
        Sign::Rnr => "RNR NAK, receiver not ready",
        Sign::Timeout => "repeated after silence, no NAK",
        Sign::Retransmit => "repeated PSN",
        Sign::Gap => "PSN jumped forward",
        Sign::Inversion => "late packet, not a repeat",
        Sign::LostBeforeTap => "missing PSN repeated: lost before the tap",
        Sign::LostAfterTap => "seen here and asked for again: lost after the tap",
        Sign::IcrcBad => "ICRC mismatch",
        Sign::Cnp => "congestion notification",
        Sign::Doubled => "answered twice: the packet came twice",
        Sign::Trimmed => "payload cut off by a switch",
    }
}

/// First and last moment of some signs in a tick; the tick's own first and last packet of the queue pair where no witness was kept.
pub fn moments(qp: &QpTick, signs: &[Sign]) -> (u64, u64) {
    let times = || qp.witnesses.iter().filter(|w| signs.contains(&w.what)).map(|w| w.at_ns);
    let first = times().min().unwrap_or(qp.first_ns);
    // Witnesses are the first ones: the last sign may be as late as the last packet of the tick.
    (first, times().max().unwrap_or(qp.last_ns).max(first))
}
