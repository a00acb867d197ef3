//! Adding ticks. Counters add, extremes keep the extreme, names keep the later one: a tick twice as long is two ticks merged.

use std::collections::BTreeMap;

use crate::control::MOST;
use crate::packet::MirrorKey;
use crate::slot;
use crate::tick::{CaptureTick, FlowTick, LinkTick, Message, QpTick, RoceCounters, TapTick, Tick, Witness};

/// Most witnesses that one queue pair keeps, the first of each kind before others: there are fewer kinds than this.
pub const MAX_WITNESSES: usize = 16;

/// The earlier of two times of which 0 means not set.
fn earlier(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, set) | (set, 0) => set,
        _ => a.min(b),
    }
}

impl RoceCounters {
    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        self.data_packets += other.data_packets;
        self.retransmitted += other.retransmitted;
        self.retransmitted_bytes += other.retransmitted_bytes;
        self.useful_bytes += other.useful_bytes;
        self.nak_sequence += other.nak_sequence;
        self.nak_other += other.nak_other;
        self.rnr += other.rnr;
        self.timeouts += other.timeouts;
        self.psn_gaps += other.psn_gaps;
        self.inversions += other.inversions;
        self.icrc_checked += other.icrc_checked;
        self.icrc_bad += other.icrc_bad;
        self.lost_before_tap += other.lost_before_tap;
        self.lost_after_tap += other.lost_after_tap;
        self.duplicated += other.duplicated;
        self.acknowledged_again += other.acknowledged_again;
        self.trimmed += other.trimmed;
    }
}

impl LinkTick {
    /// Adds another stretch of the same link. Bins and silences keep the larger one: a link's packets all pass one worker.
    pub fn add(&mut self, other: &Self) {
        self.add_sums(other);
        self.rtt.merge(&other.rtt);
        self.idle.merge(&other.idle);
        slot::join(&mut self.slots, &other.slots);
    }

    /// As [`Self::add`], without round trips, idle gaps and slots.
    pub fn add_sums(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.rdma_bytes += other.rdma_bytes;
        self.rdma_packets += other.rdma_packets;
        self.ect_packets += other.ect_packets;
        self.ce_packets += other.ce_packets;
        self.cnp_packets += other.cnp_packets;
        self.pfc_frames += other.pfc_frames;
        for (sum, more) in self.paused_ns.iter_mut().zip(other.paused_ns) {
            *sum += more;
        }
        self.first_ns = earlier(self.first_ns, other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.roce.add(&other.roce);
        self.tcp_retransmitted += other.tcp_retransmitted;
        self.tcp_zero_window += other.tcp_zero_window;
        self.bso_bad += other.bso_bad;
        self.keep_extremes(other);
    }

    fn keep_extremes(&mut self, other: &Self) {
        if other.silent_ns_max > self.silent_ns_max {
            self.silent_ns_max = other.silent_ns_max;
            self.silent_until_ns = other.silent_until_ns;
        }
        // Of equal peaks the earliest, whichever comes to be added first.
        let earlier = other.max_bytes_100us == self.max_bytes_100us && other.max_100us_at_ns < self.max_100us_at_ns;
        if other.max_bytes_100us > self.max_bytes_100us || earlier {
            self.max_bytes_100us = other.max_bytes_100us;
            self.max_100us_at_ns = other.max_100us_at_ns;
        }
        self.max_bytes_1ms = self.max_bytes_1ms.max(other.max_bytes_1ms);
    }
}

impl FlowTick {
    /// Adds a later stretch of the same flow; what is known later replaces what was known before.
    pub fn add(&mut self, later: &Self) {
        self.packets += later.packets;
        self.bytes += later.bytes;
        self.ce_packets += later.ce_packets;
        self.retransmitted += later.retransmitted;
        self.copies += later.copies;
        self.first_ns = earlier(self.first_ns, later.first_ns);
        self.last_ns = self.last_ns.max(later.last_ns);
        self.sport = later.sport;
        self.link = later.link;
        self.vlan = later.vlan.or(self.vlan);
        self.dscp = later.dscp.or(self.dscp);
        self.closed |= later.closed;
        if later.app.is_some() || self.app.is_none() {
            (self.app, self.engine, self.confidence) = (later.app, later.engine, later.confidence);
        }
        if later.host_name.is_some() {
            self.host_name.clone_from(&later.host_name);
        }
        if later.attrs.is_some() {
            self.attrs.clone_from(&later.attrs);
        }
        self.rtt.merge(&later.rtt);
    }
}

impl QpTick {
    /// Adds a later stretch of the same direction; what is known later replaces what was known before.
    pub fn add(&mut self, later: &Self) {
        self.packets += later.packets;
        self.bytes += later.bytes;
        self.copies += later.copies;
        self.messages += later.messages;
        self.message_bytes += later.message_bytes;
        self.roce.add(&later.roce);
        for (sum, more) in self.naks.iter_mut().zip(later.naks) {
            *sum += more;
        }
        self.ce_packets += later.ce_packets;
        self.cnp_packets += later.cnp_packets;
        self.repeats_of_one_psn_max = self.repeats_of_one_psn_max.max(later.repeats_of_one_psn_max);
        self.inversion_depth_max = self.inversion_depth_max.max(later.inversion_depth_max);
        self.timeout_silence_ns_max = self.timeout_silence_ns_max.max(later.timeout_silence_ns_max);
        self.first_ns = earlier(self.first_ns, later.first_ns);
        self.last_ns = self.last_ns.max(later.last_ns);
        self.link = later.link;
        self.rtt.merge(&later.rtt);
        self.add_names(later);
    }

