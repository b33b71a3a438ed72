//! The first block of a medium: which media set it is of, and which stripe of it.

use uuid::Uuid;
use vab_chain::ServerTime;

use super::MtfError;
use super::fields::Fields;

/// What the first block (`TAPE`) says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapeHeader {
    /// `MediaName`; empty where none was given.
    pub name: String,
    /// `MediaDescription`; empty where none was given.
    pub description: String,
    /// The program that wrote the medium, as it named itself.
    pub software: String,
    /// Whether a media password was set. The bytes are readable all the same; SQL Server asks
    /// for the password.
    pub password_protected: bool,
    /// When the medium was written, on the server's clock.
    pub written: Option<ServerTime>,
}

impl TapeHeader {
    pub(super) fn decode(block: &[u8], at: u64) -> Result<Self, MtfError> {
        let fields = Fields::new(block, at);
        Ok(Self {
            name: fields.text("the media name", 68)?,
            description: fields.text("the media description", 72)?,
            password_protected: fields.u16("the length of the media password", 76)? != 0,
            software: fields.text("the software name", 80)?,
            written: fields.time("the time of writing", 88)?,
        })
    }
}

/// Which part of a media set a medium is: the stream `RAID` of the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Family {
    /// The identity of the media set, the same in all its stripes.
    pub media_set: Uuid,
    /// How many stripes the media set has, 1 to 64.
    pub count: u16,
    /// Which of them this is, from 1.
    pub number: u16,
}

/// The most devices that one backup is written to.
pub const MAX_STRIPES: u16 = 64;

impl Family {
    pub(super) fn decode(stream: &[u8], at: u64) -> Result<Self, MtfError> {
        let fields = Fields::new(stream, at);
        let media_set = fields
            .guid("the media set's identity", 0)?
            .ok_or_else(|| fields.wrong("the media set's identity", "zero".to_owned()))?;
        let count = fields.u16("the number of stripes", 20)?;
        let number = fields.u16("the stripe's number", 24)?;
        if !(1..=MAX_STRIPES).contains(&count) {
            return Err(fields.wrong("the number of stripes", count.to_string()));
        }
        if !(1..=count).contains(&number) {
            return Err(fields.wrong("the stripe's number", format!("{number} of {count}")));
        }
        Ok(Self {
            media_set,
            count,
            number,
        })
    }
}
