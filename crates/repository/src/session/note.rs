//! What is kept of a session on its way, so that it can be taken up after the server was killed.
//!
//! Only a place before which the session is durable stands here. Everything else follows from the
//! records before that place, which say their session, stream and sequence; and from those behind
//! it, as far as they are whole. So the note need not be written anew with every sync.

use uuid::Uuid;
use vab_chain::{BackupKind, UtcTime};
use vab_format::checksum::crc32c;

use super::SessionRequest;

/// The longest note that is read, in bytes.
pub(crate) const LIMIT: u64 = 4096;

const MAGIC: &[u8; 8] = b"VABNOTE\0";
const VERSION: u16 = 1;

/// A session on its way, as far as it was durable when the note was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The identity of the data file.
    pub(crate) file: Uuid,
    /// The number of the session in its file.
    pub(crate) ordinal: u64,
    pub(crate) session: Uuid,
    /// What has to be shown to take the session up.
    pub(crate) key: [u8; 16],
    /// Every record of the session before this place of the file is durable, and whole. Of those
    /// behind it that is not known without a look at each.
    pub(crate) durable: u64,
    pub(crate) request: SessionRequest,
}

impl Note {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let request = &self.request;
        let kind = match request.kind {
            None => 0,
            Some(BackupKind::Full) => 1,
            Some(BackupKind::Differential) => 2,
            Some(BackupKind::Log) => 3,
        };
        let flags = u8::from(request.copy_only) | u8::from(request.encrypted) << 1;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[kind, flags]);
        out.extend_from_slice(&request.streams.to_le_bytes());
        out.extend_from_slice(self.file.as_bytes());
        out.extend_from_slice(self.session.as_bytes());
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.ordinal.to_le_bytes());
        out.extend_from_slice(&self.durable.to_le_bytes());
        out.extend_from_slice(&request.now.as_micros().to_le_bytes());
        for name in [&request.job, &request.database] {
            // At most 1024 bytes, as the request was checked.
            let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` for anything that is not a whole note of a version that is known.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, crc) = bytes.split_last_chunk()?;
        if crc32c(covered) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut rest = covered.strip_prefix(MAGIC)?;
        if u16::from_le_bytes(take(&mut rest)?) != VERSION {
            return None;
        }
        let [kind, flags] = take(&mut rest)?;
        let kind = match kind {
            0 => None,
            1 => Some(BackupKind::Full),
            2 => Some(BackupKind::Differential),
            3 => Some(BackupKind::Log),
            _ => return None,
        };
        if flags > 3 {
            return None;
        }
        let streams = u16::from_le_bytes(take(&mut rest)?);
        let file = Uuid::from_bytes(take(&mut rest)?);
        let session = Uuid::from_bytes(take(&mut rest)?);
        let key = take(&mut rest)?;
        let ordinal = u64::from_le_bytes(take(&mut rest)?);
        let durable = u64::from_le_bytes(take(&mut rest)?);
        let now = UtcTime::from_micros(i64::from_le_bytes(take(&mut rest)?));
        let job = name(&mut rest)?;
        let database = name(&mut rest)?;
        let request = SessionRequest {
            job,
            database,
            kind,
            copy_only: flags & 1 != 0,
            encrypted: flags & 2 != 0,
            streams,
            now,
        };
        request.check().ok()?;
        rest.is_empty().then_some(Self {
            file,
            ordinal,
            session,
            key,
            durable,
            request,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

fn name(rest: &mut &[u8]) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    String::from_utf8(taken.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            file: Uuid::from_u128(1),
            ordinal: 7,
            session: Uuid::from_u128(2),
            key: [3; 16],
            durable: 8192,
            request: SessionRequest {
                job: "Nightly".to_owned(),
                database: "Größe".to_owned(),
                kind: Some(BackupKind::Log),
                copy_only: true,
                encrypted: false,
                streams: 4,
                now: UtcTime::from_micros(9),
            },
        }
    }

    #[test]
    fn a_note_goes_both_ways() {
        let mut note = note();
        assert_eq!(Note::decode(&note.encode()), Some(note.clone()));
        note.request.kind = None;
        note.request.encrypted = true;
        assert_eq!(Note::decode(&note.encode()), Some(note));
    }

    #[test]
    fn a_note_cut_or_changed_is_none() {
        let whole = note().encode();
        for length in 0..whole.len() {
            assert_eq!(Note::decode(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(Note::decode(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn the_longest_note_is_read() {
        let mut note = note();
        note.request.job = "j".repeat(1024);
        note.request.database = "d".repeat(1024);
        assert!(note.encode().len() as u64 <= LIMIT);
    }
}
