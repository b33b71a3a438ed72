//! Decompression with an exact limit.

use std::fmt;

use bytes::Bytes;

use super::ContentError;
use crate::block::Codec;
use crate::wire;

/// Undoes compression.
#[derive(Default)]
pub(crate) struct Decompressor {
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

impl Decompressor {
    /// The `raw_length` bytes that `payload` holds; more or fewer are an error.
    pub(crate) fn decompress(
        &mut self,
        codec: Codec,
        raw_length: u32,
        payload: Bytes,
    ) -> Result<Bytes, ContentError> {
        let raw = match codec {
            Codec::Raw => payload,
            Codec::Lz4 => lz4(raw_length, &payload)?,
            Codec::Zstd => self.zstd(raw_length, &payload)?,
        };
        if wire::size(raw.len()) == u64::from(raw_length) {
            return Ok(raw);
        }
        Err(ContentError::Length {
            expected: raw_length.into(),
            found: wire::size(raw.len()),
        })
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, raw_length: u32, payload: &[u8]) -> Result<Bytes, ContentError> {
        let corrupt = |error: std::io::Error| ContentError::Corrupt {
            codec: Codec::Zstd,
            reason: error.to_string(),
        };
        let decompressor = match &mut self.zstd {
            Some(decompressor) => decompressor,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(corrupt)?),
        };
        let mut raw = buffer(raw_length);
        let length = decompressor
            .decompress_to_buffer(payload, raw.as_mut_slice())
            .map_err(corrupt)?;
        raw.truncate(length);
        Ok(raw.into())
    }

    #[cfg(not(feature = "zstd"))]
    #[expect(clippy::unused_self, reason = "used where the feature is on")]
    fn zstd(&mut self, _: u32, _: &[u8]) -> Result<Bytes, ContentError> {
        Err(ContentError::NotSupported { codec: Codec::Zstd })
    }
}

#[cfg(feature = "lz4")]
fn lz4(raw_length: u32, payload: &[u8]) -> Result<Bytes, ContentError> {
    let mut raw = buffer(raw_length);
    let length = lz4_flex::block::decompress_into(payload, &mut raw).map_err(|error| {
        ContentError::Corrupt {
            codec: Codec::Lz4,
            reason: error.to_string(),
        }
    })?;
    raw.truncate(length);
    Ok(raw.into())
}

#[cfg(not(feature = "lz4"))]
fn lz4(_: u32, _: &[u8]) -> Result<Bytes, ContentError> {
    Err(ContentError::NotSupported { codec: Codec::Lz4 })
}

/// A header allows at most 4 MiB.
#[cfg(any(feature = "lz4", feature = "zstd"))]
fn buffer(raw_length: u32) -> Vec<u8> {
    let limit = raw_length.min(crate::limits::MAX_BLOCK_LENGTH);
    vec![0; usize::try_from(limit).unwrap_or_default()]
}
