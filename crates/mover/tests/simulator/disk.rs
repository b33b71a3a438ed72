//! The store of the simulated target: what is written may be lost, what is durable may not.

use std::collections::BTreeMap;

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_mover::Block;
use vab_mover::proto::Position;

use crate::random::Random;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) open: BTreeMap<Uuid, Session>,
    pub(crate) committed: BTreeMap<Uuid, Committed>,
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The process of the target that wrote it last.
    pub(crate) life: u64,
    pub(crate) key: [u8; 16],
    pub(crate) streams: Vec<Stream>,
}

#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) blocks: Vec<Block>,
    pub(crate) durable: usize,
}

#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) streams: Vec<Vec<Block>>,
    pub(crate) ends: Vec<StreamEnd>,
    pub(crate) facts: Vec<u8>,
}

impl Disk {
    /// The machine dies: of what was not durable, any prefix survives.
    pub(crate) fn lose_power(&mut self, random: &mut Random) {
        for stream in self
            .open
            .values_mut()
            .flat_map(|session| &mut session.streams)
        {
            let survives = random.between(stream.durable as u64, stream.blocks.len() as u64);
            stream.blocks.truncate(usize::try_from(survives).unwrap());
            stream.durable = stream.blocks.len();
        }
    }

    pub(crate) fn commit(&mut self, session: Uuid, facts: &[u8], ends: &[StreamEnd]) {
        let found = self
            .open
            .remove(&session)
            .expect("an open session is committed");
        let streams = found
            .streams
            .into_iter()
            .map(|stream| {
                assert_eq!(
                    stream.durable,
                    stream.blocks.len(),
                    "committed before it was durable"
                );
                stream.blocks
            })
            .collect();
        let committed = Committed {
            streams,
            ends: ends.to_vec(),
            facts: facts.to_vec(),
        };
        self.committed.insert(session, committed);
    }
}

impl Stream {
    pub(crate) fn write(&mut self, block: Block) {
        assert_eq!(
            block.header.sequence,
            self.blocks.len() as u64,
            "a block twice, or lost"
        );
        block
            .header
            .verify(&block.payload)
            .expect("a damaged block");
        self.blocks.push(block);
    }

    pub(crate) fn position(&self) -> Position {
        let mut at = Position::default();
        for block in self.blocks.iter().take(self.durable) {
            at.advance(&block.header).expect("blocks in order");
        }
        at
    }
}
