//! Where the committed part of a `.VAB` ends.

use vab_format::record::{FRAME_LENGTH, Position, Trailer};
use vab_format::vab::{End, Walk, Walked};

use super::{FoundCommit, ReadError, VabFile};

/// The end of a `.VAB`.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// Where the committed part ends.
    pub(crate) end: End,
    /// The last commit; `None` when there is none.
    pub(crate) last: Option<FoundCommit>,
    /// The length of the file; what is beyond `end` is of a session that was never committed, or
    /// damaged.
    pub(crate) file_length: u64,
}

/// Finds the end of the committed part.
///
/// A file whose last session was committed ends in a trailer: two reads. Otherwise the walk goes
/// from `known` (an end that was once made durable and recorded, or that of an empty file) over
/// the records behind it.
///
/// # Errors
/// When the disk fails. Damage is no error here: it ends the walk.
pub(crate) fn find_tail(vab: &VabFile, known: Option<&End>) -> Result<Tail, ReadError> {
    let file_length = vab.file.length()?;
    let known_length = known.map_or(vab.header.data_start, |end| end.committed_length);
    // Behind the known end only a later session can be committed.
    let is_later = |found: &FoundCommit| {
        known.is_none_or(|end| file_length == known_length || found.position.ordinal > end.sessions)
    };
    if file_length >= known_length
        && let Some(last) = last_commit_at(vab, file_length)?.filter(is_later)
    {
        return Ok(after(last, file_length));
    }
    let start = known.cloned().unwrap_or_else(|| End::of_new(&vab.header));
    walk(vab, start, file_length)
}

/// The commit record that ends at `end`; `None` when there is none, or a damaged one.
pub(crate) fn last_commit_at(vab: &VabFile, end: u64) -> Result<Option<FoundCommit>, ReadError> {
    let Some(at) = end.checked_sub(Trailer::LENGTH as u64) else {
        return Ok(None);
    };
    let bytes = undamaged(vab.exactly(at, Trailer::LENGTH))?;
    let trailer = bytes.and_then(|bytes| Trailer::decode_before(&bytes, vab.header.file, end).ok());
    let Some(trailer) = trailer else {
        return Ok(None);
    };
    let position = Position {
        file: trailer.file,
        offset: trailer.offset,
        ordinal: trailer.ordinal,
    };
    let found = undamaged(vab.commit_at(position))?;
    Ok(found.filter(|found| found.length == trailer.length))
}

fn walk(vab: &VabFile, start: End, file_length: u64) -> Result<Tail, ReadError> {
    let mut walk = Walk::from(start, file_length);
    let mut last = None;
    loop {
        let position = *walk.position();
        let Some(bytes) = undamaged(vab.exactly(position.offset, FRAME_LENGTH))? else {
            break;
        };
        let Some(frame) = bytes.first_chunk() else {
            break;
        };
        match walk.frame(frame) {
            Ok(Walked::Passed(_)) => {}
            Ok(Walked::Commit { length }) => {
                let Ok(size) = usize::try_from(length) else {
                    break;
                };
                let Some(record) = undamaged(vab.exactly(position.offset, size))? else {
                    break;
                };
                match walk.commit(&record) {
                    Ok(commit) => {
                        last = Some(FoundCommit {
                            commit,
                            position,
                            length,
                        });
                    }
                    Err(_) => break,
                }
            }
            Err(_) => break,
        }
    }
    let end = walk.end().clone();
    if last.is_none() && end.sessions > 0 {
        // The walk began behind it.
        last = last_commit_at(vab, end.committed_length)?;
    }
    Ok(Tail {
        end,
        last,
        file_length,
    })
}

fn after(last: FoundCommit, file_length: u64) -> Tail {
    let end = End::after(&last.commit, &last.position, last.length);
    Tail {
        end,
        last: Some(last),
        file_length,
    }
}

/// Tells bytes that are wrong from bytes that could not be read.
pub(crate) fn undamaged<T>(result: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}
