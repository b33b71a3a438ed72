//! Finding sessions in a damaged file.

use std::io::{Read, Seek};

use super::reader::{Session, VabReader};
use super::source::ReadError;
use crate::limits::ALIGNMENT;
use crate::record::{Frame, Position, RecordKind};
use crate::wire;

/// How much is read at once.
const PIECE: u64 = 1 << 20;

impl<R: Read + Seek> VabReader<R> {
    /// Reads the whole file and gives every session whose commit record is whole, in the order in
    /// which they lie in the file: for a file so damaged that the way to a session is lost, and
    /// that has no `.VASM` either.
    ///
    /// What it finds is not surely committed: behind the last committed session it may be one that
    /// was given up. Its blocks are checked when they are read, as always.
    ///
    /// What cannot be read is left out, like what is damaged.
    ///
    /// # Errors
    /// None at present.
    pub fn salvage(&mut self) -> Result<Vec<Session>, ReadError> {
        let mut found = Vec::new();
        let mut offset = self.header().data_start;
        while offset < self.file_length() {
            let Ok(piece) = self.source.read(offset, PIECE) else {
                // A bad place of the medium costs what lies there, and no more.
                let end = offset + PIECE;
                while offset < end.min(self.file_length()) {
                    if let Ok(page) = self.source.read(offset, ALIGNMENT) {
                        found.extend(self.session_of(&page, offset));
                    }
                    offset += ALIGNMENT;
                }
                continue;
            };
            for page in piece.chunks(4096) {
                found.extend(self.session_of(page, offset));
                offset += ALIGNMENT;
            }
            if wire::size(piece.len()) < PIECE {
                break;
            }
        }
        Ok(found)
    }

    fn session_of(&mut self, page: &[u8], offset: u64) -> Option<Session> {
        let position = self.commit_at(page, offset)?;
        self.commit(position).ok()
    }

    /// The position of a commit record that begins with this page of this file. A copy of one
    /// inside a backup says another place, or another file.
    fn commit_at(&self, page: &[u8], offset: u64) -> Option<Position> {
        if RecordKind::of(page) != Some(RecordKind::Commit) {
            return None;
        }
        let placement = Frame::decode(page.first_chunk()?).ok()?.placement;
        let position = Position {
            file: self.header().file,
            offset,
            ordinal: placement.ordinal,
        };
        (placement.file == position.file && placement.offset == offset).then_some(position)
    }
}
