//! The links that show a flow, and when it moves from one to another.

use crate::tick::LinkId;

/// Links remembered per flow beside the present one.
const OTHERS: usize = 3;
/// A link that showed the flow so recently shows it beside the present one: another tap on its way, or a sprayed path.
const BESIDE_NS: u64 = 10_000_000;
/// Packets on the new link, with none on the old one, that make a move certain.
const CERTAIN_PACKETS: u8 = 3;
/// A flow that stays this long on the new link has moved, however few its packets.
const CERTAIN_NS: u64 = 20_000_000;

/// A flow's packets stopped on one link and came on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub from: LinkId,
    pub to: LinkId,
    pub last_on_from_ns: u64,
    pub first_on_to_ns: u64,
    pub rewound: u32,
}

#[derive(Clone, Copy, Debug)]
struct View {
    link: LinkId,
    /// Time to live of its packets there: the more, the nearer to the sender.
    ttl: u8,
    last_ns: u64,
}

/// No link yet.
const NONE: View = View { link: LinkId(u32::MAX), ttl: 0, last_ns: 0 };

impl View {
    fn link(self) -> Option<LinkId> {
        (self.link != NONE.link).then_some(self.link)
    }
}

impl Default for View {
    fn default() -> Self {
        NONE
    }
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    moved: Moved,
    packets: u8,
}

/// What only a flow that was seen on several links has.
#[derive(Clone, Copy, Debug, Default)]
struct Beside {
    others: [View; OTHERS],
    pending: Option<Pending>,
}

/// The links of one flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Views {
    present: View,
    beside: Option<Box<Beside>>,
}

impl Views {
    /// The link that carries the flow at present.
    pub fn link(&self) -> Option<LinkId> {
        self.present.link()
    }

    /// Of the links that show it at present, the one nearest to its sender. By time to live: the order in which several taps
    /// show a packet is that of their clocks.
    pub fn nearest(&self) -> Option<LinkId> {
        let present = self.present;
        let shows = |v: &&View| v.link != NONE.link && v.last_ns.saturating_add(BESIDE_NS) >= present.last_ns;
        let others = self.beside.iter().flat_map(|b| &b.others).filter(shows);
        others.copied().fold(present, |best, v| if v.ttl > best.ttl { v } else { best }).link()
    }

    /// The only link that ever carried it, if any did; none if there were several.
    pub fn only(&self) -> Option<Option<LinkId>> {
        self.beside.is_none().then_some(self.present.link())
    }

    /// Its packets went on as before, until `last_ns`.
    pub fn went_on(&mut self, last_ns: u64) {
        if self.present.link().is_some() {
            self.present.last_ns = last_ns;
        }
    }

    /// A packet of the flow was seen on `link`; `copy`: another link had shown it already. Gives a move when it is certain.
    pub fn saw(&mut self, link: LinkId, ttl: u8, at_ns: u64, copy: bool, rewound: u32) -> Option<Moved> {
        if self.present.link == link {
            self.present.last_ns = at_ns;
            return self.beside.as_mut().and_then(|beside| beside.settle(link, at_ns, copy));
        }
        let present = self.present;
        let seen = View { link, ttl, last_ns: at_ns };
        if present.link().is_none() {
            self.present = seen;
            return None;
        }
        let beside = self.beside.get_or_insert_default();
        if beside.pending.is_some_and(|p| p.moved.from == link) {
            beside.pending = None;
        }
        if copy {
            beside.remember(seen);
            return None;
        }
        let before = beside.other(link);
        self.present = seen;
        beside.remember(present);
        beside.came(present, before, link, at_ns, rewound);
        None
    }
}

impl Beside {
    /// The first packet on another link than before: a move, unless that link showed the flow all along.
    fn came(&mut self, present: View, before: Option<View>, link: LinkId, at_ns: u64, rewound: u32) {
        let Some(from) = present.link() else { return };
        let all_along = before.is_some_and(|v| v.last_ns.saturating_add(BESIDE_NS) >= present.last_ns);
        if !all_along && self.pending.is_none() {
            let moved = Moved { from, to: link, last_on_from_ns: present.last_ns, first_on_to_ns: at_ns, rewound };
            self.pending = Some(Pending { moved, packets: 1 });
        }
    }