    fn add_names(&mut self, later: &Self) {
        if later.src_qp.is_some() {
            (self.src_qp, self.paired_by) = (later.src_qp, later.paired_by);
        }
        self.class = later.class.or(self.class);
        self.cnp_dscp = later.cnp_dscp.or(self.cnp_dscp);
        self.transport = later.transport;
        self.service = later.service.or(self.service);
        for &(opcode, count) in &later.opcodes {
            match self.opcodes.iter_mut().find(|(known, _)| *known == opcode) {
                Some((_, sum)) => *sum += count,
                None => self.opcodes.push((opcode, count)),
            }
        }
        self.opcodes.sort_unstable();
        self.witnesses.extend_from_slice(&later.witnesses);
        keep_first_witnesses(&mut self.witnesses);
    }
}

/// Keeps the first of each kind, then the earliest others, [`MAX_WITNESSES`] in all, in order of time.
fn keep_first_witnesses(all: &mut Vec<Witness>) {
    if all.len() > MAX_WITNESSES {
        all.sort_by_key(|w| (w.what, w.at_ns, w.psn));
        let mut previous = None;
        let mut ranked: Vec<(bool, Witness)> = Vec::with_capacity(all.len());
        for &witness in all.iter() {
            ranked.push((previous == Some(witness.what), witness));
            previous = Some(witness.what);
        }
        ranked.sort_by_key(|&(again, w)| (again, w.at_ns, w.what));
        *all = ranked.into_iter().take(MAX_WITNESSES).map(|(_, w)| w).collect();
    }
    all.sort_by_key(|w| (w.at_ns, w.what, w.psn));
}

impl TapTick {
    /// Adds another stretch of the same tap.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.lost += other.lost;
        self.lost_first_ns = earlier(self.lost_first_ns, other.lost_first_ns);
        self.lost_last_ns = self.lost_last_ns.max(other.lost_last_ns);
        self.truncated += other.truncated;
    }
}

impl CaptureTick {
    /// Adds another stretch.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.wire_bytes += other.wire_bytes;
        self.captured_bytes += other.captured_bytes;
        self.duplicated += other.duplicated;
        self.flows_evicted += other.flows_evicted;
        self.icrc_unchecked += other.icrc_unchecked;
        let mut refused: BTreeMap<&'static str, u64> = self.refused.iter().copied().collect();
        for &(reason, count) in &other.refused {
            *refused.entry(reason).or_default() += count;
        }
        self.refused = refused.into_iter().collect();
    }
}

