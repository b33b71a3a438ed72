//! Decompression with an exact limit.

use std::fmt;

use bytes::Bytes;

use super::ContentError;
use crate::block::Codec;
use crate::limits::MAX_BLOCK_LENGTH;
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
    /// The `raw_length` bytes that `payload` holds; more or fewer are an error. A header allows at
    /// most 4 MiB.
    pub(crate) fn decompress(
        &mut self,
        codec: Codec,
        raw_length: u32,
        payload: Bytes,
    ) -> Result<Bytes, ContentError> {
        if codec == Codec::Raw {
            check_length(raw_length, payload.len())?;
            return Ok(payload);
        }
        let room = raw_length.min(MAX_BLOCK_LENGTH);
        let mut raw = vec![0; usize::try_from(room).unwrap_or_default()];
        self.decompress_into(codec, &payload, &mut raw)?;
        check_length(raw_length, raw.len())?;
        Ok(raw.into())
    }

    /// The same, into memory of the caller's: exactly as many bytes as there is room for.
    pub(crate) fn decompress_into(
        &mut self,
        codec: Codec,
        payload: &[u8],
        raw: &mut [u8],
    ) -> Result<(), ContentError> {
        let expected = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        let length = match codec {
            Codec::Raw => {
                raw.iter_mut()
                    .zip(payload)
                    .for_each(|(to, from)| *to = *from);
                payload.len()
            }
            Codec::Lz4 => lz4(payload, raw)?,
            Codec::Zstd => self.zstd(payload, raw)?,
        };
        check_length(expected, length)
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, payload: &[u8], raw: &mut [u8]) -> Result<usize, ContentError> {
        let corrupt = |error: std::io::Error| ContentError::Corrupt {
            codec: Codec::Zstd,
            reason: error.to_string(),
        };
        let decompressor = match &mut self.zstd {
            Some(decompressor) => decompressor,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(corrupt)?),
        };
        decompressor
            .decompress_to_buffer(payload, raw)
            .map_err(corrupt)
    }

    #[cfg(not(feature = "zstd"))]
    #[expect(clippy::unused_self, reason = "used where the feature is on")]
    fn zstd(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize, ContentError> {
        Err(ContentError::NotSupported { codec: Codec::Zstd })
    }
}

#[cfg(feature = "lz4")]
fn lz4(payload: &[u8], raw: &mut [u8]) -> Result<usize, ContentError> {
    lz4_flex::block::decompress_into(payload, raw).map_err(|error| ContentError::Corrupt {
        codec: Codec::Lz4,
        reason: error.to_string(),
    })
}

#[cfg(not(feature = "lz4"))]
fn lz4(_: &[u8], _: &mut [u8]) -> Result<usize, ContentError> {
    Err(ContentError::NotSupported { codec: Codec::Lz4 })
}

fn check_length(expected: u32, found: usize) -> Result<(), ContentError> {
    let (expected, found) = (u64::from(expected), wire::size(found));
    if expected == found {
        return Ok(());
    }
    Err(ContentError::Length { expected, found })
}