    /// Another packet on the present link: enough to believe that it moved there?
    fn settle(&mut self, link: LinkId, at_ns: u64, copy: bool) -> Option<Moved> {
        let pending = self.pending.as_mut()?;
        // It may have gone on to a third link: what it left first is told when that is certain.
        pending.moved.to = link;
        pending.packets = pending.packets.saturating_add(u8::from(!copy));
        let long = at_ns.saturating_sub(pending.moved.first_on_to_ns) >= CERTAIN_NS;
        if pending.packets < CERTAIN_PACKETS && !long {
            return None;
        }
        self.pending.take().map(|p| p.moved)
    }

    fn other(&self, link: LinkId) -> Option<View> {
        self.others.iter().find(|v| v.link == link).copied()
    }

    /// Keeps the links last seen; of too many the one longest unseen goes.
    fn remember(&mut self, view: View) {
        let same = self.others.iter().position(|v| v.link == view.link);
        let oldest = || (0..OTHERS).min_by_key(|&i| self.others.get(i).map_or(0, |v| v.last_ns));
        if let Some(slot) = same.or_else(oldest).and_then(|at| self.others.get_mut(at)) {
            *slot = view;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const A: LinkId = LinkId(1);
    const B: LinkId = LinkId(2);
    const C: LinkId = LinkId(3);

    fn moves(seen: &[(LinkId, u64, bool)]) -> Vec<(LinkId, LinkId, u64, u64)> {
        let mut views = Views::default();
        let moved = seen.iter().filter_map(|&(link, at_ns, copy)| views.saw(link, 64, at_ns, copy, 0));
        moved.map(|m| (m.from, m.to, m.last_on_from_ns, m.first_on_to_ns)).collect()
    }

    #[test]
    fn a_failover_and_the_way_back() {
        let mut seen: Vec<_> = (0..10).map(|i| (A, i * MS, false)).collect();
        seen.extend((50..60).map(|i| (B, i * MS, false)));
        seen.extend((90..99).map(|i| (A, i * MS, false)));
        assert_eq!(moves(&seen), [(A, B, 9 * MS, 50 * MS), (B, A, 59 * MS, 90 * MS)]);
    }

    #[test]
    fn two_taps_on_the_way_are_no_moves_whichever_comes_first() {
        let seen = |first: LinkId, second: LinkId, i: u64| [(first, i * MS, false), (second, i * MS + 5, true)];
        let both: Vec<_> = (0..40).flat_map(|i| if i % 3 == 0 { seen(B, A, i) } else { seen(A, B, i) }).collect();
        assert_eq!(moves(&both), []);
    }

    #[test]
    fn the_first_packet_missing_at_one_tap_is_no_move() {
        let mut seen = vec![(B, 0, false)];
        seen.extend((1..20).flat_map(|i| [(A, i * MS, false), (B, i * MS + 9, true)]));
        assert_eq!(moves(&seen), []);
    }

    #[test]
    fn the_nearest_link_is_told_by_time_to_live_and_not_by_the_order_of_clocks() {
        let mut views = Views::default();
        for i in 0..5 {
            views.saw(B, 62, i * MS, false, 0);
            views.saw(A, 63, i * MS + 10, true, 0);
        }
        assert_eq!((views.link(), views.nearest()), (Some(B), Some(A)));
        views.saw(B, 62, 30 * MS, false, 0);
        assert_eq!(views.nearest(), Some(B), "the other shows it no more");
    }

    #[test]
    fn spraying_over_links_is_no_move() {
        let seen: Vec<_> = (0..60).map(|i| ([A, B, C][i as usize * 7 % 3], i * MS / 10, false)).collect();
        assert_eq!(moves(&seen), []);
    }

    #[test]
    fn one_packet_each_after_a_while_is_enough() {
        assert_eq!(moves(&[(A, 0, false), (B, 100 * MS, false), (B, 130 * MS, false)]), [(A, B, 0, 100 * MS)]);
    }
}
