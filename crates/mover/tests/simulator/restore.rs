//! One restore from its begin to its end.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_mover::Block;
use vab_mover::proto::backup::SourceConfig;
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, Limits, MAX_PAYLOAD};
use vab_mover::proto::restore::{Source, SourceEvent, Target, TargetEvent};
use vab_mover::proto::{Failure, FrameDecoder, LivenessConfig, Position};

use crate::net::{Agenda, Arrival, End, LocalClock, Network, SECOND, Time};
use crate::random::Random;

const LONGEST: Time = 6 * 3600 * SECOND;

#[derive(Debug)]
enum Event {
    Net(Arrival),
    Dialed,
    Wake(End),
    Engine(usize),
    Loaded { life: u64, conn: u64, block: Block },
    Cut,
    Kill,
    Restart,
}

struct World {
    random: Random,
    agenda: Agenda<Event>,
    network: Network,
    trace: bool,
    session: Uuid,
    stored: Vec<Vec<Block>>,
    source: Source,
    source_clock: LocalClock,
    source_conn: Option<u64>,
    source_decoder: FrameDecoder,
    arrived: Vec<VecDeque<Block>>,
    taken: Vec<Vec<u8>>,
    ended: Vec<bool>,
    failure: Option<Failure>,
    memory: u64,
    largest: u64,
    up: bool,
    life: u64,
    targets: BTreeMap<u64, (FrameDecoder, Option<Target>)>,
    target_clock: LocalClock,
    slowness: Time,
}

