//! A backup on its way in.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use vab_chain::{PointId, UtcTime};
use vab_format::block::BlockHeader;
use vab_format::record::RecordBuffer;
use vab_format::stream::StreamEnd;
use vab_format::vab::{Append, Closing, End, PlacedRecord, VabHeader};

use super::{BlockWrite, CommitError, Note, Placement, SessionRequest, WriteError};
use crate::facts::{Identity, SessionFacts};
use crate::point::StoredPoint;
use crate::storage::{DataFile, StorageError};

/// What a session needs of the repository it was begun in.
pub(crate) trait Place: Send + Sync + std::fmt::Debug {
    /// Checks that no other server has taken over.
    fn check_owner(&self) -> Result<(), StorageError>;
    /// Puts the note of a session beside its file, durably.
    fn keep(&self, target: &Target, note: &Note) -> Result<(), StorageError>;
    /// By how many bytes the durable end has to move on before the note is written anew.
    fn note_interval(&self) -> u64;
    /// Publishes a new file that is durable.
    fn publish(&self, placement: &Placement) -> Result<(), StorageError>;
    /// The commit is durable: the session becomes a restore point.
    fn committed(
        &self,
        target: &Target,
        session: vab_format::vasm::StoredSession,
        end: End,
        noted: bool,
    ) -> StoredPoint;
    /// The session is given up. `failure` says that the disk failed: the file is not trusted
    /// again. `noted` says that there may be a note.
    fn given_up(&self, target: &Target, failure: Option<&str>, noted: bool);
}

/// The file that a session is written to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) file: Arc<dyn DataFile>,
    pub(crate) header: VabHeader,
    /// The key slots of an encrypted file.
    pub(crate) key_area: Option<Vec<u8>>,
    pub(crate) placement: Placement,
    /// The end of what was committed before.
    pub(crate) end: End,
}

/// A backup on its way in: N streams of blocks, written at once into one file.
///
/// Dropping it gives it up. Nothing of it is visible before [`AppendSession::commit`] has
/// returned. Memory: at most 128 KiB per stream, and 32 bytes for each 4096 blocks.
#[derive(Debug)]
pub struct AppendSession {
    place: Arc<dyn Place>,
    target: Target,
    request: SessionRequest,
    id: PointId,
    plan: Mutex<Plan>,
    /// A write has ended.
    written: Condvar,
    /// What is kept on the disk, so that the session can be taken up; `None` when nobody asked
    /// for it.
    note: Mutex<Option<Note>>,
    /// Why the disk failed, once it did.
    failure: OnceLock<String>,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Plan {
    append: Append,
    /// Where the records begin that have a place and are not written yet.
    writing: BTreeSet<u64>,
}

impl AppendSession {
    pub(crate) fn new(
        place: Arc<dyn Place>,
        target: Target,
        request: SessionRequest,
        id: PointId,
    ) -> Self {
        let append = Append::begin(target.end.clone(), id.0, request.streams);
        Self::with(place, target, request, id, append, None)
    }

    /// A session that an earlier process began; `append` has gone past what is durable of it.
    pub(crate) fn taken_up(
        place: Arc<dyn Place>,
        target: Target,
        note: Note,
        append: Append,
    ) -> Self {
        let (request, id) = (note.request.clone(), PointId(note.session));
        Self::with(place, target, request, id, append, Some(note))
    }

