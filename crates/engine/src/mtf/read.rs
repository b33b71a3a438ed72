//! Reads a medium that can be sought in.

use std::io::{self, Read, Seek, SeekFrom};

use super::{Medium, ReadError, StreamingReader};

/// Bytes that are read at once; most of what is read is much shorter.
const CHUNK: usize = 16 * 1024;

/// Reads the facts of a whole medium from the beginning of `source`, seeking over its data.
///
/// # Errors
/// When it is not a whole backup, or cannot be read.
pub fn read(source: &mut (impl Read + Seek)) -> Result<Medium, ReadError> {
    let failed = |offset: u64| move |source: io::Error| ReadError::Io { offset, source };
    let length = source.seek(SeekFrom::End(0)).map_err(failed(0))?;
    source.rewind().map_err(failed(0))?;
    let mut reader = StreamingReader::new();
    let mut chunk = vec![0; CHUNK];
    while reader.position() < length {
        let at = reader.position();
        let skipped = reader.skip(reader.skippable().min(length - at));
        let at = at.saturating_add(skipped);
        if skipped > 0 {
            source.seek(SeekFrom::Start(at)).map_err(failed(at))?;
            continue;
        }
        let wanted = reader.wanted().min(CHUNK);
        let piece = chunk.get_mut(..wanted).unwrap_or_default();
        match source.read(piece) {
            // It became shorter meanwhile.
            Ok(0) => break,
            Ok(count) => reader.push(piece.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(at)(error)),
        }
    }
    Ok(reader.finish()?)
}

/// Reads the facts of a medium whose bytes are all in memory.
///
/// # Errors
/// When they are not those of a whole backup. No bytes make it panic.
pub fn read_bytes(bytes: &[u8]) -> Result<Medium, super::MtfError> {
    let mut reader = StreamingReader::new();
    reader.push(bytes)?;
    reader.finish()
}
