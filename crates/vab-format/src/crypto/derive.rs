//! Keys from keys.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key::DataKey;

/// Bytes of the salt of a session.
pub(super) const SALT: usize = 16;

/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF with SHA-256.
pub(super) fn hkdf<const N: usize>(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    let filled = key
        .expand(info, Length(N))
        .and_then(|material| material.fill(out.as_mut_slice()));
    debug_assert!(filled.is_ok(), "far below the longest output of HKDF");
    out
}

/// An AES-256-GCM key.
pub(super) fn cipher(bytes: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes)
        .ok()
        .map(LessSafeKey::new)
}

/// The key of a session's blocks.
pub(super) fn session_cipher(
    data_key: &DataKey,
    session: Uuid,
    salt: &[u8; SALT],
) -> Option<LessSafeKey> {
    let info: [&[u8]; 2] = [b"vab 1 session", session.as_bytes()];
    cipher(&hkdf(salt, data_key.bytes(), &info))
}

/// What the checksum of a stream's raw bytes is masked with.
pub(super) fn stream_mask(
    data_key: &DataKey,
    session: Uuid,
    salt: &[u8; SALT],
    stream: u16,
) -> u32 {
    let stream = stream.to_le_bytes();
    let info: [&[u8]; 3] = [b"vab 1 stream", session.as_bytes(), &stream];
    u32::from_le_bytes(*hkdf(salt, data_key.bytes(), &info))
}

/// The nonce of a block: unique within its session.
pub(super) fn nonce(stream: u16, sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (start, number) = nonce.split_at_mut(4);
    if let Some(first) = start.first_chunk_mut() {
        *first = stream.to_le_bytes();
    }
    number.copy_from_slice(&sequence.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_test_case_of_the_rfc() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let out = hkdf::<42>(&salt, &[0x0b; 22], &[&info]);
        let due = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
            0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
            0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65,
        ];
        assert_eq!(*out, due);
    }

    #[test]
    fn a_nonce_holds_stream_and_sequence() {
        assert_eq!(
            nonce(0x0102, 0x0304_0506_0708_090a),
            [2, 1, 0, 0, 10, 9, 8, 7, 6, 5, 4, 3]
        );
    }
}
