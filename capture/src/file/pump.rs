//! Decompression on a thread of its own, a few blocks ahead of who reads.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Bytes of a block.
const BLOCK: usize = 256 * 1024;
/// Blocks that lie ready at most.
const AHEAD: usize = 4;

/// Reads what a thread decompresses.
struct Pump {
    ready: Receiver<io::Result<Vec<u8>>>,
    /// Blocks go back to be filled again.
    used: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

/// Lets `decoder` run ahead on its own thread, which ends with the input or when nobody reads on.
pub(super) fn on_its_own_thread(decoder: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let (give, ready) = sync_channel(AHEAD);
    let (used, take_back) = channel();
    thread::Builder::new().name("decompress".to_owned()).spawn(move || run(decoder, &give, &take_back))?;
    Ok(Box::new(Pump { ready, used, block: Vec::new(), at: 0 }))
}

fn run(mut decoder: impl Read, give: &SyncSender<io::Result<Vec<u8>>>, take_back: &Receiver<Vec<u8>>) {
    loop {
        let mut block = take_back.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let (len, error) = fill(&mut decoder, &mut block);
        block.truncate(len);
        if (len > 0 && give.send(Ok(block)).is_err()) || error.is_some_and(|e| give.send(Err(e)).is_err()) {
            return;
        }
        if len < BLOCK {
            return;
        }
    }
}

/// Fills a block up to the end of the input or an error: what precedes either is kept.
fn fill(decoder: &mut impl Read, block: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut len = 0;
    while let Some(room) = block.get_mut(len..).filter(|r| !r.is_empty()) {
        match decoder.read(room) {
            Ok(0) => break,
            Ok(got) => len += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (len, Some(error)),
        }
    }
    (len, None)
}

impl Read for Pump {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            let _ = self.used.send(std::mem::take(&mut self.block));
            self.at = 0;
            match self.ready.recv() {
                Ok(block) => self.block = block?,
                Err(_) => return Ok(0),
            }
        }
        let mut rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.read(into)?;
        self.at += count;
        Ok(count)
    }
}
