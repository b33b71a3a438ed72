//! Reading and writing of fields in slices, with every length checked.

use std::io::Cursor;

use binrw::meta::{ReadEndian, WriteEndian};
use binrw::{BinRead, BinWrite};
use uuid::Uuid;

use crate::error::{DecodeError, EncodeError, Part};

/// Writes a structure whose encoded length is exactly `N`.
pub(crate) fn fixed<const N: usize, T>(value: &T) -> [u8; N]
where
    T: WriteEndian + for<'a> BinWrite<Args<'a> = ()>,
{
    let mut bytes = [0; N];
    let written = value.write(&mut Cursor::new(bytes.as_mut_slice()));
    debug_assert!(written.is_ok(), "a fixed structure fits its length");
    bytes
}

/// Reads a structure of fixed length from `bytes`.
pub(crate) fn parse<T>(part: Part, bytes: &[u8]) -> Result<T, DecodeError>
where
    T: ReadEndian + for<'a> BinRead<Args<'a> = ()>,
{
    T::read(&mut Cursor::new(bytes)).map_err(|_| DecodeError::Truncated {
        part,
        needed: size(bytes.len()) + 1,
        found: size(bytes.len()),
    })
}

/// A length as the formats have it.
pub(crate) fn size(length: usize) -> u64 {
    length as u64
}

/// `length` rounded up to a multiple of the alignment.
pub(crate) const fn align(length: u64) -> u64 {
    length.next_multiple_of(crate::limits::ALIGNMENT)
}

/// The first eight bytes, for an error about a bad magic.
pub(crate) fn opening(bytes: &[u8], magic_length: usize) -> [u8; 8] {
    let mut found = [0; 8];
    for (to, from) in found.iter_mut().zip(bytes.iter().take(magic_length)) {
        *to = *from;
    }
    found
}

/// Checks that all of `bytes` are zero; `start` is the place of the first in its part.
pub(crate) fn zero(part: Part, start: u64, bytes: &[u8]) -> Result<(), DecodeError> {
    const ZEROS: [u8; 4096] = [0; 4096];
    // Whole pages are compared at once; the place of a byte is looked for only when there is one.
    let all_zero = |page: &[u8]| ZEROS.get(..page.len()) == Some(page);
    if bytes.chunks(ZEROS.len()).all(all_zero) {
        return Ok(());
    }
    match bytes.iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(at) => Err(DecodeError::NotZero {
            part,
            at: start + size(at),
            found: bytes.get(at).copied().unwrap_or_default(),
        }),
    }
}

/// Fields of variable length, one after the other.
pub(crate) struct Fields<'a> {
    part: Part,
    length: usize,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(part: Part, bytes: &'a [u8]) -> Self {
        Self {
            part,
            length: bytes.len(),
            rest: bytes,
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(DecodeError::Truncated {
                part: self.part,
                needed: size(self.length - self.rest.len()).saturating_add(size(length)),
                found: size(self.length),
            });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    /// A structure of fixed length.
    pub(crate) fn record<T>(&mut self, length: usize) -> Result<T, DecodeError>
    where
        T: ReadEndian + for<'b> BinRead<Args<'b> = ()>,
    {
        parse(self.part, self.take(length)?)
    }

    /// A count of at most `limit`, 32 bits.
    pub(crate) fn count(&mut self, field: &'static str, limit: u64) -> Result<usize, DecodeError> {
        let count = self.u32()?;
        if u64::from(count) > limit {
            return Err(DecodeError::OverLimit {
                part: self.part,
                field,
                length: count.into(),
                limit,
            });
        }
        usize::try_from(count).map_err(|_| self.invalid(field, count.into()))
    }

    /// A name: its length in 16 bits, then UTF-8.
    pub(crate) fn name(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let length = self.u16()?.into();
        if length > crate::limits::MAX_NAME_LENGTH {
            return Err(DecodeError::OverLimit {
                part: self.part,
                field,
                length: size(length),
                limit: size(crate::limits::MAX_NAME_LENGTH),
            });
        }
        match std::str::from_utf8(self.take(length)?) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(DecodeError::NotUtf8 {
                part: self.part,
                field,
            }),
        }
    }

    /// What is left, without taking it.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn invalid(&self, field: &'static str, found: u64) -> DecodeError {
        DecodeError::InvalidValue {
            part: self.part,
            field,
            found,
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(DecodeError::TrailingBytes {
            part: self.part,
            extra: size(self.rest.len()),
        })
    }
}

/// The writing side of [`Fields::name`].
pub(crate) fn put_name(
    out: &mut Vec<u8>,
    part: Part,
    field: &'static str,
    name: &str,
) -> Result<(), EncodeError> {
    let limit = crate::limits::MAX_NAME_LENGTH;
    match u16::try_from(name.len()) {
        Ok(length) if name.len() <= limit => {
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(name.as_bytes());
            Ok(())
        }
        _ => Err(EncodeError::OverLimit {
            part,
            field,
            length: size(name.len()),
            limit: size(limit),
        }),
    }
}

/// The writing side of [`Fields::count`].
pub(crate) fn put_count(
    out: &mut Vec<u8>,
    part: Part,
    field: &'static str,
    count: usize,
    limit: u64,
) -> Result<(), EncodeError> {
    match u32::try_from(count) {
        Ok(short) if u64::from(short) <= limit => {
            out.extend_from_slice(&short.to_le_bytes());
            Ok(())
        }
        _ => Err(EncodeError::OverLimit {
            part,
            field,
            length: size(count),
            limit,
        }),
    }
}