/// Joins two lists by key, in order of the key.
fn join<K: Ord, T>(mine: &mut Vec<T>, other: Vec<T>, key: impl Fn(&T) -> K, add: impl Fn(&mut T, &T)) {
    let mut all: BTreeMap<K, T> = BTreeMap::new();
    for item in std::mem::take(mine).into_iter().chain(other) {
        match all.entry(key(&item)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(item);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => add(place.get_mut(), &item),
        }
    }
    *mine = all.into_values().collect();
}

impl Tick {
    /// Adds a later tick, or the same stretch from another worker over the same link table.
    pub fn merge(&mut self, later: Self) {
        if (self.start_ns, self.end_ns) == (later.start_ns, later.end_ns) {
            self.widened = self.widened.max(later.widened);
        } else {
            self.widened = self.widened.saturating_add(later.widened).saturating_add(1);
        }
        self.start_ns = self.start_ns.min(later.start_ns);
        self.end_ns = self.end_ns.max(later.end_ns);
        self.capture.add(&later.capture);
        join(&mut self.new_links, later.new_links, |l| l.link, |_, _| ());
        join(&mut self.links, later.links, |l| l.link, LinkTick::add);
        join(&mut self.flows, later.flows, |f| f.key, FlowTick::add);
        join(&mut self.qps, later.qps, |q| q.key, QpTick::add);
        join(&mut self.taps, later.taps, |t| (t.source.clone(), t.key), TapTick::add);
        self.messages.extend(later.messages);
        self.messages.sort_by_key(Message::order);
        self.messages_left_out += later.messages_left_out;
        self.control.extend(later.control);
        self.control.sort_by_key(|c| (c.at_ns, c.src, c.dst));
        self.control_left_out += later.control_left_out + self.control.len().saturating_sub(MOST) as u64;
        self.control.truncate(MOST);
        self.moves.extend(later.moves);
        self.moves.sort_by_key(|m| (m.first_on_to_ns, m.flow, m.from, m.to));
    }
}

/// A tap's identity: file or interface, and what the envelope says.
pub type TapKey = (String, MirrorKey);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::Sign;

    fn link(link: u32, packets: u64, first_ns: u64, silent: (u64, u64)) -> LinkTick {
        LinkTick {
            link,
            packets,
            first_ns,
            last_ns: first_ns + 5,
            silent_ns_max: silent.0,
            silent_until_ns: silent.1,
            ..LinkTick::default()
        }
    }

    #[test]
    fn ticks_add_and_keep_extremes() {
        let mut a = Tick { start_ns: 100, end_ns: 200, links: vec![link(1, 3, 110, (7, 120))], ..Tick::default() };
        let b = Tick {
            start_ns: 200,
            end_ns: 300,
            links: vec![link(0, 1, 250, (0, 0)), link(1, 2, 210, (4, 220))],
            ..Tick::default()
        };
        a.merge(b);
        assert_eq!((a.start_ns, a.end_ns, a.widened), (100, 300, 1));
        assert_eq!(a.links.iter().map(|l| (l.link, l.packets)).collect::<Vec<_>>(), [(0, 1), (1, 5)]);
        let l = &a.links[1];
        assert_eq!((l.first_ns, l.last_ns, l.silent_ns_max, l.silent_until_ns), (110, 215, 7, 120));
    }

    #[test]
    fn the_same_stretch_from_two_workers_is_not_wider() {
        let mut a = Tick { start_ns: 1, end_ns: 2, ..Tick::default() };
        a.merge(Tick { start_ns: 1, end_ns: 2, widened: 3, ..Tick::default() });
        assert_eq!(a.widened, 3);
    }

    #[test]
    fn a_rare_kind_of_witness_survives_many_of_another() {
        let mut all: Vec<Witness> =
            (0..20).map(|i| Witness { at_ns: i, psn: i as u32, what: Sign::Retransmit }).collect();
        all.push(Witness { at_ns: 99, psn: 5, what: Sign::NakSequence });
        keep_first_witnesses(&mut all);
        assert_eq!(all.len(), MAX_WITNESSES);
        assert_eq!((all[0].at_ns, all[MAX_WITNESSES - 1].what), (0, Sign::NakSequence));
    }
}
