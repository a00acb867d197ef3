//! Several files as one source, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use crate::file::format::{BATCH, Described};
use crate::file::reader::Reader;
use crate::frame::{Frame, Interface, InterfaceId};
use crate::source::{Input, Sink, Source, Step};

/// Several files. Frames of the same time come in the order in which the files were given; a file whose own time runs
/// backwards is lent in its order.
pub(super) struct Files {
    readers: Vec<Reader>,
    /// Time of the next frame of each file that has one.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Files that must be read on before the next batch.
    hungry: Vec<usize>,
    interfaces: u32,
}

impl Files {
    pub(super) fn new(readers: Vec<Reader>) -> Self {
        let hungry = (0..readers.len()).collect();
        Self { readers, heads: BinaryHeap::new(), hungry, interfaces: 0 }
    }

    fn refill(&mut self, sink: &mut dyn Sink) {
        for index in std::mem::take(&mut self.hungry) {
            let Some(reader) = self.readers.get_mut(index) else { continue };
            let count = &mut self.interfaces;
            reader.refill(&mut |described, index_in_file, source| {
                let id = InterfaceId(u16::try_from(*count).unwrap_or(u16::MAX));
                *count += 1;
                sink.interface(&interface(id, described, index_in_file, source));
                id
            });
            for lost in reader.take_lost() {
                sink.dropped(lost.interface, lost.at_ns, lost.count);
            }
            if let Some(record) = reader.next() {
                self.heads.push(Reverse((record.at_ns, index)));
            } else if !reader.ended() {
                self.hungry.push(index);
            }
        }
    }

    /// Takes the earliest records, up to a batch, or until a file must be read on.
    fn take(&mut self) -> Vec<(usize, Range<usize>)> {
        let mut runs = Vec::new();
        let mut room = BATCH;
        while room > 0 && self.hungry.is_empty() {
            let Some(Reverse((_, index))) = self.heads.pop() else { break };
            let next = self.heads.peek().map(|Reverse(head)| *head);
            let Some(reader) = self.readers.get_mut(index) else { continue };
            let run = reader.take(room, |at_ns| next.is_none_or(|other| (at_ns, index) <= other));
            room -= run.len();
            match reader.next() {
                Some(record) => self.heads.push(Reverse((record.at_ns, index))),
                None => self.hungry.push(index),
            }
            runs.push((index, run));
        }
        runs
    }
}

impl Source for Files {
    fn step(&mut self, sink: &mut dyn Sink) -> Step {
        self.refill(sink);
        let runs = self.take();
        let mut batch: Vec<Frame<'_>> = Vec::with_capacity(BATCH);
        for (index, run) in runs {
            batch.extend(self.readers.get(index).into_iter().flat_map(|r| r.frames(run.clone())));
        }
        if !batch.is_empty() {
            sink.frames(&batch);
        }
        if self.heads.is_empty() && self.hungry.is_empty() { Step::End } else { Step::More }
    }

    fn inputs(&self) -> Vec<Input> {
        self.readers.iter().map(Reader::input).collect()
    }
}

fn interface(id: InterfaceId, described: &Described, index_in_file: u32, source: &str) -> Interface {
    Interface {
        id,
        source: source.to_owned(),
        name: described.name.clone(),
        index_in_file,
        link_type: described.link_type,
        speed_bps: described.speed_bps,
        snaplen: described.snaplen,
        fcs_len: described.fcs_len,
    }
}