    fn with(
        place: Arc<dyn Place>,
        target: Target,
        request: SessionRequest,
        id: PointId,
        append: Append,
        note: Option<Note>,
    ) -> Self {
        let writing = BTreeSet::new();
        Self {
            place,
            target,
            request,
            id,
            plan: Mutex::new(Plan { append, writing }),
            written: Condvar::new(),
            note: Mutex::new(note),
            failure: OnceLock::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// The identity of the session, and of the restore point that it becomes.
    pub fn id(&self) -> PointId {
        self.id
    }

    /// Which file it goes to, and why.
    pub fn placement(&self) -> &Placement {
        &self.target.placement
    }

    /// The key slots of the file it goes to, when it is encrypted: blocks have to be sealed with
    /// the key that they wrap.
    pub fn key_area(&self) -> Option<&[u8]> {
        self.target.key_area.as_deref()
    }

    /// How many streams it has.
    pub fn streams(&self) -> u16 {
        self.request.streams
    }

    /// The totals of the streams so far. Of a session that was just taken up: of what is durable.
    pub fn ends(&self) -> Vec<StreamEnd> {
        self.plan().append.ends()
    }

    /// From now on keeps what is needed to take the session up after this process was killed:
    /// [`Repository::take_up`](crate::Repository::take_up) asks for the key.
    ///
    /// A note is put beside the file now, and anew by the [`AppendSession::sync`] with which the
    /// session has come on by
    /// [`RepositoryOptions::note_interval`](crate::RepositoryOptions::note_interval) since: that
    /// one waits for the disk three times, any other one once.
    ///
    /// # Errors
    /// When the disk fails: the session is over, and its file is not trusted again.
    pub fn keep_key(&self, key: [u8; 16]) -> Result<(), WriteError> {
        self.check()?;
        let mut kept = self.note();
        let note = kept.insert(Note {
            file: self.target.header.file,
            ordinal: self.target.end.sessions.saturating_add(1),
            session: self.id.0,
            key,
            durable: self.target.end.committed_length,
            request: self.request.clone(),
        });
        let durable = self.sync_all()?;
        self.write_note(note, durable)
    }

    /// Writes a block. Different streams may be written at once from different threads; the
    /// blocks of one stream come in order.
    ///
    /// # Errors
    /// When the block is not the one that is due or does not match its checksums: then nothing is
    /// written and the session can go on. When the disk fails: then the session is over.
    pub fn write(&self, header: &BlockHeader, payload: &[u8]) -> Result<(), WriteError> {
        self.place(header, RecordBuffer::of(payload))?.write()
    }

    /// Checks a block and gives it its place; [`BlockWrite::write`] writes it, from the memory it
    /// lies in. [`AppendSession::write`] in two steps, of which only the first has to keep to the
    /// order of the stream.
    ///
    /// # Errors
    /// When the block is not the one that is due or does not match its checksums: then it has no
    /// place and the session can go on.
    pub fn place<R: AsMut<RecordBuffer>>(
        &self,
        header: &BlockHeader,
        mut record: R,
    ) -> Result<BlockWrite<'_, R>, WriteError> {
        self.check()?;
        let refused = |source| WriteError::Refused {
            stream: header.stream,
            sequence: header.sequence,
            source,
        };
        if header.is_encrypted() != self.request.encrypted {
            return Err(WriteError::Encryption {
                stream: header.stream,
                sequence: header.sequence,
                found: header.is_encrypted(),
            });
        }
        header.verify(record.as_mut().payload()).map_err(refused)?;
        let mut plan = self.plan();
        let block = plan.append.block(header).map_err(refused)?;
        plan.writing.insert(block.offset);
        let segment = plan.append.segment();
        Ok(BlockWrite::new(self, record, block, segment))
    }

    /// Makes every block durable that has its place. Waits until all of these are written: a thread
    /// that holds a [`BlockWrite`] writes or drops it before it calls this.
    ///
    /// # Errors
    /// When the disk fails: the session is over, and its file is not trusted again.
    pub fn sync(&self) -> Result<(), WriteError> {
        self.check()?;
        let mut note = self.note();
        let durable = self.sync_all()?;
        let Some(note) = note.as_mut() else {
            return Ok(());
        };
        if durable.saturating_sub(note.durable) < self.place.note_interval() {
            // Found again behind the note, record by record.
            return Ok(());
        }
        self.write_note(note, durable)
    }

    /// Makes every record durable that has a place, and says where they end: others lie between
    /// those that were written, and without them the way to these is not to be found again.
    fn sync_all(&self) -> Result<u64, WriteError> {
        let end = self.settled();
        self.check()?;
        let synced = self.target.file.sync();
        synced.map(|()| end).map_err(|error| self.failed(error))
    }

    /// Only behind the sync: what a note says to be durable is.
    fn write_note(&self, note: &mut Note, durable: u64) -> Result<(), WriteError> {
        note.durable = durable;
        let kept = self.place.keep(&self.target, note);
        kept.map_err(|error| self.failed(error))
    }

    /// Where the records end that have a place now, once all of them are written.
    fn settled(&self) -> u64 {
        let mut plan = self.plan();
        let end = plan.append.length();
        while plan.writing.first().is_some_and(|first| *first < end) {
            plan = self
                .written
                .wait(plan)
                .unwrap_or_else(PoisonError::into_inner);
        }
        end
    }

    /// Ends the session: everything is made durable, then the commit record, then the metadata
    /// of the file and of the job are replaced.
    ///
    /// `ends` is what the source counted; it must be what arrived. When the metadata cannot be
    /// written the restore point is there all the same, with a notice in the repository.
    ///
    /// # Errors
    /// When anything before the commit record fails there is no restore point. When the commit
    /// record itself fails, see [`CommitError::InDoubt`].
    pub fn commit(
        self,
        facts: &SessionFacts,
        ends: &[StreamEnd],
        now: UtcTime,
    ) -> Result<StoredPoint, CommitError> {
        self.check()?;
        let record = facts.record(self.identity(now), ends.to_vec());
        let closing = self.plan().append.clone().commit(record.clone())?;
        let Closing {
            segments,
            commit,
            end,
        } = closing;
        let data = segments.iter().try_for_each(|segment| self.put(segment));
        let data = data.and_then(|()| self.target.file.sync());
        let data = data.and_then(|()| self.place.check_owner());
        data.map_err(|error| self.failed(error))?;
        self.make_visible(&commit).map_err(|source| {
            self.fail(&source);
            CommitError::InDoubt { source }
        })?;
        self.ended.store(true, Ordering::SeqCst);
        let session = vab_format::vasm::StoredSession {
            commit_offset: commit.offset,
            commit_length: commit.bytes.len() as u64,
            record,
        };
        let noted = self.note().is_some();
        Ok(self.place.committed(&self.target, session, end, noted))
    }

    /// Gives the session up; what was written of it is cut off.
    pub fn abort(self) {
        drop(self);
    }

    fn make_visible(&self, commit: &PlacedRecord) -> Result<(), StorageError> {
        self.put(commit)?;
        self.target.file.sync()?;
        self.place.publish(&self.target.placement)
    }

    pub(super) fn put(&self, record: &PlacedRecord) -> Result<(), StorageError> {
        self.target.file.write_at(&record.bytes, record.offset)
    }

    pub(super) fn file(&self) -> &dyn DataFile {
        &*self.target.file
    }

    /// Nothing more comes to the place of a block.
    pub(super) fn settle(&self, offset: u64, written: bool) {
        if !written {
            let _ = self
                .failure
                .set("a block that had its place was not written; run the backup again".to_owned());
        }
        self.plan().writing.remove(&offset);
        self.written.notify_all();
    }

    fn identity(&self, now: UtcTime) -> Identity {
        Identity {
            id: self.id.0,
            job: self.request.job.clone(),
            database: self.request.database.clone(),
            copy_only: self.request.copy_only,
            started: self.request.now.as_micros(),
            committed: now.as_micros(),
            encrypted: self.request.encrypted,
            codecs: self.plan().append.codecs(),
        }
    }

    pub(super) fn check(&self) -> Result<(), WriteError> {
        match self.failure.get() {
            Some(cause) => Err(WriteError::Failed {
                cause: cause.clone(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn failed(&self, error: StorageError) -> WriteError {
        self.fail(&error);
        error.into()
    }

    fn fail(&self, error: &StorageError) {
        // The first failure is the cause of the others.
        let _ = self.failure.set(error.to_string());
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) -> MutexGuard<'_, Option<Note>> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AppendSession {
    fn drop(&mut self) {
        if !self.ended.swap(true, Ordering::SeqCst) {
            let noted = self.note().is_some();
            self.place
                .given_up(&self.target, self.failure.get().map(String::as_str), noted);
        }
    }
}
