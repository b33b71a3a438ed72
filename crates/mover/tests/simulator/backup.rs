//! One backup session from its begin to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_format::stream::StreamEnd;
use vab_mover::Block;
use vab_mover::proto::backup::{
    Source, SourceConfig, SourceEvent, Target, TargetConfig, TargetEvent, Terms,
};
use vab_mover::proto::control::Control;
use vab_mover::proto::frame::{Frame, Limits, MAX_PAYLOAD};
use vab_mover::proto::{Failure, FrameDecoder, Position};

use crate::disk::{Disk, Session, Stream};
use crate::net::{Agenda, Arrival, End, LocalClock, Network, SECOND, Time};
use crate::random::Random;

/// Nothing may take longer, faults and limits included.
const LONGEST: Time = 6 * 3600 * SECOND;
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// How the run ended at the source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Failed(Failure),
}

#[derive(Debug)]
enum Event {
    Net(Arrival),
    Dialed,
    Wake(End),
    Engine(u16),
    Store {
        life: u64,
        session: Uuid,
        what: Done,
    },
    Cut,
    Kill,
    Restart,
    Jump(End),
    Abort,
}

#[derive(Debug)]
enum Done {
    Written(Block),
    Synced(Vec<usize>),
    Commit {
        facts: Vec<u8>,
        ends: Vec<StreamEnd>,
    },
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreFault {
    None,
    Write(u64),
    Sync,
    Commit,
}

/// What the engine has to write to one device.
struct Script {
    blocks: Vec<Vec<u8>>,
    flushes: Vec<usize>,
    at: Position,
    durable: u64,
    waits: bool,
    finished: bool,
}

struct Process {
    sessions: BTreeMap<Uuid, (Target, Option<u64>)>,
    /// Connections whose first request has not come.
    fresh: BTreeMap<u64, FrameDecoder>,
    decoders: BTreeMap<u64, FrameDecoder>,
    /// When the last write of each stream ends.
    busy: BTreeMap<(Uuid, u16), Time>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of a run that have nothing in common"
)]
struct World {
    random: Random,
    agenda: Agenda<Event>,
    network: Network,
    disk: Disk,
    trace: bool,
    source: Source,
    source_clock: LocalClock,
    source_conn: Option<u64>,
    source_decoder: FrameDecoder,
    session: Option<Uuid>,
    scripts: Vec<Script>,
    share: u64,
    committing: bool,
    outcome: Option<Outcome>,
    process: Option<Process>,
    life: u64,
    target_clock: LocalClock,
    config: TargetConfig,
    fault: StoreFault,
    writes: u64,
    broken: bool,
    /// The target heard of the source after the session began.
    confirmed: bool,
    slowness: Time,
}

