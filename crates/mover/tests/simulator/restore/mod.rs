//! One restore from its begin to its end, whichever processes die meanwhile.

mod attempt;
mod source;
mod strikes;
mod target;

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;
use vab_format::block::BlockHeader;
use vab_mover::Block;
use vab_mover::proto::{Failure, Position};

use crate::faults::{self, Fault};
use crate::net::{Agenda, Arrival, End, LocalClock, Network, SECOND, Time, slowness};
use crate::random::Random;
use crate::tally::Tally;
use attempt::Attempt;
use target::Served;

/// Nothing may take longer, faults and limits included.
const LONGEST: Time = 24 * 3600 * SECOND;

#[derive(Debug)]
enum Event {
    Net(Arrival),
    /// A process of the source comes to life and begins the restore.
    Start,
    /// The connection that an attempt asked for is there, or not.
    Dialed {
        attempt: usize,
    },
    Wake(End),
    Engine(usize),
    Loaded {
        life: u64,
        conn: u64,
        block: Block,
    },
    Fault(Fault),
    /// A process of the target comes to life.
    Restart,
}

struct World {
    random: Random,
    agenda: Agenda<Event>,
    network: Network,
    trace: bool,
    session: Uuid,
    stored: Vec<Vec<Block>>,
    totals: Vec<Position>,
    /// Bytes that the source may hold.
    memory: u64,
    /// The longest payload.
    largest: u64,
    attempt: Option<Attempt>,
    /// How many attempts are over: their process died, or they never began.
    past: usize,
    source_clock: LocalClock,
    outcome: Option<Result<(), Failure>>,
    /// A process of the target runs.
    up: bool,
    life: u64,
    targets: BTreeMap<u64, Served>,
    target_clock: LocalClock,
    /// A clock jumped by more than a minute: a time limit may have passed.
    jumped: bool,
    slowness: Time,
}

/// Runs the restore of this seed; true if it came to a good end.
///
/// # Panics
/// If a promise of the protocol is broken.
pub(crate) fn run(seed: u64, trace: bool) -> (bool, Tally) {
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
        let mut random = Random::new(seed ^ 0x5e57_04e5);
        let session = Uuid::from_u64_pair(9, seed);
        let largest = random.between(1, 200);
        let streams = u16::try_from(random.between(1, 4)).unwrap();
        let (stored, totals) = (0..streams)
            .map(|stream| draw_stream(session, stream, largest, &mut random))
            .unzip();
        let memory = random.between(1, 10 * largest);
        let slowness = slowness(&mut random);
        Self {
            random,
            agenda: Agenda::new(),
            network: Network::default(),
            trace,
            session,
            stored,
            totals,
            memory,
            largest,
            attempt: None,
            past: 0,
            source_clock: LocalClock::new(),
            outcome: None,
            up: true,
            life: 1,
            targets: BTreeMap::new(),
            target_clock: LocalClock::new(),
            jumped: false,
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
            Event::Wake(End::Source) => {
                self.source_clock.wake = None;
                let now = self.source_clock.moment(self.agenda.now);
                if let Some(attempt) = &mut self.attempt {
                    attempt.core.handle_timeout(now);
                }
                self.pump_source();
            }
            Event::Wake(End::Target) => {
                self.target_clock.wake = None;
                let now = self.target_clock.moment(self.agenda.now);
                self.targets
                    .values_mut()
                    .for_each(|served| served.timeout(now));
                self.pump_targets();
            }
            Event::Engine(stream) => self.engine(stream),
            Event::Loaded { life, conn, block } => {
                if life == self.life {
                    self.loaded(conn, block);
                }
            }
            Event::Fault(fault) => self.strike(fault),
            Event::Restart => self.up = true,
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
        self.pump_targets();
    }

    fn closed(&mut self, conn: u64, to: End) {
        if !self.network.is_open(conn, to) {
            return;
        }
        self.note(|| format!("{to:?} sees the end of connection {conn}"));
        self.network.close(conn, to, &mut self.agenda, Event::Net);
        match to {
            End::Source => self.source_lost(conn),
            End::Target => {
                self.targets.remove(&conn);
            }
        }
    }

    fn check(self) -> (bool, Tally) {
        let served = self.targets.values().any(Served::is_served);
        assert!(!served, "the target still serves somebody");
        let outcome = self.outcome.expect("the restore never came to an end");
        let good = match outcome {
            Ok(()) => {
                self.attempt.unwrap().check(&self.stored);
                true
            }
            Err(Failure::GaveUp { .. }) if self.jumped => false,
            Err(failure) => panic!("failed for no good reason: {failure}"),
        };
        (good, self.network.tally)
    }
}

fn draw_stream(
    session: Uuid,
    stream: u16,
    largest: u64,
    random: &mut Random,
) -> (Vec<Block>, Position) {
    let mut at = Position::default();
    let blocks = (0..random.between(0, 30))
        .map(|_| {
            let length = random.between(1, largest);
            let bytes = random.bytes(usize::try_from(length).unwrap());
            let header = BlockHeader::for_raw(session, stream, at.blocks, at.bytes, &bytes);
            at.advance(&header).unwrap();
            let payload = Bytes::from(bytes);
            Block {
                header,
                payload: payload.into(),
            }
        })
        .collect();
    (blocks, at)
}
