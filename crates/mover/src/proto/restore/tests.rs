//! Both ends, frame by frame.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Block;
use crate::proto::backup::SourceConfig;
use crate::proto::control::Control;
use crate::proto::frame::Frame;
use crate::proto::restore::{Source, SourceEvent, Target, TargetEvent};
use crate::proto::{LivenessConfig, Moment, Position};
use crate::testing::{SESSION, block};

#[test]
fn a_stream_that_nobody_takes_does_not_hold_up_the_others() {
    let now = Moment::from_start(Duration::from_secs(1000));
    let stored: Vec<(Vec<Block>, Position)> = (0..3).map(|stream| stream_of(stream, 20)).collect();
    let totals: Vec<Position> = stored.iter().map(|(_, total)| *total).collect();
    let mut source = Source::new(SourceConfig::default(), Vec::new(), 90, now);
    let Some(Frame::Control(Control::Open { from, .. })) = source.poll_transmit() else {
        panic!("a restore begins with Open");
    };
    let mut target = Target::new(LivenessConfig::default(), SESSION, &totals, &from, now).unwrap();

    let (mut arrived, mut left) = ([0; 3], VecDeque::new());
    let mut pass = |stalled: Option<u16>, source: &mut Source| loop {
        let mut idle = true;
        while let Some(event) = target.poll_event() {
            if let TargetEvent::Read { stream, sequence } = event {
                let (blocks, _) = &stored[usize::from(stream)];
                target.loaded(blocks[usize::try_from(sequence).unwrap()].clone());
                idle = false;
            }
        }
        while let Some(frame) = target.poll_transmit() {
            source.handle(now, frame);
            idle = false;
        }
        while let Some(event) = source.poll_event() {
            if let SourceEvent::Block(block) = event {
                arrived[usize::from(block.header.stream)] += 1;
                left.push_back(block);
            }
        }
        left.retain(|block: &Block| {
            let stays = Some(block.header.stream) == stalled;
            if !stays {
                source.consumed(block.header.stream, block.header.stored_length);
            }
            stays
        });
        while let Some(frame) = source.poll_transmit() {
            target.handle(now, frame);
            idle = false;
        }
        if idle {
            return arrived;
        }
    };
    // Three blocks are its window of 30 bytes.
    assert_eq!(pass(Some(1), &mut source), [20, 3, 20]);
    assert_eq!(pass(None, &mut source), [20, 20, 20]);
}

fn stream_of(stream: u16, blocks: usize) -> (Vec<Block>, Position) {
    let mut at = Position::default();
    let blocks = (0..blocks)
        .map(|_| {
            let block = block(SESSION, stream, &at, &[1; 10]);
            at.advance(&block.header).unwrap();
            block
        })
        .collect();
    (blocks, at)
}
