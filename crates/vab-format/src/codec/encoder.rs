//! From raw bytes to payloads.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use super::probe::is_worth_it;
use super::{Bottleneck, Compression, ContentError, Decompressor};
use crate::block::{BlockHeader, Codec};
use crate::checksum;

/// Why a block could not be compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// This program was built without this compression.
    #[error("this program was built without {compression}")]
    NotSupported {
        /// What was asked for.
        compression: Compression,
    },
    /// There is no such level.
    #[error("there is no level {level} of zstd; levels are 1 to 19")]
    Level {
        /// What was asked for.
        level: i32,
    },
    /// The compressor failed.
    #[error("{codec} failed: {reason}")]
    Failed {
        /// The compressor.
        codec: Codec,
        /// What it says.
        reason: String,
    },
    /// What came out of the compressor did not give the same bytes when it was decompressed. The
    /// compressor has a fault, or the machine.
    #[error(
        "block {sequence} of stream {stream} did not survive {codec}: the memory or the \
         processor of this machine may be faulty"
    )]
    Mismatch {
        /// The stream.
        stream: u16,
        /// The block.
        sequence: u64,
        /// The compressor.
        codec: Codec,
        /// What the decompressor said, if it said something.
        source: Option<ContentError>,
    },
}

/// Makes blocks of raw bytes. One for each stream: it keeps what compression needs from one block
/// to the next.
pub struct Encoder {
    compression: Compression,
    bottleneck: Bottleneck,
    verify: bool,
    decompressor: Decompressor,
    /// Where compressors put what they make: for the worst case, and used again for each block.
    scratch: Vec<u8>,
    /// Where the decompressor puts what it makes of that again.
    again: Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: Option<(i32, zstd::bulk::Compressor<'static>)>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("compression", &self.compression)
            .field("bottleneck", &self.bottleneck)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// One that compresses like this, and verifies what it has compressed.
    ///
    /// # Errors
    /// When this program was built without it, or there is no such level.
    pub fn new(compression: Compression) -> Result<Self, CompressError> {
        if !compression.is_supported() {
            return Err(CompressError::NotSupported { compression });
        }
        if let Compression::Zstd { level } = compression
            && !Compression::LEVELS.contains(&level)
        {
            return Err(CompressError::Level { level });
        }
        Ok(Self {
            compression,
            bottleneck: Bottleneck::Unknown,
            verify: true,
            decompressor: Decompressor::default(),
            scratch: Vec::new(),
            again: Vec::new(),
            #[cfg(feature = "zstd")]
            zstd: None,
        })
    }

    /// Whether every compressed block is decompressed and compared. On, unless turned off: it is
    /// what keeps a silent fault from being found at the restore.
    #[must_use]
    pub const fn verifying(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Says what the backup is waiting for.
    pub const fn set_bottleneck(&mut self, bottleneck: Bottleneck) {
        self.bottleneck = bottleneck;
    }

    /// Makes a block of 1 byte to 4 MiB of raw bytes. A block that is not worth compressing stays
    /// raw, without a copy.
    ///
    /// # Errors
    /// When compression fails, or did not survive the verification.
    pub fn block(
        &mut self,
        session: Uuid,
        stream: u16,
        sequence: u64,
        offset: u64,
        raw: Bytes,
    ) -> Result<(BlockHeader, Bytes), CompressError> {
        let (header, compressed) = self.encode(session, stream, sequence, offset, &raw)?;
        // In memory of its own size, so that who keeps it pays for no more.
        let compressed = compressed.map(Bytes::copy_from_slice);
        Ok((header, compressed.unwrap_or(raw)))
    }

    /// The same without memory for the payload: it lies in the encoder until the next block is
    /// made. `None` when the raw bytes are the payload.
    ///
    /// # Errors
    /// As [`Encoder::block`].
    pub fn encode(
        &mut self,
        session: Uuid,
        stream: u16,
        sequence: u64,
        offset: u64,
        raw: &[u8],
    ) -> Result<(BlockHeader, Option<&[u8]>), CompressError> {
        let header = BlockHeader::for_raw(session, stream, sequence, offset, raw);
        let Some((codec, length)) = self.compress(raw)? else {
            return Ok((header, None));
        };
        if self.verify {
            self.check(&header, codec, raw, length)?;
        }
        let payload = self.scratch.get(..length).unwrap_or_default();
        let header = BlockHeader {
            codec,
            // Shorter than the raw bytes, whose length fits.
            stored_length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            stored_crc: checksum::crc32c(payload),
            ..header
        };
        Ok((header, Some(payload)))
    }

    fn check(
        &mut self,
        header: &BlockHeader,
        codec: Codec,
        raw: &[u8],
        length: usize,
    ) -> Result<(), CompressError> {
        grow(&mut self.again, raw.len());
        let payload = self.scratch.get(..length).unwrap_or_default();
        let again = self.again.get_mut(..raw.len()).unwrap_or_default();
        let source = match self.decompressor.decompress_into(codec, payload, again) {
            Ok(()) if again == raw => return Ok(()),
            Ok(()) => None,
            Err(error) => Some(error),
        };
        Err(CompressError::Mismatch {
            stream: header.stream,
            sequence: header.sequence,
            codec,
            source,
        })
    }

    /// How many compressed bytes are in the scratch buffer now, if they are worth it.
    fn compress(&mut self, raw: &[u8]) -> Result<Option<(Codec, usize)>, CompressError> {
        let (codec, level) = self.compression.choice(self.bottleneck);
        if self.compression == Compression::Auto && !self.looks_worth_it(raw)? {
            return Ok(None);
        }
        let length = self.compress_with(codec, level, raw)?;
        Ok(length
            .filter(|length| is_worth_it(raw.len(), *length))
            .map(|length| (codec, length)))
    }

    #[cfg(any(feature = "lz4", feature = "zstd"))]
    fn looks_worth_it(&mut self, raw: &[u8]) -> Result<bool, CompressError> {
        let sample = super::probe::sample(raw);
        let codec = if cfg!(feature = "lz4") {
            Codec::Lz4
        } else {
            Codec::Zstd
        };
        let compressed = self.compress_with(codec, 1, &sample)?;
        Ok(compressed.is_some_and(|compressed| is_worth_it(sample.len(), compressed)))
    }

    #[cfg(not(any(feature = "lz4", feature = "zstd")))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "used where a feature is on"
    )]
    fn looks_worth_it(&mut self, _: &[u8]) -> Result<bool, CompressError> {
        Ok(false)
    }

