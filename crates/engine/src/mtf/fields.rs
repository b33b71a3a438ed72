//! Fields of a record, at offsets, each within its bounds.

use uuid::Uuid;
use vab_chain::{Lsn, ServerTime};

use super::MtfError;
use super::date;

/// The bytes of one record, and where it is on the medium.
#[derive(Clone, Copy)]
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    at: u64,
}

impl<'b> Fields<'b> {
    pub(super) fn new(bytes: &'b [u8], at: u64) -> Self {
        Self { bytes, at }
    }

    pub(super) fn bytes(
        self,
        field: &'static str,
        at: usize,
        length: usize,
    ) -> Result<&'b [u8], MtfError> {
        at.checked_add(length)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| {
                self.wrong(
                    field,
                    format!("beyond the record's {} bytes", self.bytes.len()),
                )
            })
    }

    pub(super) fn array<const N: usize>(
        self,
        field: &'static str,
        at: usize,
    ) -> Result<[u8; N], MtfError> {
        let bytes = self.bytes(field, at, N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| self.wrong(field, "too short".to_owned()))
    }

    pub(super) fn u8(self, field: &'static str, at: usize) -> Result<u8, MtfError> {
        let [byte] = self.array(field, at)?;
        Ok(byte)
    }

    pub(super) fn u16(self, field: &'static str, at: usize) -> Result<u16, MtfError> {
        self.array(field, at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(self, field: &'static str, at: usize) -> Result<u32, MtfError> {
        self.array(field, at).map(u32::from_le_bytes)
    }

    pub(super) fn u64(self, field: &'static str, at: usize) -> Result<u64, MtfError> {
        self.array(field, at).map(u64::from_le_bytes)
    }

    /// A GUID; `None` where all its bytes are zero.
    pub(super) fn guid(self, field: &'static str, at: usize) -> Result<Option<Uuid>, MtfError> {
        let guid = Uuid::from_bytes_le(self.array(field, at)?);
        Ok((!guid.is_nil()).then_some(guid))
    }

    /// An LSN of ten bytes: u32, u32, u16.
    pub(super) fn lsn(self, field: &'static str, at: usize) -> Result<Lsn, MtfError> {
        Ok(Lsn::new(
            self.u32(field, at)?,
            self.u32(field, at + 4)?,
            self.u16(field, at + 8)?,
        ))
    }

    /// A time of five bytes; `None` where all its bytes are zero.
    pub(super) fn time(
        self,
        field: &'static str,
        at: usize,
    ) -> Result<Option<ServerTime>, MtfError> {
        let packed = self.array(field, at)?;
        if packed == [0; 5] {
            return Ok(None);
        }
        date::unpack(packed)
            .map(Some)
            .ok_or_else(|| self.wrong(field, format!("no date: {packed:02x?}")))
    }

    /// A UTF-16 text whose length and offset in the record are at `at`.
    ///
    /// What is not valid UTF-16 becomes U+FFFD.
    pub(super) fn text(self, field: &'static str, at: usize) -> Result<String, MtfError> {
        let length = usize::from(self.u16(field, at)?);
        let offset = usize::from(self.u16(field, at + 2)?);
        if length == 0 {
            return Ok(String::new());
        }
        if length % 2 != 0 {
            return Err(self.wrong(
                field,
                format!("a text of {length} bytes, not a whole number of UTF-16 units"),
            ));
        }
        let units: Vec<u16> = self
            .bytes(field, offset, length)?
            .chunks_exact(2)
            .filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes))
            .collect();
        let text = String::from_utf16_lossy(&units);
        Ok(text.trim_end_matches('\0').to_owned())
    }

    pub(super) fn wrong(self, field: &'static str, found: String) -> MtfError {
        MtfError::Field {
            offset: self.at,
            field,
            found,
        }
    }
}
