use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;
use vab_mover::{Block, Intake, Outlet, Refusal, RefusalKind, Resumption, Store, StoreError};

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// `begin` is refused.
    Begin,
    /// The n-th write of a session fails.
    Write(u64),
    /// Every sync fails.
    Sync,
    /// The commit fails.
    Commit,
    /// The n-th write panics.
    Panic(u64),
    /// Reads of this sequence fail.
    Read(u64),
    /// Reads of this sequence give other bytes.
    Corrupt(u64),
}

/// A committed session.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) session: Uuid,
    pub(crate) facts: Vec<u8>,
    pub(crate) ends: Vec<StreamEnd>,
    pub(crate) blocks: BTreeMap<(u16, u64), Block>,
    pub(crate) keys: Option<KeyArea>,
}

impl Saved {
    /// The raw bytes of a stream.
    pub(crate) fn stream(&self, stream: u16) -> Vec<u8> {
        self.blocks
            .range((stream, 0)..=(stream, u64::MAX))
            .flat_map(|(_, block)| block.payload.to_vec())
            .collect()
    }
}

#[derive(Debug, Default)]
struct Inner {
    fault: Fault,
    saved: Vec<Saved>,
    aborted: Vec<String>,
    /// Sessions that are neither committed nor aborted.
    open: BTreeMap<Uuid, Working>,
    queries: Vec<Vec<u8>>,
    /// The slots of the file that sessions are appended to; those of the first session.
    in_force: Option<KeyArea>,
    /// Sessions are not stored as they were asked for.
    contrary: bool,
}

#[derive(Clone, Debug, Default)]
struct Working {
    key: [u8; 16],
    streams: u16,
    keys: Option<KeyArea>,
    written: BTreeMap<(u16, u64), Block>,
    durable: BTreeMap<(u16, u64), Block>,
    writes: u64,
    /// Counts openings, so that an old handle of a resumed session does nothing.
    generation: u64,
}

/// Sessions in memory. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Inner>>);

impl MemoryStore {
    pub(crate) fn with(fault: Fault) -> Self {
        let store = Self::default();
        store.0.lock().unwrap().fault = fault;
        store
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    pub(crate) fn saved(&self) -> Vec<Saved> {
        self.0.lock().unwrap().saved.clone()
    }

    pub(crate) fn aborted(&self) -> Vec<String> {
        self.0.lock().unwrap().aborted.clone()
    }

    pub(crate) fn open(&self) -> usize {
        self.0.lock().unwrap().open.len()
    }

    /// Bytes of a stream that are durable in the one open session.
    pub(crate) fn durable_bytes(&self, stream: u16) -> u64 {
        let inner = self.0.lock().unwrap();
        inner
            .open
            .values()
            .flat_map(|working| working.durable.iter())
            .filter(|((number, _), _)| *number == stream)
            .map(|(_, block)| u64::from(block.header.raw_length))
            .sum()
    }

    /// Loses what is not durable, as a killed process does.
    pub(crate) fn lose_power(&self) {
        let mut inner = self.0.lock().unwrap();
        for working in inner.open.values_mut() {
            working.written = working.durable.clone();
            working.generation += 1;
        }
    }

    /// The next encrypted session goes into a file of its own.
    pub(crate) fn new_file(&self) {
        self.0.lock().unwrap().in_force = None;
    }

    /// What is asked to be encrypted is not, and the other way round.
    pub(crate) fn be_contrary(&self, keys: KeyArea) {
        let mut inner = self.0.lock().unwrap();
        inner.contrary = true;
        inner.in_force = Some(keys);
    }

    fn begin_with(&self, streams: u16, keys: Option<KeyArea>) -> Box<dyn Intake> {
        let session = Uuid::new_v4();
        let working = Working {
            streams,
            keys,
            ..Working::default()
        };
        self.0.lock().unwrap().open.insert(session, working);
        self.intake(session, 0)
    }

    fn intake(&self, session: Uuid, generation: u64) -> Box<dyn Intake> {
        Box::new(MemoryIntake {
            store: self.clone(),
            session,
            generation,
        })
    }
}

impl Store for MemoryStore {
    fn begin(&self, request: &[u8], streams: u16) -> Result<Box<dyn Intake>, Refusal> {
        let inner = self.0.lock().unwrap();
        if inner.fault == Fault::Begin {
            return Err(Refusal::new(
                RefusalKind::Full,
                format!("no room for {}", String::from_utf8_lossy(request)),
            ));
        }
        let keys = inner.in_force.clone().filter(|_| inner.contrary);
        drop(inner);
        Ok(self.begin_with(streams, keys))
    }

    fn begin_encrypted(
        &self,
        _: &[u8],
        streams: u16,
        keys: &KeyArea,
    ) -> Result<Box<dyn Intake>, Refusal> {
        let mut inner = self.0.lock().unwrap();
        let in_force = inner.in_force.get_or_insert_with(|| keys.clone()).clone();
        let keys = (!inner.contrary).then_some(in_force);
        drop(inner);
        Ok(self.begin_with(streams, keys))
    }

    fn open(&self, request: &[u8]) -> Result<Box<dyn Outlet>, Refusal> {
        let inner = self.0.lock().unwrap();
        let saved = match inner.saved.iter().find(|saved| saved.facts == request) {
            Some(saved) => saved.clone(),
            None => return Err(Refusal::new(RefusalKind::NotFound, "no such restore point")),
        };
        Ok(Box::new(MemoryOutlet {
            saved,
            fault: inner.fault,
        }))
    }