    /// Compresses into the scratch buffer.
    fn compress_with(
        &mut self,
        codec: Codec,
        level: i32,
        raw: &[u8],
    ) -> Result<Option<usize>, CompressError> {
        match codec {
            Codec::Raw => Ok(None),
            #[cfg(feature = "lz4")]
            Codec::Lz4 => self.lz4(raw),
            #[cfg(not(feature = "lz4"))]
            Codec::Lz4 => Err(CompressError::NotSupported {
                compression: Compression::Lz4,
            }),
            Codec::Zstd => self.zstd(level, raw),
        }
    }

    #[cfg(feature = "lz4")]
    fn lz4(&mut self, raw: &[u8]) -> Result<Option<usize>, CompressError> {
        let most = lz4_flex::block::get_maximum_output_size(raw.len());
        grow(&mut self.scratch, most);
        let compressed = lz4_flex::block::compress_into(raw, &mut self.scratch);
        compressed.map(Some).map_err(|error| CompressError::Failed {
            codec: Codec::Lz4,
            reason: error.to_string(),
        })
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, level: i32, raw: &[u8]) -> Result<Option<usize>, CompressError> {
        let failed = |error: std::io::Error| CompressError::Failed {
            codec: Codec::Zstd,
            reason: error.to_string(),
        };
        grow(&mut self.scratch, zstd::compress_bound(raw.len()));
        if self.zstd.as_ref().is_none_or(|(has, _)| *has != level) {
            let compressor = zstd::bulk::Compressor::new(level).map_err(failed)?;
            self.zstd = Some((level, compressor));
        }
        match &mut self.zstd {
            Some((_, compressor)) => compressor
                .compress_to_buffer(raw, self.scratch.as_mut_slice())
                .map(Some)
                .map_err(failed),
            None => Ok(None),
        }
    }

    #[cfg(not(feature = "zstd"))]
    #[expect(clippy::unused_self, reason = "used where the feature is on")]
    fn zstd(&mut self, level: i32, _: &[u8]) -> Result<Option<usize>, CompressError> {
        Err(CompressError::NotSupported {
            compression: Compression::Zstd { level },
        })
    }
}

