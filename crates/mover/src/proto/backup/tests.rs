//! Both ends, frame by frame.

use std::time::Duration;

use crate::proto::backup::{
    Source, SourceConfig, SourceEvent, Target, TargetConfig, TargetEvent, Terms,
};
use crate::proto::control::Control;
use crate::proto::frame::Frame;
use crate::proto::{Failure, Moment, Position};
use crate::testing::{SESSION, block};
use crate::{Refusal, RefusalKind};

const TERMS: Terms = Terms {
    retain: 1 << 20,
    patience: Duration::from_secs(30 * 60),
};

/// A source and a target on one connection.
struct Pair {
    source: Source,
    target: Target,
    now: Moment,
    /// The stream whose blocks the store does not get done with.
    stalled: Option<u16>,
    /// Blocks of that stream that wait for the store.
    waiting: u64,
    /// How often the store was told to commit.
    commits: usize,
    /// Streams that are over and safe, in this order.
    ended: Vec<u16>,
    /// What the source said last.
    last: Option<SourceEvent>,
}

impl Pair {
    fn new(streams: u16, window: u64) -> Self {
        let now = Moment::from_start(Duration::from_secs(1000));
        let config = SourceConfig::default();
        let source = Source::new(config, [7; 16], Vec::new(), streams, TERMS.retain, now).unwrap();
        let config = TargetConfig {
            window,
            ..TargetConfig::default()
        };
        let mut pair = Self {
            source,
            target: Target::begin(config, TERMS, SESSION, streams, now).unwrap(),
            now,
            stalled: None,
            waiting: 0,
            commits: 0,
            ended: Vec::new(),
            last: None,
        };
        let Some(Frame::Control(Control::Begin { .. })) = pair.source.poll_transmit() else {
            panic!("a source begins with Begin");
        };
        pair.pass();
        pair
    }

    /// A session of one stream that is safe, and whose commit has reached the store.
    fn committing() -> Self {
        let mut pair = Self::new(1, 1 << 20);
        pair.push(0, 3);
        pair.source.finish_stream(0).unwrap();
        pair.pass();
        assert!(pair.source.safe());
        pair.source.commit(b"facts".to_vec());
        pair.pass();
        assert_eq!(pair.commits, 1);
        pair
    }

    fn push(&mut self, stream: u16, blocks: usize) {
        let mut at = Position::default();
        for _ in 0..blocks {
            let block = block(SESSION, stream, &at, &[1; 10]);
            at.advance(&block.header).unwrap();
            self.source.push(block).unwrap();
        }
    }

