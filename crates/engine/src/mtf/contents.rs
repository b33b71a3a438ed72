//! What the blocks and streams of a medium say, and the order that they come in.

use super::block::{
    self, CONFIG_FIRST, CONFIG_LAST, FILE_MARK, MEDIUM_END, SET_END, SET_START, STREAM_CHECKSUM,
    StreamHeader, TAPE,
};
use super::fields::Fields;
use super::{ConfigRecord, Family, MtfError, NativeMedium, SetFacts, SetStart, Tag, TapeHeader};

/// The most backup sets that are read from one medium.
const MAX_SETS: usize = 4096;

/// The most bytes of records that are kept of one medium, over all its sets.
const MAX_KEPT: u64 = 64 << 20;

/// A filemark block has a head of 72 bytes and 8 bytes for each filemark that it has room for.
const FILE_MARK_HEAD: u32 = 72;
const FILE_MARK_ENTRY: u32 = 8;
const MAX_BLOCK: u32 = 65_536;

#[derive(Debug, Default)]
pub(super) struct Contents {
    place: Place,
    tape: Option<TapeHeader>,
    family: Option<Family>,
    block_size: u32,
    start: Option<(u64, SetStart)>,
    sets: Vec<SetFacts>,
    /// Bytes of the records that `sets` was made of.
    kept: u64,
}

/// Where in the order of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Beginning,
    AfterTape,
    InSet,
    /// After the filemark that ends a set's data.
    AfterData,
    InEnd,
    /// After the filemark that ends a set.
    Closed,
}

impl Contents {
    /// Whether a block may come now.
    pub(super) fn check_order(&self, tag: Tag, at: u64) -> Result<(), MtfError> {
        let expected = match (self.place, tag) {
            (Place::Beginning, TAPE)
            | (Place::AfterTape, FILE_MARK | SET_START)
            | (Place::AfterData, SET_END)
            | (Place::InEnd, SET_END | FILE_MARK)
            | (Place::Closed, SET_START) => return Ok(()),
            (Place::InSet, tag) if ![TAPE, SET_START, SET_END, MEDIUM_END].contains(&tag) => {
                return Ok(());
            }
            (Place::Beginning, _) => "the block `TAPE`",
            (Place::AfterTape, _) => "the filemark after the block `TAPE`, or a backup set",
            (Place::InSet, _) => "a block of the backup set or the filemark after it",
            (Place::AfterData, _) => "the block `ESET`",
            (Place::InEnd, _) => "the filemark that closes the backup set",
            (Place::Closed, _) => "a backup set",
        };
        Err(MtfError::UnexpectedBlock {
            offset: at,
            expected,
            found: tag,
        })
    }

    /// Takes a block's own fields: those of a filemark up to its number of entries.
    pub(super) fn on_block(
        &mut self,
        tag: Tag,
        first_stream: u16,
        bytes: &[u8],
        at: u64,
    ) -> Result<(), MtfError> {
        match tag {
            TAPE => {
                self.tape = Some(TapeHeader::decode(bytes, at)?);
                self.place = Place::AfterTape;
            }
            SET_START => {
                self.require_family(at)?;
                if self.sets.len() >= MAX_SETS || self.room() == 0 {
                    return Err(MtfError::TooManySets { limit: MAX_SETS });
                }
                self.keep(bytes);
                self.start = Some((at, SetStart::decode(bytes, at)?));
                self.place = Place::InSet;
            }
            SET_END => self.place = Place::InEnd,
            FILE_MARK => self.on_file_mark(first_stream, bytes, at)?,
            _ => {}
        }
        Ok(())
    }

    fn on_file_mark(&mut self, first_stream: u16, bytes: &[u8], at: u64) -> Result<(), MtfError> {
        self.block_size = file_mark_length(first_stream, bytes, at)?;
        self.place = match self.place {
            Place::InSet => {
                self.require_last_config(at)?;
                Place::AfterData
            }
            Place::InEnd => Place::Closed,
            other => other,
        };
        Ok(())
    }

