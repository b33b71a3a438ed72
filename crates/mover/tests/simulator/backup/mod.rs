//! One backup session from its begin to its end.

mod check;
mod faults;
mod source;
mod store;
mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_mover::Block;
use vab_mover::proto::backup::{Source, SourceConfig, Target, TargetConfig};
use vab_mover::proto::frame::Limits;
use vab_mover::proto::{Failure, FrameDecoder, Position};

use crate::disk::Disk;
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