    fn query(&self, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.0.lock().unwrap().queries.push(request.to_vec());
        match request {
            b"long" => Ok((0..3_000_000_u32).map(|n| (n % 251) as u8).collect()),
            b"too long" => Ok(vec![0; 17 << 20]),
            b"no" => Err(Refusal::new(RefusalKind::Forbidden, "not for you")),
            other => Ok(other.to_ascii_uppercase()),
        }
    }

    fn resume(&self, session: Uuid, key: [u8; 16]) -> Result<Resumption, Refusal> {
        let mut inner = self.0.lock().unwrap();
        if inner.saved.iter().any(|saved| saved.session == session) {
            return Ok(Resumption::Committed {
                receipt: session.as_bytes().to_vec(),
            });
        }
        match inner.open.get_mut(&session) {
            Some(working) if working.key == key => {
                working.generation += 1;
                working.written = working.durable.clone();
                let durable = (0..working.streams)
                    .map(|stream| {
                        let mut at = vab_mover::proto::Position::default();
                        for block in working
                            .durable
                            .range((stream, 0)..=(stream, u64::MAX))
                            .map(|(_, block)| block)
                        {
                            at.advance(&block.header).unwrap();
                        }
                        at.end(stream)
                    })
                    .collect();
                let generation = working.generation;
                Ok(Resumption::Open {
                    intake: self.intake(session, generation),
                    durable,
                })
            }
            _ => Err(Refusal::new(
                RefusalKind::UnknownSession,
                "never heard of it",
            )),
        }
    }

    fn slot(&self, request: &[u8]) -> Option<Vec<u8>> {
        request.starts_with(b"slot").then(|| request.to_vec())
    }
}

struct MemoryIntake {
    store: MemoryStore,
    session: Uuid,
    generation: u64,
}

impl MemoryIntake {
    fn working<T>(
        &self,
        act: impl FnOnce(&mut Working, Fault) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.store.0.lock().unwrap();
        let fault = inner.fault;
        let working = inner.open.get_mut(&self.session);
        match working.filter(|working| working.generation == self.generation) {
            Some(working) => act(working, fault),
            None => Err(StoreError::Failed {
                message: "the session is over".into(),
            }),
        }
    }
}

impl Intake for MemoryIntake {
    fn session(&self) -> Uuid {
        self.session
    }

    fn keys(&self) -> Option<KeyArea> {
        let inner = self.store.0.lock().unwrap();
        inner.open.get(&self.session)?.keys.clone()
    }

    fn keep_key(&self, key: [u8; 16]) -> Result<(), StoreError> {
        self.working(|working, _| {
            working.key = key;
            Ok(())
        })
    }

    fn write(&self, block: Block) -> Result<(), StoreError> {
        let sound = block.header.verify(&block.payload);
        sound.map_err(|error| StoreError::Damaged {
            message: error.to_string(),
        })?;
        let panics = self.working(|working, fault| {
            working.writes += 1;
            if fault == Fault::Write(working.writes) {
                return Err(StoreError::Full {
                    message: "/repository has 0 bytes".into(),
                });
            }
            if fault == Fault::Panic(working.writes) {
                return Ok(true);
            }
            let place = (block.header.stream, block.header.sequence);
            let last = working
                .written
                .range((place.0, 0)..=(place.0, u64::MAX))
                .next_back();
            let due = last.map_or(0, |((_, sequence), _)| sequence + 1);
            if place.1 != due {
                return Err(StoreError::Failed {
                    message: format!("{place:?} is not {due}"),
                });
            }
            working.written.insert(place, block);
            Ok(false)
        })?;
        assert!(!panics, "a store that panics");
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.working(|working, fault| {
            if fault == Fault::Sync {
                return Err(StoreError::Io(std::io::Error::other("no sync")));
            }
            working.durable = working.written.clone();
            Ok(())
        })
    }

    fn commit(self: Box<Self>, facts: &[u8], ends: &[StreamEnd]) -> Result<Vec<u8>, StoreError> {
        self.working(|_, _| Ok(()))?;
        let mut inner = self.store.0.lock().unwrap();
        let working = inner.open.remove(&self.session);
        if inner.fault == Fault::Commit {
            return Err(StoreError::Full {
                message: "no room for the commit".into(),
            });
        }
        let working = working.ok_or(StoreError::Failed {
            message: "gone".into(),
        })?;
        inner.saved.push(Saved {
            session: self.session,
            facts: facts.to_vec(),
            ends: ends.to_vec(),
            blocks: working.durable,
            keys: working.keys,
        });
        Ok(self.session.as_bytes().to_vec())
    }

    fn abort(self: Box<Self>, reason: &str) {
        // The handle of a process that was killed does nothing any more.
        if self.working(|_, _| Ok(())).is_ok() {
            let mut inner = self.store.0.lock().unwrap();
            inner.open.remove(&self.session);
            inner.aborted.push(reason.to_owned());
        }
    }
}

struct MemoryOutlet {
    saved: Saved,
    fault: Fault,
}

impl Outlet for MemoryOutlet {
    fn session(&self) -> Uuid {
        self.saved.session
    }

    fn streams(&self) -> &[StreamEnd] {
        &self.saved.ends
    }

    fn keys(&self) -> Option<KeyArea> {
        self.saved.keys.clone()
    }

    fn read(&self, stream: u16, sequence: u64) -> Result<Block, StoreError> {
        if self.fault == Fault::Read(sequence) {
            return Err(StoreError::Damaged {
                message: format!("block {sequence} is unreadable"),
            });
        }
        let mut block = self.saved.blocks[&(stream, sequence)].clone();
        if self.fault == Fault::Corrupt(sequence) {
            let mut bytes = block.payload.to_vec();
            bytes[0] ^= 1;
            block.payload = bytes.into();
        }
        Ok(block)
    }
}