/// Runs the restore of this seed; true if it came to a good end.
///
/// # Panics
/// If a promise of the protocol is broken.
pub(crate) fn run(seed: u64, trace: bool) -> bool {
    let mut world = World::new(seed, trace);
    let span = world.random.between(1, 300) * world.random.between(1, SECOND);
    for _ in 0..world.random.between(0, 10) {
        let at = world.random.between(0, span);
        let event = if world.random.chance(70) {
            Event::Cut
        } else {
            Event::Kill
        };
        world.agenda.at(at, event);
    }
    world.pump_source();
    while let Some(event) = world.agenda.next() {
        assert!(world.agenda.now < LONGEST, "it never ends");
        world.happen(event);
    }
    world.check()
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed ^ 0x5e57_04e5);
        let session = Uuid::from_u64_pair(9, seed);
        let largest = random.between(1, 200);
        let streams = random.between(1, 4);
        let stored: Vec<Vec<Block>> = (0..streams)
            .map(|stream| {
                let mut at = Position::default();
                (0..random.between(0, 30))
                    .map(|_| {
                        let length = random.between(1, largest);
                        let bytes = random.bytes(usize::try_from(length).unwrap());
                        let stream = u16::try_from(stream).unwrap();
                        let header =
                            BlockHeader::for_raw(session, stream, at.blocks, at.bytes, &bytes);
                        at.advance(&header).unwrap();
                        Block {
                            header,
                            payload: Bytes::from(bytes),
                        }
                    })
                    .collect()
            })
            .collect();
        let memory = random.between(1, 10 * largest);
        let config = SourceConfig {
            seed,
            ..SourceConfig::default()
        };
        let now = LocalClock::default().moment(0);
        let mut network = Network::default();
        let conn = network.connect(random.between(50, 50_000));
        let slowness = random.between(10, 100_000);
        let count = stored.len();
        let decoder = FrameDecoder::new(Limits::CONTROL);
        Self {
            random,
            agenda: Agenda::new(),
            network,
            trace,
            session,
            stored,
            source: Source::new(config, b"point".to_vec(), memory, now),
            source_clock: LocalClock::default(),
            source_conn: Some(conn),
            source_decoder: FrameDecoder::new(Limits::blocks(MAX_PAYLOAD)),
            arrived: vec![VecDeque::new(); count],
            taken: vec![Vec::new(); count],
            ended: vec![false; count],
            failure: None,
            memory,
            largest,
            up: true,
            life: 1,
            targets: BTreeMap::from([(conn, (decoder, None))]),
            target_clock: LocalClock::default(),
            slowness,
        }
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let (seconds, micros) = (self.agenda.now / SECOND, self.agenda.now % SECOND);
            println!("{seconds:>6}.{micros:06} {}", what());
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Net(Arrival::Bytes { conn, to, bytes }) => self.bytes(conn, to, &bytes),
            Event::Net(Arrival::Closed { conn, to }) => self.closed(conn, to),
            Event::Dialed => self.dialed(),
            Event::Wake(End::Source) => {
                self.source_clock.wake = None;
                self.source
                    .handle_timeout(self.source_clock.moment(self.agenda.now));
                self.pump_source();
            }
            Event::Wake(End::Target) => {
                self.target_clock.wake = None;
                let now = self.target_clock.moment(self.agenda.now);
                for (_, target) in self.targets.values_mut() {
                    if let Some(target) = target {
                        target.handle_timeout(now);
                    }
                }
                self.pump_targets();
            }
            Event::Engine(stream) => self.engine(stream),
            Event::Loaded { life, conn, block } => {
                if life == self.life
                    && let Some((_, Some(target))) = self.targets.get_mut(&conn)
                {
                    target.loaded(block);
                    self.pump_targets();
                }
            }
            Event::Cut => {
                if let Some(conn) = self.source_conn {
                    self.note(|| format!("cut of connection {conn}"));
                    self.network
                        .cut(conn, &mut self.random, &mut self.agenda, Event::Net);
                }
            }
            Event::Kill => self.kill(),
            Event::Restart => self.up = true,
        }
    }

    fn kill(&mut self) {
        if !std::mem::take(&mut self.up) {
            return;
        }
        self.note(|| "target is killed".to_owned());
        self.life += 1;
        for conn in std::mem::take(&mut self.targets).into_keys() {
            if self.random.chance(70) {
                self.network
                    .close(conn, End::Target, &mut self.agenda, Event::Net);
            } else if let Some(state) = self.network.conns.get_mut(&conn) {
                state.broken = true;
            }
        }
        let down = self.random.between(1, 60 * SECOND);
        self.agenda.after(down, Event::Restart);
    }

    fn bytes(&mut self, conn: u64, to: End, bytes: &[u8]) {
        let arrives = self.network.arrive(conn, to, bytes.len());
        if arrives && to == End::Source && self.source_conn == Some(conn) {
            let now = self.source_clock.moment(self.agenda.now);
            self.source_decoder.feed(bytes);
            self.source.heard(now);
            while let Some(frame) = self.source_decoder.next_frame().unwrap() {
                self.note(|| format!("source has {}", frame.name()));
                self.source.handle(now, frame);
                self.pump_source();
            }
        } else if arrives && to == End::Target {
            self.target_bytes(conn, bytes);
        }
        self.pump_source();
        self.pump_targets();
    }

    fn target_bytes(&mut self, conn: u64, bytes: &[u8]) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some((decoder, target)) = self.targets.get_mut(&conn) else {
            return;
        };
        decoder.feed(bytes);
        while let Some(frame) = decoder.next_frame().unwrap() {
            match (target.as_mut(), frame) {
                (Some(target), frame) => target.handle(now, frame),
                (None, Frame::Control(Control::Open { from, .. })) => {
                    let totals: Vec<Position> = self
                        .stored
                        .iter()
                        .map(|blocks| {
                            let mut at = Position::default();
                            for block in blocks {
                                at.advance(&block.header).unwrap();
                            }
                            at
                        })
                        .collect();
                    let liveness = LivenessConfig::default();
                    *target =
                        Some(Target::new(liveness, self.session, &totals, &from, now).unwrap());
                }
                (None, other) => panic!("{} is no first request", other.name()),
            }
        }
    }

    fn closed(&mut self, conn: u64, to: End) {
        if !self.network.is_open(conn, to) {
            return;
        }
        self.network.close(conn, to, &mut self.agenda, Event::Net);
        if to == End::Target {
            self.targets.remove(&conn);
        } else if self.source_conn == Some(conn) {
            self.source_conn = None;
            self.source
                .disconnected(self.source_clock.moment(self.agenda.now), "cut");
            self.pump_source();
        }
    }

    fn dialed(&mut self) {
        let now = self.source_clock.moment(self.agenda.now);
        if !self.up || self.random.chance(10) {
            self.source.connect_failed(now, "connection refused");
        } else {
            let conn = self.network.connect(self.random.between(50, 50_000));
            self.targets
                .insert(conn, (FrameDecoder::new(Limits::CONTROL), None));
            self.source_conn = Some(conn);
            self.source_decoder = FrameDecoder::new(Limits::blocks(MAX_PAYLOAD));
            self.source.connected(now);
        }
        self.pump_source();
    }

    fn pump_source(&mut self) {
        while let Some(event) = self.source.poll_event() {
            self.note(|| format!("source: {event:?}"));
            match event {
                SourceEvent::Connect => {
                    let delay = self.random.between(100, SECOND);
                    self.agenda.after(delay, Event::Dialed);
                }
                SourceEvent::Disconnect => self.hang_up(),
                SourceEvent::Opened { .. } => {
                    for stream in 0..self.stored.len() {
                        self.agenda.after(0, Event::Engine(stream));
                    }
                }
                SourceEvent::Block(block) => {
                    let stream = usize::from(block.header.stream);
                    assert!(!self.ended[stream], "a block after the end");
                    self.arrived[stream].push_back(block);
                    let pause = self.random.between(0, self.slowness);
                    self.agenda.after(pause, Event::Engine(stream));
                }
                SourceEvent::StreamEnded { stream } => {
                    assert!(!std::mem::replace(
                        &mut self.ended[usize::from(stream)],
                        true
                    ));
                    self.agenda.after(0, Event::Engine(usize::from(stream)));
                }
                SourceEvent::Failed(failure) => self.failure = Some(failure),
                SourceEvent::Lost { .. } | SourceEvent::Resumed { .. } => {}
                other => panic!("unknown event {other:?}"),
            }
        }
        while let Some(conn) = self.source_conn {
            if !self.network.takes(conn, End::Source) {
                break;
            }
            let Some(frame) = self.source.poll_transmit() else {
                break;
            };
            self.network.send(
                conn,
                End::Source,
                frame,
                &mut self.random,
                &mut self.agenda,
                Event::Net,
            );
        }
        let held: usize = self
            .arrived
            .iter()
            .flatten()
            .map(|block| block.payload.len())
            .sum();
        let limit = self.memory + self.stored.len() as u64 * (self.largest + 1);
        assert!(
            held as u64 <= limit,
            "{held} bytes are held where {limit} may be"
        );
        if self.source.is_over() {
            self.hang_up();
        } else if let Some(moment) = self.source.poll_timeout() {
            let time = self.source_clock.time_of(moment);
            if self.source_clock.wake.is_none_or(|wake| time < wake) {
                self.source_clock.wake = Some(time);
                self.agenda.at(time, Event::Wake(End::Source));
            }
        }
    }

    fn hang_up(&mut self) {
        if let Some(conn) = self.source_conn.take() {
            self.network
                .close(conn, End::Source, &mut self.agenda, Event::Net);
        }
    }

    fn engine(&mut self, stream: usize) {
        if let Some(block) = self.arrived[stream].pop_front() {
            self.taken[stream].extend_from_slice(&block.payload);
            let stored_length = block.header.stored_length;
            self.source
                .consumed(u16::try_from(stream).unwrap(), stored_length);
        }
        let done =
            self.ended.iter().all(|ended| *ended) && self.arrived.iter().all(VecDeque::is_empty);
        if done {
            self.source.close();
        }
        self.pump_source();
    }

    fn pump_targets(&mut self) {
        let conns: Vec<u64> = self.targets.keys().copied().collect();
        let mut next: Option<Time> = None;
        for conn in conns {
            let Some((_, Some(target))) = self.targets.get_mut(&conn) else {
                continue;
            };
            let mut over = false;
            while let Some(event) = target.poll_event() {
                match event {
                    TargetEvent::Read { stream, sequence } => {
                        let sequence = usize::try_from(sequence).unwrap();
                        let block = self.stored[usize::from(stream)][sequence].clone();
                        // Reads of one stream end in order.
                        let delay = self.slowness / 4;
                        let life = self.life;
                        self.agenda
                            .after(delay, Event::Loaded { life, conn, block });
                    }
                    TargetEvent::Over { .. } => over = true,
                    other => panic!("unknown event {other:?}"),
                }
            }
            while self.network.takes(conn, End::Target) {
                let Some(frame) = target.poll_transmit() else {
                    break;
                };
                self.network.send(
                    conn,
                    End::Target,
                    frame,
                    &mut self.random,
                    &mut self.agenda,
                    Event::Net,
                );
            }
            if over {
                self.network
                    .close(conn, End::Target, &mut self.agenda, Event::Net);
                self.targets.remove(&conn);
            } else if let Some(moment) = target.poll_timeout() {
                let time = self.target_clock.time_of(moment);
                next = Some(next.map_or(time, |next| next.min(time)));
            }
        }
        if let Some(time) = next
            && self.target_clock.wake.is_none_or(|wake| time < wake)
        {
            self.target_clock.wake = Some(time);
            self.agenda.at(time, Event::Wake(End::Target));
        }
    }

    fn check(&self) -> bool {
        match &self.failure {
            None => {
                for (stream, taken) in self.taken.iter().enumerate() {
                    let stored: Vec<u8> = self.stored[stream]
                        .iter()
                        .flat_map(|block| block.payload.to_vec())
                        .collect();
                    assert!(self.ended[stream], "stream {stream} never ended");
                    assert_eq!(*taken, stored, "what came back is not what was stored");
                }
                true
            }
            Some(Failure::LostBeforeBegin { .. }) => false,
            Some(failure) => panic!("failed for no good reason: {failure}"),
        }
    }
}