/// Memory that is used again, of at least so many bytes.
fn grow(memory: &mut Vec<u8>, bytes: usize) {
    if memory.len() < bytes {
        // Not `resize`: what lies there is of no use, and zeros from the system cost nothing.
        *memory = Vec::new();
        *memory = vec![0; bytes];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decoder;
    use crate::testing::noise;

    fn block(encoder: &mut Encoder, raw: &Bytes) -> (BlockHeader, Bytes) {
        let (header, payload) = encoder
            .block(Uuid::from_u128(1), 2, 3, 4_000_000, raw.clone())
            .unwrap();
        assert_eq!(BlockHeader::decode(&header.encode()), Ok(header));
        assert_eq!(header.verify(&payload), Ok(()));
        (header, payload)
    }

    fn all() -> Vec<Compression> {
        [
            Compression::None,
            Compression::Lz4,
            Compression::Zstd { level: 1 },
            Compression::Zstd { level: 19 },
            Compression::Auto,
        ]
        .into_iter()
        .filter(|compression| compression.is_supported())
        .collect()
    }

    #[test]
    fn every_compression_gives_the_bytes_back() {
        let pages: Bytes = (0..300_000_u32)
            .map(|at| (at % 251 * (at / 8192)).to_le_bytes()[0])
            .collect();
        for compression in all() {
            let mut encoder = Encoder::new(compression).unwrap();
            for raw in [pages.clone(), noise(100_000), pages.slice(..1)] {
                let (header, payload) = block(&mut encoder, &raw);
                assert_eq!(Decoder::new().decode(&header, payload), Ok(raw));
            }
        }
    }

    #[test]
    fn a_block_has_the_same_bytes_with_and_without_memory_of_its_own() {
        for compression in all() {
            let (mut one, mut two) = (
                Encoder::new(compression).unwrap(),
                Encoder::new(compression).unwrap(),
            );
            // Larger, smaller and again: what the block before left in the memory is not seen.
            for raw in [
                vec![7; 50_000],
                vec![1; 900],
                noise(9000).into(),
                vec![2; 70_000],
            ] {
                let (header, payload) = block(&mut one, &raw.clone().into());
                let (again, compressed) = two
                    .encode(Uuid::from_u128(1), 2, 3, 4_000_000, &raw)
                    .unwrap();
                assert_eq!(again, header);
                assert_eq!(compressed.unwrap_or(&raw), payload);
                assert_eq!(compressed.is_none(), header.codec == Codec::Raw);
            }
        }
    }

    #[test]
    fn noise_stays_raw() {
        for compression in all() {
            let mut encoder = Encoder::new(compression).unwrap();
            let (header, _) = block(&mut encoder, &noise(200_000));
            assert_eq!(header.codec, Codec::Raw, "{compression}");
        }
    }

    #[cfg(feature = "lz4")]
    #[test]
    fn lz4_makes_zeros_small() {
        let mut encoder = Encoder::new(Compression::Lz4).unwrap();
        let (header, _) = block(&mut encoder, &Bytes::from(vec![0; 1 << 20]));
        assert_eq!(header.codec, Codec::Lz4);
        assert!(header.stored_length < 10_000);
    }

    #[cfg(all(feature = "lz4", feature = "zstd"))]
    #[test]
    fn auto_tries_as_hard_as_there_is_time() {
        let mut encoder = Encoder::new(Compression::Auto).unwrap();
        let raw = Bytes::from(vec![7; 100_000]);
        for (bottleneck, codec) in [
            (Bottleneck::Unknown, Codec::Zstd),
            (Bottleneck::Compression, Codec::Lz4),
            (Bottleneck::Target, Codec::Zstd),
        ] {
            encoder.set_bottleneck(bottleneck);
            assert_eq!(block(&mut encoder, &raw).0.codec, codec);
        }
    }

    #[cfg(any(feature = "lz4", feature = "zstd"))]
    #[test]
    fn what_does_not_survive_is_refused() {
        let raw = [1; 10_000];
        for compression in all() {
            let mut encoder = Encoder::new(compression).unwrap();
            let Ok(Some((codec, length))) = encoder.compress(&raw) else {
                continue;
            };
            let header = BlockHeader::for_raw(Uuid::from_u128(1), 2, 3, 4_000_000, &raw);
            assert_eq!(encoder.check(&header, codec, &raw, length), Ok(()));
            let mut other = raw;
            other[9999] = 2;
            for (raw, length) in [
                (other.as_slice(), length),
                (&raw, length - 1),
                (&raw[1..], length),
            ] {
                let error = encoder.check(&header, codec, raw, length).unwrap_err();
                let found = matches!(
                    error,
                    CompressError::Mismatch {
                        stream: 2,
                        sequence: 3,
                        ..
                    }
                );
                assert!(found, "{compression}: {error}");
            }
        }
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn what_was_not_built_in_is_refused() {
        let compression = Compression::Zstd { level: 3 };
        assert_eq!(
            Encoder::new(compression).err(),
            Some(CompressError::NotSupported { compression })
        );
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_level_that_there_is_not_is_refused() {
        let compression = Compression::Zstd { level: 0 };
        assert_eq!(
            Encoder::new(compression).err(),
            Some(CompressError::Level { level: 0 })
        );
    }

    #[cfg(any(feature = "lz4", feature = "zstd"))]
    #[test]
    fn a_block_that_holds_more_or_less_than_its_header_says_is_damage() {
        for compression in all() {
            let mut encoder = Encoder::new(compression).unwrap();
            let (header, payload) = block(&mut encoder, &Bytes::from(vec![1; 10_000]));
            if header.codec == Codec::Raw {
                continue;
            }
            for raw_length in [9999, 10_001] {
                let header = BlockHeader {
                    raw_length,
                    ..header
                };
                let error = Decoder::new().decode(&header, payload.clone()).unwrap_err();
                assert!(error.is_damage(), "{compression}: {error}");
            }
        }
    }

    #[cfg(any(feature = "lz4", feature = "zstd"))]
    #[test]
    fn a_flipped_bit_in_a_payload_never_gives_other_bytes() {
        for compression in all() {
            let mut encoder = Encoder::new(compression).unwrap();
            let raw: Bytes = b"one page after the other ".repeat(40).into();
            let (header, payload) = block(&mut encoder, &raw);
            for bit in 0..payload.len() * 8 {
                let mut damaged = payload.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                if let Ok(found) = Decoder::new().decode(&header, damaged.into()) {
                    assert_eq!(found, raw);
                }
            }
        }
    }
}
