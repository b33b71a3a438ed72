//! Reads a medium while its bytes pass by, in pieces of any size.

use super::block::TAPE;
use super::container::Container;
use super::walk::Walk;
use super::{Expected, Medium, MtfError, SetFacts};

const COMPRESSED: &[u8] = b"MSSQLBAK";

/// A reader that is pushed a medium's bytes, keeps what it needs of them and checks the rest.
///
/// It holds one block descriptor (below 64 KiB) or one configuration record (at most 16 MiB) at a
/// time, and of a compressed medium one record (below 64 KiB, unpacked below 128 KiB) as well. Of
/// all records together it keeps the facts of at most 64 MiB. After an error it stays at that
/// error.
///
/// ```
/// use vab_engine::mtf::{MtfError, StreamingReader};
///
/// let mut reader = StreamingReader::new();
/// let error = reader.push(b"PK\x03\x04 is no backup").unwrap_err();
/// assert!(matches!(error, MtfError::NotABackup { .. }));
/// ```
#[derive(Debug)]
pub struct StreamingReader(Form);

#[derive(Debug)]
enum Form {
    /// The first bytes are not all there.
    Unknown(Vec<u8>),
    Native(Box<Walk>),
    Compressed(Box<Container>),
    Failed(MtfError, u64),
}

impl Default for StreamingReader {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamingReader {
    /// A reader at the beginning of a medium.
    pub fn new() -> Self {
        Self(Form::Unknown(Vec::new()))
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are not those of a backup, and the same error ever after.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MtfError> {
        let result = match &mut self.0 {
            Form::Unknown(first) => {
                let (now, rest) = bytes.split_at(bytes.len().min(COMPRESSED.len() - first.len()));
                first.extend_from_slice(now);
                if first.len() < COMPRESSED.len() {
                    return Ok(());
                }
                let first = std::mem::take(first);
                return self.recognise(first).and_then(|()| self.push(rest));
            }
            Form::Native(walk) => walk.push(bytes),
            Form::Compressed(container) => {
                container.push(bytes);
                Ok(())
            }
            Form::Failed(error, _) => return Err(error.clone()),
        };
        self.fail(result)
    }

    /// How many bytes from here on hold nothing to read: a file may seek over them and
    /// [`skip`](Self::skip) them.
    pub fn skippable(&self) -> u64 {
        match &self.0 {
            Form::Unknown(_) | Form::Failed(..) => 0,
            Form::Native(walk) => walk.intake().skippable(),
            Form::Compressed(container) => container.skippable(),
        }
    }

    /// Passes over at most [`skippable`](Self::skippable) bytes and returns how many.
    pub fn skip(&mut self, bytes: u64) -> u64 {
        match &mut self.0 {
            Form::Unknown(_) | Form::Failed(..) => 0,
            Form::Native(walk) => walk.skip(bytes),
            Form::Compressed(container) => container.skip(bytes),
        }
    }

    /// How many bytes of the next ones are wanted, at least one; more may be pushed.
    pub fn wanted(&self) -> usize {
        let wanted = match &self.0 {
            Form::Unknown(first) => COMPRESSED.len() - first.len(),
            Form::Native(walk) => walk.intake().missing(),
            Form::Compressed(container) => container.missing(),
            Form::Failed(..) => 1,
        };
        wanted.max(1)
    }

    /// How many bytes have passed.
    pub fn position(&self) -> u64 {
        match &self.0 {
            Form::Unknown(first) => u64::try_from(first.len()).unwrap_or_default(),
            Form::Native(walk) => walk.intake().position(),
            Form::Compressed(container) => container.position(),
            Form::Failed(_, position) => *position,
        }
    }

    /// The backup sets whose first configuration record has passed. That of the last one is
    /// `None` in [`SetFacts::last`] until its end has passed.
    pub fn sets(&self) -> &[SetFacts] {
        match &self.0 {
            Form::Native(walk) => walk.sets(),
            Form::Compressed(container) => container.sets(),
            Form::Unknown(_) | Form::Failed(..) => &[],
        }
    }

    /// The medium, when its end has been reached.
    ///
    /// # Errors
    /// When the bytes ended too early, or with the error that was met before.
    pub fn finish(self) -> Result<Medium, MtfError> {
        match self.0 {
            Form::Unknown(first) => Err(short(first)),
            Form::Native(walk) => walk.finish().map(Medium::Native),
            Form::Compressed(container) => container.finish().map(Medium::Compressed),
            Form::Failed(error, _) => Err(error),
        }
    }

    fn recognise(&mut self, first: Vec<u8>) -> Result<(), MtfError> {
        self.0 = if first == COMPRESSED {
            Form::Compressed(Box::new(Container::new()))
        } else {
            Form::Native(Box::new(Walk::new()))
        };
        let result = if first == COMPRESSED || first.starts_with(&TAPE.0) {
            return self.push(&first);
        } else {
            Err(MtfError::NotABackup { found: first })
        };
        self.fail(result)
    }

    fn fail(&mut self, result: Result<(), MtfError>) -> Result<(), MtfError> {
        if let Err(error) = &result {
            self.0 = Form::Failed(error.clone(), self.position());
        }
        result
    }
}

/// What to say of a medium that ends within its first bytes.
fn short(first: Vec<u8>) -> MtfError {
    let begins = |with: &[u8]| with.starts_with(&first) || first.starts_with(with);
    if first.is_empty() || !(begins(&TAPE.0) || begins(COMPRESSED)) {
        return MtfError::NotABackup { found: first };
    }
    MtfError::Truncated {
        offset: 0,
        expected: Expected::Magic,
        needed: u64::try_from(COMPRESSED.len()).unwrap_or_default(),
        found: u64::try_from(first.len()).unwrap_or_default(),
    }
}