/// Runs the backup of this seed.
///
/// # Panics
/// If a promise of the protocol is broken.
pub(crate) fn run(seed: u64, trace: bool) -> Outcome {
    let mut world = World::new(seed, trace);
    let (aborted, faulty) = world.faults();
    world.pump_source();
    for stream in 0..world.scripts.len() {
        world
            .agenda
            .after(0, Event::Engine(u16::try_from(stream).unwrap()));
    }
    while let Some(event) = world.agenda.next() {
        assert!(world.agenda.now < LONGEST, "it never ends");
        world.happen(event);
    }
    world.check(aborted, faulty)
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let streams = random.between(1, 4);
        let largest = random.between(1, 200);
        let scripts: Vec<Script> = (0..streams)
            .map(|_| {
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
                Script {
                    blocks,
                    flushes,
                    at: Position::default(),
                    durable: 0,
                    waits: false,
                    finished: false,
                }
            })
            .collect();
        let share = random.between(2 * largest, 10 * largest);
        let mut config = TargetConfig {
            window: random.between(1, 5 * largest),
            sync_bytes: random.between(1, 20 * largest),
            ..TargetConfig::default()
        };
        config.sync_age = Duration::from_millis(random.between(1, 5000));
        let mut source_config = SourceConfig {
            seed,
            ..SourceConfig::default()
        };
        source_config.resume.limit = LIMIT;
        let key = [seed.to_le_bytes()[0]; 16];
        let now = LocalClock::default().moment(0);
        let retain = share * streams;
        let count = u16::try_from(streams).unwrap();
        let source = Source::new(source_config, key, b"job".to_vec(), count, retain, now).unwrap();
        let mut network = Network::default();
        let delay = random.between(50, 50_000);
        let conn = network.connect(delay);
        let slowness = random.between(10, 100_000);
        let mut world = Self {
            random,
            agenda: Agenda::new(),
            network,
            disk: Disk::default(),
            trace,
            source,
            source_clock: LocalClock::default(),
            source_conn: Some(conn),
            source_decoder: FrameDecoder::new(Limits::CONTROL),
            session: None,
            scripts,
            share,
            committing: false,
            outcome: None,
            process: Some(Process::new()),
            life: 1,
            target_clock: LocalClock::default(),
            config,
            fault: StoreFault::None,
            writes: 0,
            broken: false,
            confirmed: false,
            slowness,
        };
        world.accept(conn);
        world
    }

    /// Puts what goes wrong on the agenda; says whether the source aborts and the store fails.
    fn faults(&mut self) -> (bool, bool) {
        let span = self.random.between(1, 600) * self.random.between(1, SECOND);
        let cuts = if self.random.chance(30) {
            0
        } else {
            self.random.between(1, 12)
        };
        for _ in 0..cuts {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Cut);
        }
        let kills = if self.random.chance(50) {
            0
        } else {
            self.random.between(1, 4)
        };
        for _ in 0..kills {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Kill);
        }
        if self.random.chance(10) {
            let at = self.random.between(0, span);
            let end = if self.random.chance(50) {
                End::Source
            } else {
                End::Target
            };
            self.agenda.at(at, Event::Jump(end));
        }
        let aborted = self.random.chance(5);
        if aborted {
            let at = self.random.between(0, span);
            self.agenda.at(at, Event::Abort);
        }
        self.fault = match self.random.between(1, 60) {
            1 => StoreFault::Write(self.random.between(1, 30)),
            2 => StoreFault::Sync,
            3 => StoreFault::Commit,
            _ => StoreFault::None,
        };
        (aborted, self.fault != StoreFault::None)
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
            Event::Wake(end) => self.wake(end),
            Event::Engine(stream) => self.engine(stream),
            Event::Store {
                life,
                session,
                what,
            } => self.store(life, session, what),
            Event::Cut => {
                let live: Vec<u64> = self
                    .network
                    .conns
                    .iter()
                    .filter(|(_, conn)| !conn.broken && conn.open == [true, true])
                    .map(|(number, _)| *number)
                    .collect();
                if let Some(conn) = live.last().copied() {
                    self.note(|| format!("cut of connection {conn}"));
                    self.network
                        .cut(conn, &mut self.random, &mut self.agenda, Event::Net);
                }
            }
            Event::Kill => self.kill(),
            Event::Restart => {
                self.note(|| "target starts".to_owned());
                self.process.get_or_insert_with(Process::new);
            }
            Event::Jump(end) => {
                let by = self.random.between(1, 60 * SECOND);
                self.note(|| format!("clock of {end:?} jumps"));
                match end {
                    End::Source => self.source_clock.jump(by),
                    End::Target => self.target_clock.jump(by),
                }
                self.agenda.after(0, Event::Wake(end));
            }
            Event::Abort => {
                let now = self.source_clock.moment(self.agenda.now);
                self.note(|| "source aborts".to_owned());
                self.source.abort(now, "the user wants no backup");
                self.pump_source();
            }
        }
    }

    fn kill(&mut self) {
        if self.process.take().is_none() {
            return;
        }
        self.note(|| "target is killed".to_owned());
        self.life += 1;
        self.disk.lose_power(&mut self.random);
        let conns: Vec<u64> = self.network.conns.keys().copied().collect();
        for conn in conns {
            if self.network.is_open(conn, End::Target) {
                // A killed process resets its connections; a dead machine says nothing.
                if self.random.chance(70) {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                } else if let Some(state) = self.network.conns.get_mut(&conn) {
                    state.broken = true;
                    state.open[End::Target as usize] = false;
                }
            }
        }
        let down = self.random.between(1, 60 * SECOND);
        self.agenda.after(down, Event::Restart);
    }

    fn wake(&mut self, end: End) {
        let now = self.agenda.now;
        match end {
            End::Source => {
                self.source_clock.wake = None;
                let moment = self.source_clock.moment(now);
                self.source.handle_timeout(moment);
                self.pump_source();
            }
            End::Target => {
                self.target_clock.wake = None;
                let moment = self.target_clock.moment(now);
                if let Some(process) = &mut self.process {
                    for (target, _) in process.sessions.values_mut() {
                        target.handle_timeout(moment);
                    }
                }
                self.pump_target();
            }
        }
    }

    fn bytes(&mut self, conn: u64, to: End, bytes: &[u8]) {
        let arrives = self.network.arrive(conn, to, bytes.len());
        if arrives && to == End::Source && self.source_conn == Some(conn) {
            self.source_bytes(bytes);
        } else if arrives && to == End::Target {
            self.target_bytes(conn, bytes);
        }
        // Room in a socket's buffer lets either end go on.
        self.pump_source();
        self.pump_target();
    }

    fn closed(&mut self, conn: u64, to: End) {
        if !self.network.is_open(conn, to) {
            return;
        }
        self.note(|| format!("{to:?} sees the end of connection {conn}"));
        self.network.close(conn, to, &mut self.agenda, Event::Net);
        match to {
            End::Source if self.source_conn == Some(conn) => self.source_lost("cut"),
            End::Source => {}
            End::Target => self.target_lost(conn, "cut"),
        }
    }

    // The source and its engine.

    fn source_bytes(&mut self, bytes: &[u8]) {
        self.source_decoder.feed(bytes);
        let now = self.source_clock.moment(self.agenda.now);
        self.source.heard(now);
        while let Some(frame) = self.source_decoder.next_frame().unwrap() {
            self.note(|| format!("source has {}", frame.name()));
            self.source.handle(now, frame);
            self.pump_source();
        }
    }

    fn source_lost(&mut self, cause: &str) {
        self.source_conn = None;
        let now = self.source_clock.moment(self.agenda.now);
        self.source.disconnected(now, cause);
        self.pump_source();
    }

    fn dialed(&mut self) {
        let now = self.source_clock.moment(self.agenda.now);
        if self.process.is_none() || self.random.chance(10) {
            self.source.connect_failed(now, "connection refused");
        } else {
            let delay = self.random.between(50, 50_000);
            let conn = self.network.connect(delay);
            self.note(|| format!("connection {conn}"));
            self.accept(conn);
            self.source_conn = Some(conn);
            self.source_decoder = FrameDecoder::new(Limits::CONTROL);
            self.source.connected(now);
        }
        self.pump_source();
    }

    fn pump_source(&mut self) {
        while let Some(event) = self.source.poll_event() {
            self.source_event(event);
        }
        while let Some(conn) = self.source_conn {
            if !self.network.takes(conn, End::Source) {
                break;
            }
            let Some(frame) = self.source.poll_transmit() else {
                break;
            };
            self.note(|| format!("source sends {}", frame.name()));
            self.network.send(
                conn,
                End::Source,
                frame,
                &mut self.random,
                &mut self.agenda,
                Event::Net,
            );
        }
        assert!(
            self.source_conn
                .is_none_or(|conn| !self.network.takes(conn, End::Source))
                || !self.source.wants_transmit(),
            "wants to send, and sends nothing"
        );
        let kept = self.source.kept_bytes();
        let limit = self.share * self.scripts.len() as u64;
        assert!(kept <= limit, "{kept} bytes are kept where {limit} may be");
        if self.source.is_over() {
            if let Some(conn) = self.source_conn.take() {
                self.network
                    .close(conn, End::Source, &mut self.agenda, Event::Net);
            }
            return;
        }
        if let Some(moment) = self.source.poll_timeout() {
            let time = self.source_clock.time_of(moment);
            if self.source_clock.wake.is_none_or(|wake| time < wake) {
                self.source_clock.wake = Some(time);
                self.agenda.at(time, Event::Wake(End::Source));
            }
        }
    }

    fn source_event(&mut self, event: SourceEvent) {
        self.note(|| format!("source: {event:?}"));
        match event {
            SourceEvent::Connect => {
                let delay = self.random.between(100, SECOND);
                self.agenda.after(delay, Event::Dialed);
            }
            SourceEvent::Disconnect => {
                if let Some(conn) = self.source_conn.take() {
                    self.network
                        .close(conn, End::Source, &mut self.agenda, Event::Net);
                }
            }
            SourceEvent::Begun { session, .. } => {
                self.session = Some(session);
                for stream in 0..self.scripts.len() {
                    self.agenda
                        .after(0, Event::Engine(u16::try_from(stream).unwrap()));
                }
            }
            SourceEvent::Durable { stream, blocks, .. } => {
                self.promise_durable(stream, blocks);
                let script = &mut self.scripts[usize::from(stream)];
                script.durable = script.durable.max(blocks);
                self.agenda.after(0, Event::Engine(stream));
            }
            SourceEvent::Committed { receipt } => {
                assert_eq!(receipt, b"receipt");
                assert_eq!(self.outcome, None, "two ends");
                self.outcome = Some(Outcome::Committed);
            }
            SourceEvent::Failed(failure) => {
                assert_eq!(self.outcome, None, "two ends");
                self.outcome = Some(Outcome::Failed(failure));
            }
            SourceEvent::Lost { .. } | SourceEvent::Resumed { .. } => {}
            other => panic!("unknown event {other:?}"),
        }
    }

    /// What the engine is told to be durable must be so now, whatever happens next.
    fn promise_durable(&self, stream: u16, blocks: u64) {
        let session = self.session.unwrap();
        if let Some(open) = self.disk.open.get(&session) {
            let durable = open.streams[usize::from(stream)].durable as u64;
            assert!(
                durable >= blocks,
                "{blocks} blocks are said to be durable, {durable} are"
            );
        }
    }

    fn engine(&mut self, stream: u16) {
        let Some(session) = self.session else { return };
        if self.outcome.is_some() {
            return;
        }
        let script = &mut self.scripts[usize::from(stream)];
        if script.finished {
            self.try_commit();
            return;
        }
        let next = usize::try_from(script.at.blocks).unwrap();
        if script.waits && script.durable < script.at.blocks {
            return;
        }
        if !script.waits && script.flushes.contains(&next) {
            script.waits = true;
            self.source.flush(stream).unwrap();
            self.agenda.after(0, Event::Engine(stream));
            self.pump_source();
            return;
        }
        let Some(bytes) = script.blocks.get(next) else {
            script.finished = true;
            self.source.finish_stream(stream).unwrap();
            self.pump_source();
            return;
        };
        let unsafe_bytes: usize = script
            .blocks
            .get(usize::try_from(script.durable).unwrap()..next)
            .unwrap()
            .iter()
            .map(Vec::len)
            .sum();
        if (unsafe_bytes + bytes.len()) as u64 > self.share {
            return;
        }
        let header =
            BlockHeader::for_raw(session, stream, script.at.blocks, script.at.bytes, bytes);
        script.at.advance(&header).unwrap();
        script.waits = false;
        let block = Block {
            header,
            payload: Bytes::copy_from_slice(bytes),
        };
        self.source.push(block).unwrap();
        let pause = self.random.between(0, self.slowness);
        self.agenda.after(pause, Event::Engine(stream));
        self.pump_source();
    }

    fn try_commit(&mut self) {
        if !self.committing && self.source.safe() {
            self.committing = true;
            self.source.commit(b"facts".to_vec());
            self.pump_source();
        }
    }

    // The target and its store.

    fn accept(&mut self, conn: u64) {
        if let Some(process) = &mut self.process {
            process
                .fresh
                .insert(conn, FrameDecoder::new(Limits::CONTROL));
        }
    }

    fn target_bytes(&mut self, conn: u64, bytes: &[u8]) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        if let Some(mut decoder) = process.fresh.remove(&conn) {
            decoder.feed(bytes);
            match decoder.next_frame().unwrap() {
                None => {
                    process.fresh.insert(conn, decoder);
                }
                Some(frame) => {
                    decoder.allow(Limits::blocks(MAX_PAYLOAD));
                    process.decoders.insert(conn, decoder);
                    self.request(conn, frame);
                }
            }
        } else if let Some(decoder) = process.decoders.get_mut(&conn) {
            decoder.feed(bytes);
        }
        loop {
            let Some(process) = &mut self.process else {
                return;
            };
            let Some(decoder) = process.decoders.get_mut(&conn) else {
                return;
            };
            let Some(frame) = decoder.next_frame().unwrap() else {
                return;
            };
            let name = frame.name();
            let mut sessions = process.sessions.values_mut();
            let Some((target, _)) = sessions.find(|(_, at)| *at == Some(conn)) else {
                return;
            };
            target.handle(now, frame);
            self.confirmed = true;
            self.note(|| format!("target has {name}"));
            self.pump_target();
        }
    }

    /// The first frame of a connection.
    fn request(&mut self, conn: u64, frame: Frame) {
        self.note(|| format!("target has {}", frame.name()));
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        match frame {
            Frame::Control(Control::Begin {
                streams,
                key,
                retain,
                patience,
                ..
            }) => {
                let session = Uuid::from_u64_pair(7, self.random.next());
                let terms = Terms {
                    retain,
                    patience: Duration::from_millis(patience),
                };
                let target = Target::begin(self.config, terms, session, streams, now).unwrap();
                let open = Session {
                    key,
                    streams: (0..streams).map(|_| Stream::default()).collect(),
                };
                self.disk.open.insert(session, open);
                process.sessions.insert(session, (target, Some(conn)));
            }
            Frame::Control(Control::Resume {
                session,
                key,
                retain,
                patience,
            }) => {
                let session = Uuid::from_bytes(session);
                let terms = Terms {
                    retain,
                    patience: Duration::from_millis(patience),
                };
                if let Some((target, at)) = process.sessions.get_mut(&session) {
                    let old = at.replace(conn);
                    target.attach(now, terms);
                    if let Some(old) = old {
                        process.decoders.remove(&old);
                        self.network
                            .close(old, End::Target, &mut self.agenda, Event::Net);
                    }
                } else {
                    self.resume(conn, session, key, terms);
                }
            }
            other => panic!("{} is no first request", other.name()),
        }
        self.pump_target();
    }

    /// A session that this life of the target does not know.
    fn resume(&mut self, conn: u64, session: Uuid, key: [u8; 16], terms: Terms) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        let mut target = if self.disk.committed.contains_key(&session) {
            Target::finished(self.config, terms, session, b"receipt".to_vec(), now)
        } else if let Some(open) = self.disk.open.get_mut(&session) {
            assert_eq!(open.key, key);
            // The store cuts off what was not durable.
            for stream in &mut open.streams {
                stream.blocks.truncate(stream.durable);
            }
            let positions: Vec<Position> = open.streams.iter().map(Stream::position).collect();
            Target::restored(self.config, terms, session, &positions, now).unwrap()
        } else {
            let kind = vab_mover::RefusalKind::UnknownSession.number();
            let refused = Control::Refused {
                kind,
                message: "unknown".into(),
            };
            self.network.send(
                conn,
                End::Target,
                refused.into(),
                &mut self.random,
                &mut self.agenda,
                Event::Net,
            );
            self.network
                .close(conn, End::Target, &mut self.agenda, Event::Net);
            return;
        };
        target.attach(now, terms);
        process.sessions.insert(session, (target, Some(conn)));
    }

    fn target_lost(&mut self, conn: u64, cause: &str) {
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        process.fresh.remove(&conn);
        process.decoders.remove(&conn);
        for (target, at) in process.sessions.values_mut() {
            if *at == Some(conn) {
                *at = None;
                target.disconnected(now, cause);
            }
        }
        self.pump_target();
    }

    fn pump_target(&mut self) {
        let Some(process) = &self.process else { return };
        let sessions: Vec<Uuid> = process.sessions.keys().copied().collect();
        let mut next: Option<Time> = None;
        for session in sessions {
            while let Some(event) = self
                .process
                .as_mut()
                .and_then(|process| process.sessions.get_mut(&session)?.0.poll_event())
            {
                self.target_event(session, event);
            }
            let Some(process) = &mut self.process else {
                return;
            };
            let Some((target, conn)) = process.sessions.get_mut(&session) else {
                continue;
            };
            while let Some(conn) = *conn {
                if !self.network.takes(conn, End::Target) {
                    break;
                }
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
            if target.is_over() && !target.wants_transmit() || target.is_over() && conn.is_none() {
                if let Some(conn) = *conn {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                }
                process.sessions.remove(&session);
                continue;
            }
            if let Some(moment) = target.poll_timeout() {
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

    fn target_event(&mut self, session: Uuid, event: TargetEvent) {
        self.note(|| match &event {
            TargetEvent::Write(block) => {
                format!(
                    "target writes {} of {}",
                    block.header.sequence, block.header.stream
                )
            }
            other => format!("target: {other:?}"),
        });
        let Some(process) = &mut self.process else {
            return;
        };
        let now = self.agenda.now;
        let delay = self.random.between(0, self.slowness);
        let life = self.life;
        let what = match event {
            TargetEvent::Write(block) => {
                let busy = process
                    .busy
                    .entry((session, block.header.stream))
                    .or_default();
                *busy = (*busy).max(now) + delay;
                let time = *busy;
                let what = Done::Written(block);
                self.agenda.at(
                    time,
                    Event::Store {
                        life,
                        session,
                        what,
                    },
                );
                return;
            }
            TargetEvent::Sync => {
                let written = match self.disk.open.get(&session) {
                    Some(open) => open.streams.iter().map(|at| at.blocks.len()).collect(),
                    None => Vec::new(),
                };
                Done::Synced(written)
            }
            TargetEvent::Commit { facts, ends } => Done::Commit { facts, ends },
            TargetEvent::Abort { .. } => Done::Aborted,
            TargetEvent::Disconnect => {
                let conn = process
                    .sessions
                    .get_mut(&session)
                    .and_then(|(_, conn)| conn.take());
                if let Some(conn) = conn {
                    self.network
                        .close(conn, End::Target, &mut self.agenda, Event::Net);
                }
                return;
            }
            TargetEvent::Over => return,
            other => panic!("unknown event {other:?}"),
        };
        self.agenda.after(
            delay,
            Event::Store {
                life,
                session,
                what,
            },
        );
    }

    /// The store is done with something, unless the process died meanwhile.
    fn store(&mut self, life: u64, session: Uuid, what: Done) {
        if life != self.life {
            return;
        }
        let now = self.target_clock.moment(self.agenda.now);
        let Some(process) = &mut self.process else {
            return;
        };
        let Some((target, _)) = process.sessions.get_mut(&session) else {
            return;
        };
        match what {
            Done::Written(block) => {
                self.writes += 1;
                let stream = block.header.stream;
                if self.broken {
                    // No write follows one that failed.
                } else if self.fault == StoreFault::Write(self.writes) {
                    self.broken = true;
                    target.fail("the disk is full".to_owned());
                } else if let Some(open) = self.disk.open.get_mut(&session) {
                    open.streams[usize::from(stream)].write(block);
                    target.written(now, stream);
                }
            }
            Done::Synced(_) if self.fault == StoreFault::Sync => {
                target.fail("the disk does not sync".to_owned());
            }
            Done::Synced(written) => {
                if let Some(open) = self.disk.open.get_mut(&session) {
                    for (stream, count) in open.streams.iter_mut().zip(written) {
                        stream.durable = stream.durable.max(count);
                    }
                    target.synced(now);
                }
            }
            Done::Commit { .. } if self.fault == StoreFault::Commit => {
                self.disk.open.remove(&session);
                target.committed(Err("the disk is full".to_owned()));
            }
            Done::Commit { facts, ends } => {
                self.disk.commit(session, &facts, &ends);
                // It may die between the commit and the answer.
                if self.random.chance(5) {
                    self.kill();
                } else {
                    target.committed(Ok(b"receipt".to_vec()));
                }
            }
            Done::Aborted => {
                self.disk.open.remove(&session);
                target.aborted();
            }
        }
        self.pump_target();
    }

    fn check(mut self, aborted: bool, faulty: bool) -> Outcome {
        let outcome = self
            .outcome
            .take()
            .expect("the source never came to an end");
        match &outcome {
            Outcome::Committed => {
                assert_eq!(self.disk.committed.len(), 1, "restore points");
                let committed = &self.disk.committed[&self.session.unwrap()];
                assert_eq!(committed.facts, b"facts");
                for ((script, blocks), end) in self
                    .scripts
                    .iter()
                    .zip(&committed.streams)
                    .zip(&committed.ends)
                {
                    let wrote: Vec<u8> = script.blocks.concat();
                    let stored: Vec<u8> = blocks
                        .iter()
                        .flat_map(|block| block.payload.to_vec())
                        .collect();
                    assert_eq!(stored, wrote, "what is stored is not what was written");
                    assert_eq!(end.crc, vab_format::checksum::crc32c(&wrote));
                }
            }
            Outcome::Failed(Failure::CommitInDoubt { .. }) => {
                assert!(self.disk.committed.len() <= 1);
            }
            Outcome::Failed(failure) => {
                assert_eq!(
                    self.disk.committed.len(),
                    0,
                    "a restore point after {failure}"
                );
                // A source that was never heard of is not waited for as long as others.
                let unknown = matches!(failure, Failure::Refused(_)) && !self.confirmed;
                let excused = aborted
                    || faulty
                    || unknown
                    || matches!(failure, Failure::LostBeforeBegin { .. });
                assert!(excused, "failed for no good reason: {failure}");
            }
        }
        let left = self
            .process
            .as_ref()
            .map_or(0, |process| process.sessions.len());
        assert_eq!(left, 0, "the target still holds a session");
        outcome
    }
}

impl Process {
    fn new() -> Self {
        Self {
            sessions: BTreeMap::new(),
            fresh: BTreeMap::new(),
            decoders: BTreeMap::new(),
            busy: BTreeMap::new(),
        }
    }
}
