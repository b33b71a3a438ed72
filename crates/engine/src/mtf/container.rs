//! A medium made `WITH COMPRESSION`: the tape format inside a container.
//!
//! Nothing of this is written down anywhere; it is what one container of SQL Server 2014 or later
//! shows. A head of 480 bytes; then records, each of a header of 28 bytes (`0x21`, the unpacked
//! length in units of 512 bytes, the packed length in 16 bits, 20 bytes of no known meaning, a
//! checksum of no known kind) and a packed chunk; filemarks stand unpacked between them, at
//! multiples of 512, and what is between a record's end and such a multiple is padding.
//!
//! As soon as anything else is met, the reader gives up: the container is then kept as bytes
//! whose meaning is not known.

use super::block::FILE_MARK;
use super::facts::CompressedContainer;
use super::intake::Intake;
use super::walk::Walk;
use super::xpress;
use super::{Expected, MtfError, SetFacts};

const HEAD: usize = 480;
const RECORD_HEADER: usize = 28;
const RECORD_MARK: u8 = 0x21;
const UNIT: usize = 512;

/// The version of the containers that are known.
const VERSION: [u8; 4] = 2_u32.to_le_bytes();

#[derive(Debug)]
pub(super) struct Container {
    state: State,
    intake: Intake,
    inside: Walk,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for the head.
    Head,
    /// Waits for the header of a record, or whatever else is there.
    Header,
    /// Waits for a packed chunk of this unpacked length.
    Chunk(usize),
    /// Waits for an unpacked unit.
    Unit,
    /// Gave up.
    Unknown,
}

impl Container {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            intake: Intake::new(HEAD),
            inside: Walk::new(),
        }
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.intake.take(bytes);
            while self.intake.is_ready() {
                if self.step().is_none() {
                    self.want(State::Unknown, u64::MAX, usize::MAX);
                }
            }
        }
    }

    pub(super) fn skippable(&self) -> u64 {
        self.intake.skippable()
    }

    pub(super) fn skip(&mut self, bytes: u64) -> u64 {
        self.intake.pass(bytes)
    }

    pub(super) fn missing(&self) -> usize {
        self.intake.missing()
    }

    pub(super) fn position(&self) -> u64 {
        self.intake.position()
    }

    pub(super) fn sets(&self) -> &[SetFacts] {
        match self.state {
            State::Unknown => &[],
            _ => self.inside.sets(),
        }
    }

    pub(super) fn finish(self) -> Result<CompressedContainer, MtfError> {
        let length = self.intake.position();
        let at_end = match self.state {
            State::Unknown => {
                return Ok(CompressedContainer {
                    length,
                    inside: None,
                });
            }
            State::Header | State::Unit => self.is_padding(),
            State::Head | State::Chunk(_) => false,
        };
        if at_end && self.inside.is_whole() {
            return Ok(CompressedContainer {
                length,
                inside: Some(self.inside.finish()?),
            });
        }
        Err(MtfError::Truncated {
            offset: self.intake.collected_at(),
            expected: Expected::Record,
            needed: self.intake.wanted().saturating_add(self.intake.skippable()),
            found: self.intake.collected(),
        })
    }

    /// Whether what was collected of an unfinished part is nothing, or only padding.
    fn is_padding(&self) -> bool {
        let zero = self.intake.bytes().iter().all(|byte| *byte == 0);
        zero && self.intake.skippable() == 0
    }

    /// Acts on what was collected; `None` when it is not known what that is.
    fn step(&mut self) -> Option<()> {
        match self.state {
            State::Head => {
                (self.intake.bytes().get(8..12)? == VERSION).then_some(())?;
                self.want(State::Header, 0, RECORD_HEADER);
            }
            State::Header => self.on_header()?,
            State::Chunk(length) => {
                let unpacked = xpress::unpack(self.intake.bytes(), length)?;
                self.inside.push(&unpacked).ok()?;
                self.want(State::Header, 0, RECORD_HEADER);
            }
            State::Unit => {
                let unit = self.intake.bytes();
                if self.inside.intake().skippable() >= self.intake.collected() {
                    // The rest of a filemark in blocks of more than a unit.
                    self.inside.skip(self.intake.collected());
                } else if unit.starts_with(&FILE_MARK.0) {
                    self.inside.push(unit).ok()?;
                } else if unit.iter().any(|byte| *byte != 0) {
                    return None;
                }
                self.want(State::Header, 0, RECORD_HEADER);
            }
            State::Unknown => self.want(State::Unknown, u64::MAX, usize::MAX),
        }
        Some(())
    }

    fn on_header(&mut self) -> Option<()> {
        let [mark, units, low, high, ..] = self.intake.bytes() else {
            return None;
        };
        let (units, packed) = (usize::from(*units), u16::from_le_bytes([*low, *high]));
        if *mark == RECORD_MARK && units > 0 {
            let length = units.checked_mul(UNIT)?;
            let unpacked = u64::try_from(length).ok()?;
            if self.inside.intake().skippable() >= unpacked {
                self.inside.skip(unpacked);
                self.want(State::Header, packed.into(), RECORD_HEADER);
            } else {
                self.want(State::Chunk(length), 0, packed.into());
            }
            return Some(());
        }
        let unit = u64::try_from(UNIT).ok()?;
        let over = self.intake.collected_at() % unit;
        if over == 0 {
            self.state = State::Unit;
            self.intake.extend_to(UNIT);
            return Some(());
        }
        self.back_to_unit(unit - over)
    }

    /// Passes over padding of `length` bytes, some of which were collected already.
    fn back_to_unit(&mut self, length: u64) -> Option<()> {
        let collected = self.intake.collected();
        if length >= collected {
            self.want(State::Header, length - collected, RECORD_HEADER);
            return Some(());
        }
        let kept = self.intake.bytes().get(usize::try_from(length).ok()?..)?;
        let kept = kept.to_vec();
        self.intake.restart_with(&kept, RECORD_HEADER);
        self.state = State::Header;
        Some(())
    }

    fn want(&mut self, state: State, skip: u64, wanted: usize) {
        self.state = state;
        self.intake.begin(skip, wanted);
    }
}
