//! One backup from its begin to its end, whichever processes die meanwhile.

mod attempt;
mod check;
mod source;
mod store;
mod strikes;
mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_mover::Block;
use vab_mover::proto::backup::{Target, TargetConfig};
use vab_mover::proto::frame::Frame;
use vab_mover::proto::{Failure, FrameDecoder};

use crate::disk::Disk;
use crate::faults::{self, Fault};
use crate::net::{Agenda, Arrival, End, LocalClock, Network, SECOND, Time, slowness};
use crate::random::Random;
use crate::tally::Tally;
use attempt::{Attempt, Past, Script};

/// Nothing may take longer, faults and limits included.
const LONGEST: Time = 24 * 3600 * SECOND;

/// How the run ended at the source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Failed(Failure),
}

#[derive(Debug)]
enum Event {
    Net(Arrival),
    /// A process of the source comes to life and begins a backup.
    Start,
    /// The connection that an attempt asked for is there, or not.
    Dialed {
        attempt: usize,
    },
    Wake(End),
    Engine(u16),
    Store {
        life: u64,
        session: Uuid,
        what: Done,
    },
    /// A request that waited for the end of an older session is looked at again.
    Again {
        life: u64,
        conn: u64,
        frame: Frame,
    },
    Fault(Fault),
    /// A process of the target comes to life.
    Restart,
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

impl StoreFault {
    fn draw(random: &mut Random) -> Self {
        match random.between(1, 60) {
            1 => Self::Write(random.between(1, 30)),
            2 => Self::Sync,
            3 => Self::Commit,
            _ => Self::None,
        }
    }
}

/// The process of the target that runs.
#[derive(Default)]
struct Process {
    sessions: BTreeMap<Uuid, (Target, Option<u64>)>,
    /// Connections whose first request has not come.
    fresh: BTreeMap<u64, FrameDecoder>,
    decoders: BTreeMap<u64, FrameDecoder>,
    /// When the last write of each stream ends.
    busy: BTreeMap<(Uuid, u16), Time>,
    /// Payload bytes of each stream that the store was handed and has not written.
    unwritten: BTreeMap<(Uuid, u16), u64>,
}

/// What may keep a backup from its commit, if it happened.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "excuses that have nothing in common"
)]
struct Excuses {
    aborted: bool,
    store: bool,
    /// A clock jumped by more than a minute: a time limit may have passed.
    jumped: bool,
    /// A request of a source that is gone came late, and what nobody had taken up made way.
    displaced: bool,
}

struct World {
    random: Random,
    agenda: Agenda<Event>,
    network: Network,
    disk: Disk,
    trace: bool,
    scripts: Vec<Script>,
    /// Payload bytes of one stream that the source keeps.
    share: u64,
    /// The longest payload.
    largest: u64,
    attempt: Option<Attempt>,
    past: Vec<Past>,
    source_clock: LocalClock,
    outcome: Option<Outcome>,
    process: Option<Process>,
    life: u64,
    target_clock: LocalClock,
    config: TargetConfig,
    fault: StoreFault,
    writes: u64,
    /// The session of which a write failed: no other write follows.
    broken: Option<Uuid>,
    excuses: Excuses,
    slowness: Time,
}

/// Runs the backup of this seed.
///
/// # Panics
/// If a promise of the protocol is broken.
pub(crate) fn run(seed: u64, trace: bool) -> (Outcome, Tally) {
    let mut world = World::new(seed, trace);
    let faults = faults::draw(world.slowness, &mut world.random);
    faults::put(&mut world.agenda, &faults, Event::Fault);
    world.begin();
    while let Some(event) = world.agenda.next() {
        assert!(world.agenda.now < LONGEST, "it never ends");
        world.happen(event);
    }
    world.check()
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut random = Random::new(seed);
        let streams = random.between(1, 4);
        let largest = random.between(1, 200);
        let scripts = (0..streams)
            .map(|_| Script::new(largest, &mut random))
            .collect();
        let share = random.between(2 * largest, 10 * largest);
        let mut config = TargetConfig {
            window: random.between(1, 5 * largest),
            sync_bytes: random.between(1, 20 * largest),
            ..TargetConfig::default()
        };
        config.sync_age = Duration::from_millis(random.between(1, 5000));
        let slowness = slowness(&mut random);
        let fault = StoreFault::draw(&mut random);
        Self {
            random,
            agenda: Agenda::new(),
            network: Network::default(),
            disk: Disk::default(),
            trace,
            scripts,
            share,
            largest,
            attempt: None,
            past: Vec::new(),
            source_clock: LocalClock::new(),
            outcome: None,
            process: Some(Process::default()),
            life: 1,
            target_clock: LocalClock::new(),
            config,
            fault,
            writes: 0,
            broken: None,
            excuses: Excuses::default(),
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
            Event::Net(arrival) => {
                let arrivals =
                    self.network
                        .deliver(arrival, &mut self.random, &mut self.agenda, Event::Net);
                for arrival in arrivals {
                    match arrival {
                        Arrival::Bytes { conn, to, bytes } => self.bytes(conn, to, &bytes),
                        Arrival::Closed { conn, to } => self.closed(conn, to),
                        Arrival::Awake { .. } | Arrival::Snap { .. } => {}
                    }
                }
            }
            Event::Start => self.begin(),
            Event::Dialed { attempt } => self.dialed(attempt),
            Event::Wake(end) => self.wake(end),
            Event::Engine(stream) => self.engine(stream),
            Event::Store {
                life,
                session,
                what,
            } => self.store(life, session, what),
            Event::Again { life, conn, frame } => {
                if life == self.life && self.network.is_open(conn, End::Target) {
                    self.request(conn, frame);
                }
            }
            Event::Fault(fault) => self.strike(fault),
            Event::Restart => {
                self.note(|| "target starts".to_owned());
                self.process.get_or_insert_default();
            }
        }
    }

    fn wake(&mut self, end: End) {
        let now = self.agenda.now;
        match end {
            End::Source => {
                self.source_clock.wake = None;
                let moment = self.source_clock.moment(now);
                if let Some(attempt) = &mut self.attempt {
                    attempt.core.handle_timeout(moment);
                }
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
        if arrives && to == End::Source {
            self.source_bytes(conn, bytes);
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
            End::Source => self.source_lost(conn, "cut"),
            End::Target => self.target_lost(conn, "cut"),
        }
    }
}
