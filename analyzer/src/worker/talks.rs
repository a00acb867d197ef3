//! The RDMA conversations of a worker's flows, side by side, and where each stands by the hash of its flow's key: the short way
//! from a frame to what it changes.

use super::ahead::ask;
use super::index::Index;
use super::rdma::Rdma;

/// Conversations that the index holds at first; it doubles when that is too few.
const FIRST: usize = 1024;

/// What one that is gone had not yet told its links.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub links: [u16; 2],
    pub packets: u32,
    pub bytes: u64,
    pub beside: super::rdma::Beside,
}

/// All conversations; as many as flows at most.
#[derive(Debug)]
pub(super) struct Talks {
    all: Vec<Rdma>,
    free: Vec<u32>,
    index: Index,
    gone: Vec<Gone>,
}

impl Default for Talks {
    fn default() -> Self {
        Self { all: Vec::new(), free: Vec::new(), index: Index::new(FIRST), gone: Vec::new() }
    }
}

impl Talks {
    #[inline(always)]
    pub fn get(&mut self, id: u32) -> Option<&mut Rdma> {
        self.all.get_mut(id as usize)
    }

    #[inline(always)]
    pub fn peek(&self, id: u32) -> Option<&Rdma> {
        self.all.get(id as usize)
    }

    /// A new one; gives its place.
    pub fn begin(&mut self, rdma: Rdma) -> u32 {
        let hash = rdma.hash;
        let id = match self.free.pop() {
            Some(id) => id,
            None => self.all.len() as u32,
        };
        match self.all.get_mut(id as usize) {
            Some(place) => *place = rdma,
            None => self.all.push(rdma),
        }
        self.index.make_room(self.all.len());
        self.index.insert(hash, id);
        id
    }

    /// Its flow is gone. The other direction has no peer any more.
    pub fn end(&mut self, id: u32) {
        let Some(rdma) = self.all.get_mut(id as usize) else { return };
        rdma.fold();
        let (hot, beside, peer_id, hash) = (rdma.hot, rdma.take_beside(), rdma.peer_id.take(), rdma.hash);
        rdma.hot.armed = false;
        self.gone.push(Gone { links: hot.links, packets: hot.packets, bytes: hot.bytes, beside });
        self.index.remove(hash, id);
        self.free.push(id);
        if let Some(peer) = peer_id.and_then(|peer| self.get(peer)) {
            (peer.peer, peer.peer_id) = (None, None);
        }
    }

    /// What those that ended since the last call had not told.
    pub fn take_gone(&mut self) -> Vec<Gone> {
        std::mem::take(&mut self.gone)
    }

    /// What is known of one has changed: so may what it expects.
    pub fn renew(&mut self, id: u32) {
        if let Some(rdma) = self.get(id).filter(|rdma| rdma.hot.armed) {
            rdma.renew();
        }
    }

    /// Senders' MAC addresses by their place, and when each sent last the short way.
    pub fn spoke(&self) -> impl Iterator<Item = (u32, u64)> {
        self.all.iter().filter_map(|rdma| rdma.speaker.map(|place| (place, rdma.hot.last_ns)))
    }

    /// Newest packet taken the short way.
    pub fn last_ns(&self, id: Option<u32>) -> u64 {
        id.and_then(|id| self.peek(id)).map_or(0, |rdma| rdma.hot.last_ns)
    }

    /// Asks memory for the slot of a hash.
    #[inline(always)]
    pub fn ask_slot(&self, hash: u32) {
        self.index.ask(hash);
    }

    /// Asks memory for one.
    #[inline(always)]
    pub fn ask(&self, id: u32, lines: usize) {
        if let Some(rdma) = self.peek(id) {
            ask(rdma, lines);
        }
    }

    /// The first with this hash.
    #[inline(always)]
    pub fn find(&self, hash: u32) -> Option<u32> {
        self.index.find(hash, |_| true)
    }
}
