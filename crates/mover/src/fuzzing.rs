//! Entries for fuzzers: any input must end without a panic and within bounded memory.

use std::time::Duration;

use uuid::Uuid;
use vab_format::block::BlockHeader;

use crate::Block;
use crate::proto::backup::{self, SourceConfig, TargetConfig, TargetEvent, Terms};
use crate::proto::control::{Control, StreamState};
use crate::proto::frame::{Frame, Limits};
use crate::proto::{FrameDecoder, Hello, LivenessConfig, Moment, Position, restore};

const SESSION: Uuid = Uuid::from_u128(0xf022);
const STREAMS: u16 = 2;
const WINDOW: u64 = 64;
const PAYLOAD: usize = 16;

/// Bytes as they come from a socket: the hello, then frames.
pub fn wire(bytes: &[u8]) {
    if let Some((hello, _)) = bytes.split_first_chunk::<{ Hello::LENGTH }>()
        && let Ok(hello) = Hello::decode(hello)
    {
        let _ = Hello::ours().agree(&hello);
    }
    for limits in [Limits::CONTROL, Limits::blocks(4096)] {
        let mut decoder = FrameDecoder::new(limits);
        for piece in bytes.chunks(61) {
            decoder.feed(piece);
        }
        while let Ok(Some(frame)) = decoder.next_frame() {
            // What was read can be written again.
            assert!(
                frame.encode().is_ok(),
                "a frame that was read cannot be written"
            );
        }
    }
    let _ = Control::decode(bytes);
}

/// Takes small numbers off the input.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> u64 {
        match self.byte().unwrap_or_default() {
            // Borders of every kind.
            255 => u64::MAX,
            254 => u64::from(u32::MAX),
            small => u64::from(small % 8),
        }
    }

    fn stream(&mut self) -> u16 {
        u16::from(self.byte().unwrap_or_default() % 3)
    }

    fn position(&mut self) -> Position {
        Position {
            blocks: self.number(),
            bytes: self.number(),
            stored_bytes: self.number(),
            crc: self.byte().unwrap_or_default().into(),
        }
    }

    /// Mostly none; else key slots that are none.
    fn keys(&mut self) -> Vec<u8> {
        match self.byte().unwrap_or_default() {
            255 => vec![1; 184],
            _ => Vec::new(),
        }
    }

    /// Any message, with numbers that are nearly right.
    fn frame(&mut self, at: &mut [Position; 3]) -> Option<Frame> {
        let session = SESSION.into_bytes();
        Some(Frame::from(match self.byte()? % 22 {
            0 => Control::Query {
                request: Vec::new(),
            },
            1 => Control::Begin {
                request: Vec::new(),
                streams: self.stream(),
                key: [1; 16],
                retain: self.number(),
                patience: self.number(),
                keys: Vec::new(),
            },
            2 => Control::Resume {
                session,
                key: [1; 16],
                retain: 0,
                patience: self.number(),
            },
            3 => Control::Open {
                request: Vec::new(),
                from: vec![self.number()],
            },
            4 => {
                let stream = self.stream();
                let right = self.byte()? % 2 == 0;
                let told = self.position();
                let counted = at.get(usize::from(stream)).copied().unwrap_or_default();
                Control::EndStream {
                    stream,
                    total: if right { counted } else { told },
                }
            }
            5 => Control::Sync {
                stream: self.stream(),
            },
            6 => Control::Commit { facts: Vec::new() },
            7 => Control::Abort {
                reason: String::new(),
            },
            8 => Control::Close,
            9 => Control::Ping {
                nonce: self.number(),
            },
            10 => Control::Pong {
                nonce: self.number(),
            },
            11 => Control::Credit {
                stream: self.stream(),
                limit: self.number(),
            },
            12 => Control::Refused {
                kind: self.stream() * 4,
                message: String::new(),
            },
            13 => Control::Begun {
                session,
                window: self.number(),
                keys: self.keys(),
            },
            14 => {
                let states = (0..self.byte()? % 4).map(|_| StreamState {
                    received: self.number(),
                    durable: self.number(),
                    ended: self.number().is_multiple_of(2),
                });
                Control::Resumed {
                    streams: states.collect(),
                    window: WINDOW,
                }
            }
            15 => Control::Durable {
                stream: self.stream(),
                blocks: self.number(),
                ended: self.number().is_multiple_of(2),
            },
            16 => Control::Committed {
                receipt: Vec::new(),
            },
            17 => {
                let streams = (0..self.byte()? % 4).map(|_| self.position()).collect();
                Control::Opened {
                    session,
                    streams,
                    keys: self.keys(),
                }
            }
            _ => return Some(Frame::Block(self.block(at))),
        }))
    }

    fn block(&mut self, at: &mut [Position; 3]) -> Block {
        let stream = self.stream();
        let payload = vec![self.byte().unwrap_or_default(); PAYLOAD];
        let mut here = at.get(usize::from(stream)).copied().unwrap_or_default();
        if self.byte().unwrap_or_default() == 0 {
            here = self.position();
        }
        let header = BlockHeader::for_raw(SESSION, stream, here.blocks, here.bytes, &payload);
        if let Some(at) = at.get_mut(usize::from(stream)) {
            let _ = at.advance(&header);
        }
        Block {
            header,
            payload: payload.into(),
        }
    }
}

