//! Several live sources as one: stepped in turn, their interfaces numbered on.

use std::sync::Arc;

use capture::live::processors::stay_on;
use capture::{Frame, Input, Interface, InterfaceId, Sink, Source, Step};

use crate::output::warn;

/// Interfaces that one source may have: numbers of the next begin beyond.
const INTERFACES_EACH: u16 = 64;

/// Sources stepped in turn.
pub struct Several {
    sources: Vec<Box<dyn Source>>,
    at: usize,
    idle: usize,
    /// Processors that the thread which steps is to stay on, until it has been told so.
    processors: Option<Vec<usize>>,
}

impl Several {
    /// At most 1,024 of them.
    pub fn new(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources, at: 0, idle: 0, processors: None }
    }

    /// Read on these processors.
    pub fn on(self, processors: Option<Vec<usize>>) -> Self {
        Self { processors, ..self }
    }

    /// Once, on the thread that reads; those that the process started before stay as they are.
    fn settle(&mut self) {
        if let Some(list) = self.processors.take()
            && let Err(why) = stay_on(&list)
        {
            warn(format!("the reading thread is not kept on processors {list:?}: {why}"));
        }
    }
}

impl Source for Several {
    fn step(&mut self, sink: &mut dyn Sink) -> Step {
        self.settle();
        let count = self.sources.len();
        let at = self.at;
        self.at = (at + 1) % count.max(1);
        let Some(source) = self.sources.get_mut(at) else { return Step::End };
        let step = if count == 1 {
            source.step(sink)
        } else {
            let base = at as u16 * INTERFACES_EACH;
            source.step(&mut Numbered { sink, base })
        };
        // Idle only when none of them had anything since it was said last: then the caller may sleep.
        self.idle = if step == Step::More { 0 } else { self.idle + 1 };
        match step {
            Step::Idle if self.idle < count => Step::More,
            other => {
                self.idle = 0;
                other
            }
        }
    }

    fn close(&mut self, sink: &mut dyn Sink) {
        for (at, source) in self.sources.iter_mut().enumerate() {
            source.close(&mut Numbered { sink, base: at as u16 * INTERFACES_EACH });
        }
    }

    fn inputs(&self) -> Vec<Input> {
        self.sources.iter().flat_map(|s| s.inputs()).collect()
    }
}

struct Numbered<'a> {
    sink: &'a mut dyn Sink,
    base: u16,
}

impl Numbered<'_> {
    fn id(&self, id: InterfaceId) -> InterfaceId {
        InterfaceId(self.base.saturating_add(id.0))
    }
}

impl Sink for Numbered<'_> {
    fn interface(&mut self, interface: &Interface) {
        self.sink.interface(&Interface { id: self.id(interface.id), ..interface.clone() });
    }

    fn lie_in(&mut self, bytes: &Arc<Vec<u8>>) {
        self.sink.lie_in(bytes);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        let frames: Vec<Frame<'_>> = batch.iter().map(|f| Frame { interface: self.id(f.interface), ..*f }).collect();
        self.sink.frames(&frames);
    }

    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.sink.dropped(self.id(interface), at_ns, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(u32);

    impl Source for One {
        fn step(&mut self, sink: &mut dyn Sink) -> Step {
            if self.0 == 0 {
                return Step::Idle;
            }
            self.0 -= 1;
            sink.dropped(InterfaceId(1), 5, 7);
            Step::More
        }

        fn inputs(&self) -> Vec<Input> {
            vec![Input::default()]
        }
    }

    #[derive(Default)]
    struct Seen(Vec<u16>);

    impl Sink for Seen {
        fn interface(&mut self, _: &Interface) {}
        fn frames(&mut self, _: &[Frame<'_>]) {}
        fn dropped(&mut self, interface: InterfaceId, _: u64, _: u64) {
            self.0.push(interface.0);
        }
    }

    #[test]
    fn sources_take_turns_and_idle_means_all_of_them() {
        let mut several = Several::new(vec![Box::new(One(2)), Box::new(One(1))]);
        let mut seen = Seen::default();
        let steps: Vec<Step> = (0..6).map(|_| several.step(&mut seen)).collect();
        assert_eq!(seen.0, [1, 65, 1]);
        assert_eq!(steps, [Step::More, Step::More, Step::More, Step::More, Step::Idle, Step::More]);
        assert_eq!(several.inputs().len(), 2);
    }
}
