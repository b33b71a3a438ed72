//! What one process of the source has in its memory, and what its engine wants to write.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_mover::Block;
use vab_mover::proto::backup::{Source, SourceConfig};
use vab_mover::proto::frame::Limits;
use vab_mover::proto::{FrameDecoder, Moment, Position};

use crate::random::Random;

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What the engine has to write to one device.
pub(super) struct Script {
    pub(super) blocks: Vec<Vec<u8>>,
    flushes: Vec<usize>,
}

impl Script {
    pub(super) fn new(largest: u64, random: &mut Random) -> Self {
        let count = if random.chance(10) {
            0
        } else {
            random.between(1, 25)
        };
        let blocks: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let length = random.between(1, largest);
                random.bytes(usize::try_from(length).unwrap())
            })
            .collect();
        let flushes = (0..=blocks.len()).filter(|_| random.chance(10)).collect();
        Self { blocks, flushes }
    }
}

/// How far a device set has come; it dies with its process.
#[derive(Clone, Default)]
struct Device {
    at: Position,
    durable: u64,
    waits: bool,
    finished: bool,
}

/// What an engine does next with a device.
pub(super) enum Step {
    Nothing,
    /// The engine asked for a flush, which waits for the target.
    Flushed,
    Pushed,
    Finished,
    /// The device is over.
    Over,
}

/// One process of the source with its backup.
pub(super) struct Attempt {
    pub(super) core: Source,
    pub(super) conn: Option<u64>,
    pub(super) decoder: FrameDecoder,
    /// A second connection on which the next request will be heard as well.
    pub(super) ghost: Option<u64>,
    pub(super) session: Option<Uuid>,
    pub(super) committing: bool,
    /// A Commit left, over any connection.
    pub(super) commit_sent: bool,
    /// The target heard of the source after the session began.
    pub(super) confirmed: bool,
    devices: Vec<Device>,
}

/// What is known of an attempt that is over: its process died, or it never began.
pub(super) struct Past {
    pub(super) session: Option<Uuid>,
    pub(super) commit_sent: bool,
}

impl Attempt {
    pub(super) fn new(
        streams: usize,
        retain: u64,
        conn: u64,
        random: &mut Random,
        now: Moment,
    ) -> Self {
        let mut config = SourceConfig {
            seed: random.next(),
            ..SourceConfig::default()
        };
        config.resume.limit = LIMIT;
        let key = [random.next().to_le_bytes()[0]; 16];
        let count = u16::try_from(streams).unwrap();
        Self {
            core: Source::new(config, key, b"job".to_vec(), count, retain, now).unwrap(),
            conn: Some(conn),
            decoder: FrameDecoder::new(Limits::CONTROL),
            ghost: None,
            session: None,
            committing: false,
            commit_sent: false,
            confirmed: false,
            devices: vec![Device::default(); streams],
        }
    }

    pub(super) const fn past(&self) -> Past {
        Past {
            session: self.session,
            commit_sent: self.commit_sent,
        }
    }

    pub(super) fn durable(&mut self, stream: u16, blocks: u64) {
        let device = &mut self.devices[usize::from(stream)];
        device.durable = device.durable.max(blocks);
    }

    /// Lets the engine go on with one device. `share`: payload bytes that may be unsafe.
    pub(super) fn step(&mut self, script: &Script, stream: u16, share: u64) -> Step {
        let Some(session) = self.session else {
            return Step::Nothing;
        };
        let device = &mut self.devices[usize::from(stream)];
        if device.finished {
            return Step::Over;
        }
        let next = usize::try_from(device.at.blocks).unwrap();
        if device.waits && device.durable < device.at.blocks {
            return Step::Nothing;
        }
        if !device.waits && script.flushes.contains(&next) {
            device.waits = true;
            self.core.flush(stream).unwrap();
            return Step::Flushed;
        }
        let Some(bytes) = script.blocks.get(next) else {
            device.finished = true;
            self.core.finish_stream(stream).unwrap();
            return Step::Finished;
        };
        let first_unsafe = usize::try_from(device.durable).unwrap();
        let kept = script.blocks.get(first_unsafe..next).unwrap();
        let kept: usize = kept.iter().map(Vec::len).sum();
        if (kept + bytes.len()) as u64 > share {
            return Step::Nothing;
        }
        let at = &mut device.at;
        let header = BlockHeader::for_raw(session, stream, at.blocks, at.bytes, bytes);
        at.advance(&header).unwrap();
        device.waits = false;
        let payload = Bytes::copy_from_slice(bytes);
        self.core
            .push(Block {
                header,
                payload: payload.into(),
            })
            .unwrap();
        Step::Pushed
    }
}
