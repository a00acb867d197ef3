//! A flow's name: payload inspection while the label is open, and its label written into both directions.

use super::Worker;
use super::conversation::reversed;
use crate::dpi::Label;
use crate::packet::Packet;

impl Worker {
    /// A packet of a flow whose label is open.
    pub(super) fn name(&mut self, place: u32, packet: &Packet<'_>, at_ns: u64) {
        let Some(key) = self.flows.peek(place).map(|f| f.key) else { return };
        let reverse = self.flows.find(&reversed(&key)).filter(|r| *r != place);
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
        Some(Label { named, host_name: flow.host_name.clone(), attrs: flow.attrs.clone(), closed: true })
    }

    fn write_label(&mut self, place: u32, label: &Label) {
        let Some(flow) = self.flows.get(place) else { return };
        if let Some(named) = label.named {
            (flow.app, flow.engine, flow.confidence) = (Some(named.name), named.engine, named.confidence);
        }
        flow.host_name.clone_from(&label.host_name);
        flow.attrs.clone_from(&label.attrs);
        flow.label_closed = label.closed;
    }
}