    /// Lets everything happen that can.
    fn pass(&mut self) {
        loop {
            let mut idle = true;
            while let Some(frame) = self.source.poll_transmit() {
                self.target.handle(self.now, frame);
                idle = false;
            }
            while let Some(event) = self.target.poll_event() {
                self.store(event);
                idle = false;
            }
            while let Some(frame) = self.target.poll_transmit() {
                self.source.handle(self.now, frame);
                idle = false;
            }
            self.listen();
            if idle {
                return;
            }
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.source.poll_event() {
            if let SourceEvent::Durable {
                stream,
                ended: true,
                ..
            } = event
            {
                self.ended.push(stream);
            }
            self.last = Some(event);
        }
    }

    fn store(&mut self, event: TargetEvent) {
        match event {
            TargetEvent::Write(block) if self.stalled == Some(block.header.stream) => {
                self.waiting += 1;
            }
            TargetEvent::Write(block) => self.target.written(self.now, block.header.stream),
            TargetEvent::Sync => self.target.synced(self.now),
            TargetEvent::Commit { .. } => self.commits += 1,
            _ => {}
        }
    }

    /// The connection breaks; what the target had to say is lost. The source dials again.
    fn cut(&mut self) {
        self.target.disconnected(self.now, "cut");
        self.source.disconnected(self.now, "cut");
        self.now = self.now.after(Duration::from_secs(1));
        self.source.handle_timeout(self.now);
        self.listen();
    }

    /// The source is there again, and its Resume was heard.
    fn dialed(&mut self) {
        assert_eq!(self.last, Some(SourceEvent::Connect));
        self.source.connected(self.now);
        let resume = self.source.poll_transmit();
        assert!(matches!(
            resume,
            Some(Frame::Control(Control::Resume { .. }))
        ));
    }

    fn back(&mut self) {
        self.dialed();
        self.target.attach(self.now, TERMS);
        self.pass();
    }

    fn refused(&mut self, kind: RefusalKind) {
        self.dialed();
        let (kind, message) = (kind.number(), "no".to_owned());
        let refused = Control::Refused { kind, message };
        self.source.handle(self.now, refused.into());
        self.listen();
    }

    fn failure(&self) -> &Failure {
        match &self.last {
            Some(SourceEvent::Failed(failure)) => failure,
            other => panic!("no failure, but {other:?}"),
        }
    }
}

#[test]
fn an_answer_to_the_commit_that_was_lost_is_given_again() {
    let mut pair = Pair::committing();
    pair.target.committed(Ok(b"receipt".to_vec()));
    pair.cut();
    pair.back();
    let receipt = b"receipt".to_vec();
    assert_eq!(pair.last, Some(SourceEvent::Committed { receipt }));
    assert_eq!(pair.commits, 1);
}

#[test]
fn a_commit_that_runs_while_the_connection_breaks_is_not_begun_again() {
    let mut pair = Pair::committing();
    pair.cut();
    pair.back();
    assert!(matches!(pair.last, Some(SourceEvent::Resumed { .. })));
    pair.target.committed(Ok(b"receipt".to_vec()));
    pair.pass();
    let receipt = b"receipt".to_vec();
    assert_eq!(pair.last, Some(SourceEvent::Committed { receipt }));
    assert_eq!(pair.commits, 1);
}

#[test]
fn a_commit_that_failed_while_nobody_listened_made_no_restore_point() {
    let mut pair = Pair::committing();
    pair.cut();
    pair.target.committed(Err("the disk is full".to_owned()));
    // The session is over; who asks for it hears that it is not known.
    pair.refused(RefusalKind::UnknownSession);
    assert!(matches!(
        pair.failure(),
        Failure::Refused(Refusal {
            kind: RefusalKind::UnknownSession,
            ..
        })
    ));
}

#[test]
fn a_target_that_cannot_tell_leaves_the_commit_in_doubt() {
    let mut pair = Pair::committing();
    pair.cut();
    pair.refused(RefusalKind::Failed);
    assert!(matches!(pair.failure(), Failure::CommitInDoubt { .. }));
}

#[test]
fn a_target_that_is_busy_is_asked_again() {
    let mut pair = Pair::committing();
    pair.target.committed(Ok(Vec::new()));
    pair.cut();
    pair.refused(RefusalKind::Busy);
    pair.now = pair.now.after(Duration::from_secs(1));
    pair.source.handle_timeout(pair.now);
    pair.listen();
    pair.back();
    assert!(matches!(pair.last, Some(SourceEvent::Committed { .. })));
}

#[test]
fn a_target_that_stays_away_leaves_the_commit_in_doubt() {
    let mut pair = Pair::committing();
    pair.target.committed(Ok(Vec::new()));
    pair.cut();
    pair.source.connect_failed(pair.now, "connection refused");
    pair.now = pair.now.after(TERMS.patience);
    pair.source.handle_timeout(pair.now);
    pair.listen();
    assert!(matches!(pair.failure(), Failure::CommitInDoubt { .. }));
}

#[test]
fn a_target_that_lost_what_it_said_to_be_durable_is_told_and_the_backup_ends() {
    use crate::proto::control::StreamState;
    let mut pair = Pair::new(2, 1 << 20);
    for stream in 0..2 {
        pair.push(stream, 5);
        pair.source.flush(stream).unwrap();
    }
    pair.pass();
    assert_eq!(pair.source.kept_bytes(), 0, "all was said to be durable");
    pair.cut();
    pair.dialed();
    let state = |blocks| StreamState {
        received: blocks,
        durable: blocks,
        ended: false,
    };
    let streams = vec![state(5), state(3)];
    let window = 1 << 20;
    pair.source
        .handle(pair.now, Control::Resumed { streams, window }.into());
    pair.listen();
    let behind = Failure::Behind {
        stream: 1,
        acknowledged: 5,
        found: 3,
    };
    assert_eq!(*pair.failure(), behind);
    let Some(Frame::Control(Control::Abort { reason })) = pair.source.poll_transmit() else {
        panic!("the target is told");
    };
    assert!(reason.contains("has 3 blocks") && reason.contains("5 are durable"));
}

#[test]
fn a_stream_that_is_not_written_does_not_hold_up_the_others() {
    let mut pair = Pair::new(3, 90);
    pair.stalled = Some(1);
    for stream in 0..3 {
        pair.push(stream, 20);
        pair.source.finish_stream(stream).unwrap();
    }
    pair.pass();
    // Three blocks are its window of 30 bytes.
    assert_eq!(pair.waiting, 3);
    assert_eq!(pair.source.unsent_blocks(), 17);
    assert_eq!(pair.ended, [0, 2]);

    pair.stalled = None;
    for _ in 0..std::mem::take(&mut pair.waiting) {
        pair.target.written(pair.now, 1);
    }
    pair.pass();
    assert!(pair.source.safe());
}
