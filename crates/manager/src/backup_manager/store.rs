//! The repository as the store that the target mover writes to and reads from.

use std::sync::{Arc, OnceLock};

use uuid::Uuid;
use vab_format::stream::StreamEnd;
use vab_format::vab::KeyArea;
use vab_mover::target::Slots;
use vab_mover::{
    Block, Intake, Outlet, Placed, Refusal, RefusalKind, Resumption, Store, StoreError,
};
use vab_repository::storage::StorageError;
use vab_repository::{AppendSession, Repository, SessionFacts, SessionReader, SessionRequest};

use super::{answer, refusal};
use crate::clock::Clock;
use crate::message::{self, BeginBackup, OpenRestore};
use crate::point::PointInfo;

/// Joins the mover to a repository.
#[derive(Debug)]
pub(crate) struct RepositoryStore {
    repository: Arc<Repository>,
    clock: Arc<dyn Clock>,
    /// Those of the target mover, once it listens.
    slots: OnceLock<Slots>,
}

impl RepositoryStore {
    pub(crate) fn new(repository: Arc<Repository>, clock: Arc<dyn Clock>) -> Self {
        Self {
            repository,
            clock,
            slots: OnceLock::new(),
        }
    }

    /// Says of these slots how many there are.
    pub(super) fn serve_slots(&self, slots: Slots) {
        let _first_time = self.slots.set(slots);
    }

    /// Tells other machines that share the disk that this one is still there. Blocks.
    pub(super) fn renew_lease(&self) -> Result<(), StorageError> {
        self.repository.renew_lease(self.clock.now())
    }
}

impl RepositoryStore {
    /// Begins a session, in a file with these key slots if it is a new one.
    fn begin_with(
        &self,
        request: &[u8],
        streams: u16,
        keys: Option<&KeyArea>,
    ) -> Result<Box<dyn Intake>, Refusal> {
        let request: BeginBackup = message::decode(request, "request for a backup")
            .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
        let session = SessionRequest {
            job: request.job,
            database: request.database,
            kind: request.kind,
            copy_only: request.copy_only,
            encrypted: keys.is_some(),
            streams,
            now: self.clock.now(),
        };
        let session = match keys {
            Some(keys) => {
                let keys = keys
                    .encode()
                    .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
                self.repository.begin_encrypted(session, &keys)
            }
            None => self.repository.begin(session),
        };
        let session = session.map_err(|error| refusal::begin(&error))?;
        tracing::info!(session = %session.id(), "backup begins");
        self.intake(session)
    }

    fn intake(&self, session: AppendSession) -> Result<Box<dyn Intake>, Refusal> {
        let keys = session.key_area().map(decode_keys).transpose()?;
        Ok(Box::new(RepositoryIntake {
            session,
            keys,
            clock: Arc::clone(&self.clock),
        }))
    }
}

impl Store for RepositoryStore {
    fn begin(&self, request: &[u8], streams: u16) -> Result<Box<dyn Intake>, Refusal> {
        self.begin_with(request, streams, None)
    }

    fn begin_encrypted(
        &self,
        request: &[u8],
        streams: u16,
        keys: &KeyArea,
    ) -> Result<Box<dyn Intake>, Refusal> {
        self.begin_with(request, streams, Some(keys))
    }

    fn open(&self, request: &[u8]) -> Result<Box<dyn Outlet>, Refusal> {
        let request: OpenRestore = message::decode(request, "request for a restore")
            .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
        let reader = self
            .repository
            .reader(request.point)
            .map_err(|error| refusal::read(&error))?;
        let keys = reader.key_area().map_err(|error| refusal::read(&error))?;
        let keys = keys.as_deref().map(decode_keys).transpose()?;
        Ok(Box::new(RepositoryOutlet { reader, keys }))
    }

    fn query(&self, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let query = message::decode(request, "question")
            .map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
        Ok(answer::to(&query, &self.repository, self.slots.get()))
    }

    /// After a restart: a session that was committed is told so, and one that was on its way goes
    /// on behind what is durable of it.
    fn resume(&self, session: Uuid, key: [u8; 16]) -> Result<Resumption, Refusal> {
        if let Some(point) = self.repository.point(session.into()) {
            return Ok(Resumption::Committed {
                receipt: message::encode(&PointInfo::from(&point)),
            });
        }
        let session = self
            .repository
            .take_up(session.into(), key)
            .map_err(|error| refusal::take_up(&error))?;
        let durable = session.ends();
        tracing::info!(session = %session.id(), "backup goes on after the restart");
        let intake = self.intake(session)?;
        Ok(Resumption::Open { intake, durable })
    }

