//! What one process of the source has in its memory, and what its engine took of it.

use std::collections::VecDeque;

use vab_mover::Block;
use vab_mover::proto::backup::SourceConfig;
use vab_mover::proto::frame::{Limits, MAX_PAYLOAD};
use vab_mover::proto::restore::Source;
use vab_mover::proto::{FrameDecoder, Moment};

use crate::random::Random;

/// One process of the source with its restore.
pub(super) struct Attempt {
    pub(super) core: Source,
    pub(super) conn: Option<u64>,
    pub(super) decoder: FrameDecoder,
    /// A second connection on which the next request will be heard as well.
    pub(super) ghost: Option<u64>,
    arrived: Vec<VecDeque<Block>>,
    taken: Vec<Vec<u8>>,
    ended: Vec<bool>,
}

impl Attempt {
    pub(super) fn new(
        streams: usize,
        memory: u64,
        conn: u64,
        random: &mut Random,
        now: Moment,
    ) -> Self {
        let config = SourceConfig {
            seed: random.next(),
            ..SourceConfig::default()
        };
        Self {
            core: Source::new(config, b"point".to_vec(), memory, now),
            conn: Some(conn),
            decoder: Self::decoder(),
            ghost: None,
            arrived: vec![VecDeque::new(); streams],
            taken: vec![Vec::new(); streams],
            ended: vec![false; streams],
        }
    }

    pub(super) fn decoder() -> FrameDecoder {
        FrameDecoder::new(Limits::blocks(MAX_PAYLOAD))
    }

    pub(super) fn arrived(&mut self, block: Block) {
        let stream = usize::from(block.header.stream);
        assert!(!self.ended[stream], "a block after the end");
        self.arrived[stream].push_back(block);
    }

    pub(super) fn ended(&mut self, stream: usize) {
        let twice = std::mem::replace(&mut self.ended[stream], true);
        assert!(!twice, "a stream ended twice");
    }

    /// Payload bytes of each stream that arrived and that the engine has not taken.
    pub(super) fn held(&self) -> impl Iterator<Item = u64> {
        let bytes = |blocks: &VecDeque<Block>| blocks.iter().map(|block| block.payload.len()).sum();
        self.arrived
            .iter()
            .map(bytes)
            .map(|held: usize| held as u64)
    }

    /// The engine takes a block of the stream, if there is one; true if it has all of all streams.
    pub(super) fn take(&mut self, stream: usize) -> bool {
        if let Some(block) = self.arrived[stream].pop_front() {
            self.taken[stream].extend_from_slice(&block.payload);
            let number = u16::try_from(stream).unwrap();
            self.core.consumed(number, block.header.stored_length);
        }
        self.ended.iter().all(|ended| *ended) && self.arrived.iter().all(VecDeque::is_empty)
    }

    /// What came back is what was stored.
    pub(super) fn check(&self, stored: &[Vec<Block>]) {
        for (stream, (taken, blocks)) in self.taken.iter().zip(stored).enumerate() {
            let stored: Vec<u8> = blocks
                .iter()
                .flat_map(|block| block.payload.to_vec())
                .collect();
            assert!(self.ended[stream], "stream {stream} never ended");
            assert_eq!(*taken, stored, "what came back is not what was stored");
        }
    }
}
