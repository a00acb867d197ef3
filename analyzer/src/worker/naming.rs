//! A flow's name: payload inspection while the label is open, and its label written into both directions.

use super::Worker;
use super::flows::Found;
use crate::dpi::Label;
use crate::packet::Packet;

impl Worker {
    /// A packet of a flow whose label is open.
    pub(super) fn name(&mut self, place: u32, packet: &Packet<'_>, at_ns: u64) {
        let Some((key, reverse)) = self.flows.peek(place).map(|f| (f.key, f.reverse)) else { return };
        let reverse = reverse.filter(|r| *r != place);
        if let Some(label) = reverse.and_then(|r| self.closed_label(r)) {
            return self.write_label(place, &label);
        }
        let Some(label) = self.dpi.observe(&key, packet) else { return };
        self.write_label(place, &label);
        if let Some(reverse) = reverse {
            self.write_label(reverse, &label);
            self.touch(reverse, at_ns);
        }
    }

    /// What the other direction was named when its label closed.
    fn closed_label(&self, place: u32) -> Option<Label> {
        let flow = self.flows.peek(place).filter(|f| f.label_closed)?;
        let named = flow.app.map(|name| crate::dpi::Named { name, engine: flow.engine, confidence: flow.confidence });
        let found = flow.found.as_deref().cloned().unwrap_or_default();
        Some(Label { named, host_name: found.host_name, attrs: found.attrs, closed: true })
    }

    pub(super) fn write_label(&mut self, place: u32, label: &Label) {
        let Some(flow) = self.flows.get(place) else { return };
        if let Some(named) = label.named {
            (flow.app, flow.engine, flow.confidence) = (Some(named.name), named.engine, named.confidence);
        }
        if label.host_name.is_some() || label.attrs.is_some() || flow.found.is_some() {
            flow.found = Some(Box::new(Found { host_name: label.host_name.clone(), attrs: label.attrs.clone() }));
        }
        flow.label_closed = label.closed;
    }
}