    /// One backup of a database at a time, as the engine itself has it.
    fn slot(&self, request: &[u8]) -> Option<Vec<u8>> {
        let request: BeginBackup = message::decode(request, "request for a backup").ok()?;
        Some(message::encode(&(request.job, request.database)))
    }
}

fn decode_keys(area: &[u8]) -> Result<KeyArea, Refusal> {
    KeyArea::decode(area).map_err(|error| {
        let message = format!("the key slots of the file cannot be read: {error}");
        Refusal::new(RefusalKind::Failed, message)
    })
}

struct RepositoryIntake {
    session: AppendSession,
    keys: Option<KeyArea>,
    clock: Arc<dyn Clock>,
}

impl Intake for RepositoryIntake {
    fn session(&self) -> Uuid {
        self.session.id().0
    }

    fn keys(&self) -> Option<KeyArea> {
        self.keys.clone()
    }

    fn keep_key(&self, key: [u8; 16]) -> Result<(), StoreError> {
        self.session
            .keep_key(key)
            .map_err(|error| refusal::write(&error))
    }

    fn write(&self, block: Block) -> Result<(), StoreError> {
        self.place(block)?.write()
    }

    fn place(&self, block: Block) -> Result<Placed<'_>, StoreError> {
        let Block { header, payload } = block;
        let placed = self
            .session
            .place(&header, payload.into_record())
            .map_err(|error| refusal::write(&error))?;
        Ok(Placed::unwritten(|| {
            placed.write().map_err(|error| refusal::write(&error))
        }))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.session.sync().map_err(|error| refusal::write(&error))
    }

    fn commit(self: Box<Self>, facts: &[u8], ends: &[StreamEnd]) -> Result<Vec<u8>, StoreError> {
        let facts = SessionFacts::decode(facts).map_err(|error| StoreError::Failed {
            message: format!("the facts of the backup set cannot be read: {error}"),
        })?;
        let point = self
            .session
            .commit(&facts, ends, self.clock.now())
            .map_err(|error| refusal::commit(&error))?;
        tracing::info!(point = %point.id, file = %point.file, bytes = point.bytes, "restore point committed");
        Ok(message::encode(&PointInfo::from(&point)))
    }

    fn abort(self: Box<Self>, reason: &str) {
        tracing::warn!(session = %self.session.id(), reason, "backup aborted, no restore point");
        self.session.abort();
    }
}

struct RepositoryOutlet {
    reader: SessionReader,
    keys: Option<KeyArea>,
}

impl Outlet for RepositoryOutlet {
    fn session(&self) -> Uuid {
        self.reader.point().id.0
    }

    fn streams(&self) -> &[StreamEnd] {
        self.reader.streams()
    }

    fn keys(&self) -> Option<KeyArea> {
        self.keys.clone()
    }

    fn read(&self, stream: u16, sequence: u64) -> Result<Block, StoreError> {
        let (header, payload) = self
            .reader
            .read_block(stream, sequence)
            .map_err(|error| refusal::damaged(&error))?;
        let payload = payload.into();
        Ok(Block { header, payload })
    }
}

#[cfg(test)]
mod tests {
    use vab_format::block::BlockHeader;
    use vab_repository::RepositoryOptions;

    use super::*;
    use crate::clock::SystemClock;

    /// The mover hands over what arrived without a look at the payload.
    #[test]
    fn a_block_that_arrived_damaged_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = RepositoryOptions::default();
        let repository = Repository::open(folder.path(), options, clock.now()).unwrap();
        let store = RepositoryStore::new(Arc::new(repository), clock);
        let request = BeginBackup {
            job: "nightly".into(),
            database: "shop".into(),
            kind: None,
            copy_only: false,
        };
        let intake = store.begin(&message::encode(&request), 1).unwrap();
        let sound = b"as the engine wrote it".as_slice();
        let damaged = b"as the engine wrOte it".as_slice();
        let header = BlockHeader::for_raw(intake.session(), 0, 0, 0, sound);
        let write = |payload: &'static [u8]| {
            let payload = payload.into();
            intake.write(Block { header, payload })
        };
        let error = write(damaged).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
        write(sound).unwrap();
    }
}