/// Any messages, times and answers of the store for the target of a backup.
pub fn backup_target(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut now = Moment::START;
    let mut at = [Position::default(); 3];
    let terms = Terms {
        retain: input.number(),
        patience: Duration::from_secs(input.number()),
    };
    let config = TargetConfig {
        window: WINDOW,
        ..TargetConfig::default()
    };
    let Ok(mut target) = backup::Target::begin(config, terms, SESSION, STREAMS, now) else {
        return;
    };
    let mut waiting = Vec::new();
    while let Some(choice) = input.byte() {
        now = now.after(Duration::from_millis(input.number().min(60_000)));
        match choice % 8 {
            0 => target.handle_timeout(now),
            1 => target.disconnected(now, "cut"),
            2 => target.attach(now, terms),
            3 => {
                if let Some(event) = waiting.pop() {
                    answer(&mut target, now, event);
                }
            }
            4 => target.fail("the store fails".to_owned()),
            _ => {
                // A driver hands over frames only while a source is attached.
                if let Some(frame) = input.frame(&mut at)
                    && !target.is_parked()
                {
                    target.handle(now, frame);
                }
            }
        }
        while let Some(event) = target.poll_event() {
            waiting.insert(0, event);
        }
        let unwritten = waiting
            .iter()
            .filter(|event| matches!(event, TargetEvent::Write(_)))
            .count();
        let share = usize::try_from(WINDOW).unwrap_or(0) / usize::from(STREAMS);
        let room = (share / PAYLOAD + 1) * usize::from(STREAMS);
        assert!(
            unwritten <= room,
            "{unwritten} blocks wait where {room} may"
        );
        while target.poll_transmit().is_some() {}
        let _ = target.poll_timeout();
    }
}

fn answer(target: &mut backup::Target, now: Moment, event: TargetEvent) {
    match event {
        TargetEvent::Write(block) => target.written(now, block.header.stream),
        TargetEvent::Sync => target.synced(now),
        TargetEvent::Commit { .. } => target.committed(Ok(Vec::new())),
        TargetEvent::Abort { .. } => target.aborted(),
        TargetEvent::Disconnect | TargetEvent::Over => {}
    }
}

/// Any messages, times and orders for the source of a backup.
pub fn backup_source(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut now = Moment::START;
    let (mut at, mut pushed) = ([Position::default(); 3], [Position::default(); 3]);
    let config = SourceConfig::default();
    let Ok(mut source) = backup::Source::new(config, [1; 16], Vec::new(), STREAMS, WINDOW, now)
    else {
        return;
    };
    while let Some(choice) = input.byte() {
        now = now.after(Duration::from_millis(input.number().min(60_000)));
        match choice % 10 {
            0 => source.handle_timeout(now),
            1 => source.disconnected(now, "cut"),
            2 => source.connected(now),
            3 => source.connect_failed(now, "refused"),
            4 if source.kept_bytes() < WINDOW => {
                let block = input.block(&mut pushed);
                let _ = source.push(block);
            }
            5 => {
                let _ = source.flush(input.stream());
            }
            6 => {
                let _ = source.finish_stream(input.stream());
            }
            7 if input.number() == 0 => source.abort(now, "enough"),
            7 => source.commit(Vec::new()),
            _ => {
                if let Some(frame) = input.frame(&mut at) {
                    source.handle(now, frame);
                }
            }
        }
        while source.poll_event().is_some() {}
        while source.poll_transmit().is_some() {}
        assert!(!source.wants_transmit(), "wants to send, and sends nothing");
        let _ = source.poll_timeout();
    }
}

/// Any messages and times for both ends of a restore.
pub fn restores(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut now = Moment::START;
    let (mut at, mut sent) = ([Position::default(); 3], [Position::default(); 3]);
    let mut source = restore::Source::new(SourceConfig::default(), Vec::new(), WINDOW, now);
    let total = Position {
        blocks: 4,
        ..Position::default()
    };
    let Ok(mut target) =
        restore::Target::new(LivenessConfig::default(), SESSION, &[total; 2], &[], now)
    else {
        return;
    };
    while let Some(choice) = input.byte() {
        now = now.after(Duration::from_millis(input.number().min(60_000)));
        match choice % 8 {
            0 => {
                source.handle_timeout(now);
                target.handle_timeout(now);
            }
            1 => source.disconnected(now, "cut"),
            2 => source.connected(now),
            3 => source.consumed(input.stream(), 16),
            4 => target.loaded(input.block(&mut sent)),
            5 => {
                if let Some(frame) = input.frame(&mut at) {
                    target.handle(now, frame);
                }
            }
            _ => {
                if let Some(frame) = input.frame(&mut at) {
                    source.handle(now, frame);
                }
            }
        }
        while source.poll_event().is_some() {}
        while target.poll_event().is_some() {}
        while source.poll_transmit().is_some() {}
        while target.poll_transmit().is_some() {}
        assert!(
            !source.wants_transmit() && !target.wants_transmit(),
            "sends nothing"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            super::wire(&bytes);
            super::backup_target(&bytes);
            super::backup_source(&bytes);
            super::restores(&bytes);
        }
    }
}
