//! What `.VASM` and `.VACM` have in common: they are replaced as a whole, and one checksum at the
//! end covers everything before it.

use binrw::binrw;

use crate::error::{DecodeError, Part};
use crate::features::{Features, StoredFeatures};
use crate::{FORMAT_VERSION, checksum, wire};

/// The first 48 bytes of the file.
#[binrw]
#[brw(little)]
struct Opening {
    magic: [u8; 8],
    version: u16,
    #[brw(pad_before = 6)]
    length: u64,
    features: StoredFeatures,
}

const OPENING: usize = 48;
const CHECKSUM: usize = 4;

/// Begins a file.
pub(crate) fn begin(magic: [u8; 8], features: Features) -> Vec<u8> {
    let opening: [u8; OPENING] = wire::fixed(&Opening {
        magic,
        version: FORMAT_VERSION,
        length: 0,
        features: features.into(),
    });
    opening.to_vec()
}

/// Ends a file that was begun with [`begin`]: fills in its length and its checksum.
pub(crate) fn seal(mut file: Vec<u8>) -> Vec<u8> {
    let length = wire::size(file.len() + CHECKSUM);
    if let Some(field) = file.get_mut(16..24) {
        field.copy_from_slice(&length.to_le_bytes());
    }
    let crc = checksum::crc32c(&file);
    file.extend_from_slice(&crc.to_le_bytes());
    file
}

/// Checks a file and gives what is between its opening and its checksum.
pub(crate) fn open(
    part: Part,
    magic: [u8; 8],
    file: &[u8],
) -> Result<(Features, &[u8]), DecodeError> {
    if !file.starts_with(&magic) {
        return Err(DecodeError::BadMagic {
            part,
            found: wire::opening(file, magic.len()),
        });
    }
    let truncated = |needed| DecodeError::Truncated {
        part,
        needed,
        found: wire::size(file.len()),
    };
    if file.len() < OPENING + CHECKSUM {
        return Err(truncated(wire::size(OPENING + CHECKSUM)));
    }
    let opening: Opening = wire::parse(part, file)?;
    // Before the checksum: a file cut short should be called that.
    if opening.length > wire::size(file.len()) {
        return Err(truncated(opening.length));
    }
    let Some((covered, crc)) = file.split_last_chunk() else {
        return Err(truncated(wire::size(OPENING + CHECKSUM)));
    };
    let expected = u32::from_le_bytes(*crc);
    let found = checksum::crc32c(covered);
    if expected != found {
        return Err(DecodeError::Checksum {
            part,
            expected,
            found,
        });
    }
    if opening.version == 0 || opening.version > FORMAT_VERSION {
        return Err(DecodeError::UnsupportedVersion {
            part,
            found: opening.version,
            supported: FORMAT_VERSION,
        });
    }
    let features = Features::from(opening.features);
    features.check_readable(part)?;
    if opening.length != wire::size(file.len()) {
        return Err(DecodeError::TrailingBytes {
            part,
            extra: wire::size(file.len()) - opening.length,
        });
    }
    Ok((features, covered.get(OPENING..).unwrap_or_default()))
}
