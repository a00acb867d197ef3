//! A flow's name: payload inspection while the label is open, and its label written into both directions.

use super::Worker;
use super::conversation::reversed;
use super::flows::{Flow, Found};
use crate::dpi::{Label, Named, Seen};
use crate::packet::Packet;
use crate::tick::FlowKey;

/// Engines that name flows; a flow remembers the place of its own here.
pub(super) const ENGINES: [&str; 4] = ["none", "dpi", "port", "dfi"];

/// Payload inspection, among [`ENGINES`].
pub(super) const DPI: u8 = 1;

fn place_of(engine: &str) -> u8 {
    ENGINES.iter().position(|e| *e == engine).unwrap_or(0) as u8
}

impl Flow {
    /// How it was named.
    pub fn engine(&self) -> &'static str {
        ENGINES.get(usize::from(self.engine)).copied().unwrap_or_default()
    }
}

impl Worker {
    /// A packet of a flow whose label is open.
    pub(super) fn name(&mut self, place: u32, packet: &Packet<'_>, at_ns: u64) {
        if let Some(name) = self.flows.peek(place).and_then(Flow::watched) {
            return self.watch(name, place, packet, at_ns);
        }
        let Some((key, reverse, mut seen)) = self.flows.peek(place).map(|f| (f.key, f.reverse, f.seen)) else { return };
        let reverse = reverse.filter(|r| *r != place);
        let mut there = Seen::default();
        if let Some(other) = reverse.and_then(|r| self.flows.peek(r)) {
            if other.label_closed {
                let label = label_of(other);
                return self.write_label(place, &label);
            }
            there = other.seen;
        }
        let before = there;
        let label = self.dpi.observe(&key, packet, &mut seen, reverse.map(|_| &mut there));
        if let Some(flow) = self.flows.get(place) {
            flow.seen = seen;
        }
        if let Some(other) = reverse.filter(|_| there != before).and_then(|r| self.flows.get(r)) {
            other.seen = there;
        }
        let Some(label) = label else { return };
        self.write_label(place, &label);
        if let Some(reverse) = reverse {
            self.write_label(reverse, &label);
            self.touch(reverse, at_ns);
        }
        if let Some(name) = self.flows.peek(place).and_then(Flow::watched) {
            self.watch(name, place, packet, at_ns);
        }
    }

    /// DNS named one end of a conversation, as the memory that several workers have in common says.
    pub(super) fn name_host(&mut self, key: &FlowKey, name: &str) {
        for key in [*key, reversed(key)] {
            let flow = self.flows.find(&key).and_then(|place| self.flows.get(place));
            let Some(flow) = flow.filter(|flow| flow.app != Some("dns")) else { continue };
            flow.found.get_or_insert_default().host_name.get_or_insert_with(|| name.to_owned());
        }
    }

    pub(super) fn write_label(&mut self, place: u32, label: &Label) {
        let Some(flow) = self.flows.get(place) else { return };
        flow.label_closed = false;
        if let Some(named) = label.named {
            (flow.app, flow.engine, flow.confidence) = (Some(named.name), place_of(named.engine), named.confidence);
        }
        if label.host_name.is_some() || label.attrs.is_some() || flow.found.is_some() {
            flow.found = Some(Box::new(Found { host_name: label.host_name.clone(), attrs: label.attrs.clone() }));
        }
        flow.label_closed = label.closed && flow.watched().is_none();
    }
}

/// What a direction was named when its label closed.
fn label_of(flow: &Flow) -> Label {
    let named = flow.app.map(|name| Named { name, engine: flow.engine(), confidence: flow.confidence });
    let found = flow.found.as_deref().cloned().unwrap_or_default();
    Label { named, host_name: found.host_name, attrs: found.attrs, closed: true }
}