    pub(super) fn on_stream(&mut self, stream: StreamHeader) {
        let Some(set) = self.sets.last_mut() else {
            return;
        };
        let bytes = match stream.tag {
            block::DATA => &mut set.data_bytes,
            block::LOG => &mut set.log_bytes,
            _ => return,
        };
        // Two bytes precede the pages.
        *bytes = bytes.saturating_add(stream.length.saturating_sub(2));
        set.stream_checksums |= stream.media_attributes & STREAM_CHECKSUM != 0;
    }

    pub(super) fn on_stream_bytes(
        &mut self,
        block: Tag,
        bytes: &[u8],
        at: u64,
    ) -> Result<(), MtfError> {
        self.keep(bytes);
        match block {
            TAPE => self.family = Some(Family::decode(bytes, at)?),
            CONFIG_FIRST => self.on_first_config(ConfigRecord::decode(bytes, at)?, at)?,
            CONFIG_LAST => {
                let record = ConfigRecord::decode(bytes, at)?;
                let set = self.open_set(at)?;
                set.last = Some(record);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_first_config(&mut self, first: ConfigRecord, at: u64) -> Result<(), MtfError> {
        let (offset, start) = self.start.take().ok_or(MtfError::Field {
            offset: at,
            field: "the first configuration record",
            found: "the second one of its backup set".to_owned(),
        })?;
        self.sets.push(SetFacts {
            offset,
            start,
            first,
            last: None,
            stream_checksums: false,
            data_bytes: 0,
            log_bytes: 0,
        });
        Ok(())
    }

    /// The set whose first record was read.
    fn open_set(&mut self, at: u64) -> Result<&mut SetFacts, MtfError> {
        let missing = MtfError::Missing {
            offset: at,
            what: "the first configuration record of the backup set",
        };
        if self.start.is_some() {
            return Err(missing);
        }
        self.sets.last_mut().ok_or(missing)
    }

    fn require_last_config(&mut self, at: u64) -> Result<(), MtfError> {
        match self.open_set(at)?.last {
            Some(_) => Ok(()),
            None => Err(MtfError::Missing {
                offset: at,
                what: "the last configuration record of the backup set",
            }),
        }
    }

    fn require_family(&self, at: u64) -> Result<Family, MtfError> {
        self.family.ok_or(MtfError::Missing {
            offset: at,
            what: "the media set's record (stream `RAID`)",
        })
    }

    fn keep(&mut self, bytes: &[u8]) {
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.kept = self.kept.saturating_add(bytes);
    }

    /// How many bytes of records may still be kept.
    pub(super) fn room(&self) -> u64 {
        MAX_KEPT.saturating_sub(self.kept)
    }

    pub(super) fn block_size(&self) -> u32 {
        self.block_size
    }

    pub(super) fn is_closed(&self) -> bool {
        self.place == Place::Closed
    }

    pub(super) fn sets(&self) -> &[SetFacts] {
        &self.sets
    }

    pub(super) fn finish(self, length: u64, trailing: u64) -> Result<NativeMedium, MtfError> {
        let family = self.require_family(length)?;
        let tape = self.tape.ok_or(MtfError::Missing {
            offset: length,
            what: "the block `TAPE`",
        })?;
        Ok(NativeMedium {
            tape,
            family,
            block_size: self.block_size,
            sets: self.sets,
            length,
            trailing,
        })
    }
}

/// The length of a filemark, which is the physical block size.
///
/// Its streams' offset says it in 16 bits, its number of entries says it as well; 64 KiB fits
/// only the latter.
fn file_mark_length(first_stream: u16, bytes: &[u8], at: u64) -> Result<u32, MtfError> {
    let fields = Fields::new(bytes, at);
    let entries = fields.u32("the number of filemark entries", 52)?;
    let length = entries
        .checked_mul(FILE_MARK_ENTRY)
        .and_then(|entries| entries.checked_add(FILE_MARK_HEAD))
        .filter(|length| length.is_power_of_two() && (512..=MAX_BLOCK).contains(length));
    match length {
        Some(length) if length & 0xffff == u32::from(first_stream) => Ok(length),
        _ => Err(fields.wrong(
            "the length of a filemark",
            format!("{first_stream} bytes with room for {entries} entries"),
        )),
    }
}
