//! A flow's name: payload inspection while the label is open, and its label written into both directions.

use super::Worker;
use super::flows::{Flow, Found};
use crate::dpi::{Label, Named};
use crate::packet::Packet;

impl Worker {
    /// A packet of a flow whose label is open.
    pub(super) fn name(&mut self, place: u32, packet: &Packet<'_>, at_ns: u64) {
        if let Some(name) = self.flows.peek(place).and_then(Flow::watched) {
            return self.watch(name, place, packet, at_ns);
        }
        let Some((key, reverse, mut seen)) = self.flows.peek(place).map(|f| (f.key, f.reverse, f.seen)) else { return };
        let reverse = reverse.filter(|r| *r != place);
        if let Some(other) = reverse.and_then(|r| self.flows.peek(r)) {
            if other.label_closed {
                let label = label_of(other);
                return self.write_label(place, &label);
            }
            seen.kept = seen.kept.or(other.seen.kept);
        }
        let label = self.dpi.observe(&key, packet, &mut seen);
        if let Some(flow) = self.flows.get(place) {
            flow.seen = seen;
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

    pub(super) fn write_label(&mut self, place: u32, label: &Label) {
        let Some(flow) = self.flows.get(place) else { return };
        flow.label_closed = false;
        if let Some(named) = label.named {
            (flow.app, flow.engine, flow.confidence) = (Some(named.name), named.engine, named.confidence);
        }
        if label.host_name.is_some() || label.attrs.is_some() || flow.found.is_some() {
            flow.found = Some(Box::new(Found { host_name: label.host_name.clone(), attrs: label.attrs.clone() }));
        }
        flow.label_closed = label.closed && flow.watched().is_none();
    }
}

/// What a direction was named when its label closed.
fn label_of(flow: &Flow) -> Label {
    let named = flow.app.map(|name| Named { name, engine: flow.engine, confidence: flow.confidence });
    let found = flow.found.as_deref().cloned().unwrap_or_default();
    Label { named, host_name: found.host_name, attrs: found.attrs, closed: true }
}
