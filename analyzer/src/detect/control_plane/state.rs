//! What the parts have in common: bounded state, and how they say what they saw.

use std::collections::BTreeMap;

use crate::control::ControlEvent;
use crate::detect::{About, Symptom, View};
use crate::packet::Addr;
use crate::report::{FirstPacket, Severity};
use crate::tick::LinkId;

/// Speakers followed of each protocol; further ones are not judged.
const MOST: usize = 16_384;

/// Where symptoms go, and what is known.
pub struct Said<'a> {
    pub view: &'a View<'a>,
    pub out: &'a mut Vec<Symptom>,
}

impl Said<'_> {
    /// A symptom on the speaker's link, or on the speaker where it has none.
    pub fn of(&mut self, event: &ControlEvent, severity: Severity, what: &str, note: String) {
        let about = about(event.link.filter(|l| self.view.map.info(*l).is_some()), event.src);
        self.about(about, event, severity, what, note);
    }

    /// A symptom on something else.
    pub fn about(&mut self, about: About, event: &ControlEvent, severity: Severity, what: &str, note: String) {
        let packet = FirstPacket {
            at_ns: event.at_ns,
            src: event.src.to_string(),
            dst: event.dst.to_string(),
            dst_qp: None,
            psn: None,
            what: what.to_owned(),
        };
        let symptom = Symptom {
            packets: vec![packet],
            hosts: vec![event.src],
            involved: vec![event.src.to_string()],
            ..Symptom::new(about, severity, event.at_ns, event.last_ns)
        };
        let symptom = symptom.counted(1.0, "events", 1.0).note(note);
        self.out.push(event.link.into_iter().fold(symptom, Symptom::on));
    }

    /// Something was not heard any more since `last_ns`.
    pub fn silent(&mut self, link: Option<LinkId>, src: Addr, last_ns: u64, note: String) {
        let now_ns = self.view.map.now_ns();
        let about = about(link.filter(|l| self.view.map.info(*l).is_some()), src);
        let symptom = Symptom::new(about, Severity::Warning, last_ns, now_ns).counted(1.0, "events", 1.0).note(note);
        let symptom = Symptom { hosts: vec![src], involved: vec![src.to_string()], ..symptom };
        self.out.push(link.into_iter().fold(symptom, Symptom::on));
    }

    /// The mirror lost something lately: silence means nothing.
    pub fn blind(&self, since_ns: u64) -> bool {
        self.view.blind.lost(since_ns, self.view.map.now_ns()) > 0
    }
}

fn about(link: Option<LinkId>, src: Addr) -> About {
    link.map_or(About::Host(src), About::Link)
}

/// The entry of a speaker, made if there is room.
pub fn entry<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K) -> Option<&mut V> {
    if map.len() >= MOST && !map.contains_key(&key) {
        return None;
    }
    Some(map.entry(key).or_default())
}

/// `02:00:00:00:00:01`.
pub fn mac(bytes: [u8; 6]) -> String {
    Addr::mac(bytes).to_string()
}

/// Seconds in ns.
pub fn seconds(s: u64) -> u64 {
    s.saturating_mul(1_000_000_000)
}
