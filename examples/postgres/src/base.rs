//! What a base backup says about itself, read while it passes.

use std::io::{self, Read};

use crate::error::PostgresError;
use crate::wal::Position;

/// The member of the archive that says what is in it.
const MANIFEST: &str = "backup_manifest";

/// Bytes of the end of the manifest that are kept: the WAL ranges stand there.
const TAIL: usize = 4096;

const BLOCK: usize = 512;

/// The log that a base backup needs, and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalRange {
    pub(crate) timeline: u32,
    /// Where redo begins.
    pub(crate) start: Position,
    /// Where the backup is consistent.
    pub(crate) end: Position,
}

impl WalRange {
    /// From the end of a manifest.
    pub(crate) fn of_manifest(tail: &[u8]) -> Result<Self, PostgresError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Range {
            timeline: u32,
            #[serde(rename = "Start-LSN")]
            start: String,
            #[serde(rename = "End-LSN")]
            end: String,
        }
        let refuse = |reason: String| PostgresError::Manifest { reason };
        let text = String::from_utf8_lossy(tail);
        let ranges = text
            .rsplit_once("\"WAL-Ranges\":")
            .and_then(|(_, rest)| Some(rest.split_once(']')?.0))
            .ok_or_else(|| refuse("it does not end with its WAL ranges".to_owned()))?;
        let ranges: Vec<Range> = serde_json::from_str(&format!("{ranges}]"))
            .map_err(|error| refuse(error.to_string()))?;
        let [range] = &ranges[..] else {
            let count = ranges.len();
            return Err(refuse(format!("it has {count} WAL ranges, not one")));
        };
        let position = |text: &str| {
            let position = text.parse::<Position>();
            position.map_err(|error| refuse(error.to_string()))
        };
        Ok(Self {
            timeline: range.timeline,
            start: position(&range.start)?,
            end: position(&range.end)?,
        })
    }
}

/// A reader of a tar archive that remembers the end of its manifest.
#[derive(Debug)]
pub(crate) struct Watched<R> {
    inner: R,
    header: Vec<u8>,
    /// Bytes of the current member, with its padding, that are still to come.
    left: u64,
    /// Of these, the bytes of the manifest.
    manifest_left: u64,
    tail: Vec<u8>,
}

impl<R: Read> Watched<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            header: Vec::with_capacity(BLOCK),
            left: 0,
            manifest_left: 0,
            tail: Vec::new(),
        }
    }

    /// The end of the manifest, after the end of the archive.
    pub(crate) fn manifest_tail(&self) -> &[u8] {
        &self.tail
    }

    fn watch(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = |left: u64, bytes: &[u8]| {
                usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
            };
            if self.left == 0 {
                let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK - self.header.len()));
                self.header.extend_from_slice(taken);
                bytes = rest;
                if self.header.len() == BLOCK {
                    self.begin_member();
                }
                continue;
            }
            let (taken, rest) = bytes.split_at(within(self.left, bytes));
            let (manifest, _) = taken.split_at(within(self.manifest_left, taken));
            self.tail.extend_from_slice(manifest);
            let surplus = self.tail.len().saturating_sub(TAIL);
            self.tail.drain(..surplus);
            self.manifest_left -= manifest.len() as u64;
            self.left -= taken.len() as u64;
            bytes = rest;
        }
    }

    fn begin_member(&mut self) {
        let name = self.header.split(|byte| *byte == 0).next();
        let is_manifest = name == Some(MANIFEST.as_bytes());
        // An archive with a size that is none has no manifest for us, and is refused for that.
        let size = self.header.get(124..136).and_then(number).unwrap_or(0);
        let padded = size.checked_next_multiple_of(BLOCK as u64);
        self.left = padded.unwrap_or(0);
        self.manifest_left = if is_manifest { size } else { 0 };
        self.header.clear();
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.watch(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// A number of a tar header: octal, or binary with the highest bit set.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        return Some(u64::from_be_bytes(*field.last_chunk()?));
    }
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDING: &str = r#"
"WAL-Ranges": [
{ "Timeline": 2, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }
],
"Manifest-Checksum": "5e4d"}
"#;

    fn member(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn tail_of(archive: &[u8], piece: usize) -> Vec<u8> {
        let mut watched = Watched::new(archive);
        let mut into = vec![0; piece];
        while watched.read(&mut into).unwrap() > 0 {}
        watched.manifest_tail().to_vec()
    }

    #[test]
    fn the_manifest_is_found_whatever_the_sizes_of_the_reads() {
        let manifest = format!("{{ \"Files\": [{}],{ENDING}", "x".repeat(9000));
        let archive = [
            member("base/1", &[7; 1000]),
            member("base/2", b""),
            member("backup_manifest", manifest.as_bytes()),
            vec![0; 1024],
        ]
        .concat();
        for piece in [1, 7, 511, 512, 513, 4096, 1 << 20] {
            let range = WalRange::of_manifest(&tail_of(&archive, piece)).unwrap();
            assert_eq!(range.timeline, 2);
            assert_eq!(range.start, Position(0x200_0028));
            assert_eq!(range.end, Position(0x200_0100));
        }
    }

    #[test]
    fn an_archive_without_a_manifest_is_refused() {
        let tail = tail_of(&member("base/1", &[7; 1000]), 100);
        assert!(matches!(
            WalRange::of_manifest(&tail),
            Err(PostgresError::Manifest { .. })
        ));
    }

    #[test]
    fn two_ranges_are_refused() {
        let two = ENDING.replace(
            "\n]",
            ",{ \"Timeline\": 3, \"Start-LSN\": \"0/1\", \"End-LSN\": \"0/2\" }]",
        );
        let error = WalRange::of_manifest(two.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("2 WAL ranges"), "{error}");
    }

    #[test]
    fn any_bytes_can_pass() {
        for seed in 0..200_u32 {
            let mut state = seed;
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_le_bytes()[3]
            })
            .take(3000)
            .collect();
            assert!(tail_of(&noise, 100).len() <= TAIL);
        }
    }

    #[test]
    fn great_sizes_are_binary() {
        let mut field = [0_u8; 12];
        field[0] = 0x80;
        field[4..].copy_from_slice(&(9_u64 << 30).to_be_bytes());
        assert_eq!(number(&field), Some(9 << 30));
    }
}
