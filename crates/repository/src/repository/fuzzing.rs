//! Entries for fuzzers: any input must end without a panic and within bounded memory.

use vab_format::checksum::crc32c;

use super::marker::Marker;
use super::owner;
use crate::names::DiskName;
use crate::session::Note;

/// The small files beside the data: the note of a session on its way, the marker, who has the
/// repository open, and the names of files. The first byte says which, and whether its checksum
/// is made right.
///
/// # Panics
/// When a promise is broken.
pub fn small_files(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    match choice % 6 {
        0 => note(bytes),
        1 => {
            let mut whole = b"VABNOTE\0\x01\0".to_vec();
            whole.extend_from_slice(bytes);
            whole.extend_from_slice(&crc32c(&whole).to_le_bytes());
            note(&whole);
        }
        2 => marker(bytes),
        3 => {
            let mut whole = b"vab-repository ".to_vec();
            whole.extend_from_slice(bytes);
            let line = format!("crc32c {:08x}\n", crc32c(&whole));
            whole.extend_from_slice(line.as_bytes());
            marker(&whole);
        }
        4 => {
            if let Some(note) = std::str::from_utf8(bytes)
                .ok()
                .and_then(owner::Note::from_text)
            {
                // A name with spaces at its ends, or with a control character, may lose them.
                let again = owner::Note::from_text(&note.to_text());
                assert!(again.is_some(), "what was read is not written");
            }
        }
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                let _ = DiskName::from_disk(text);
                let name = DiskName::for_name(text, |_| false);
                assert_eq!(DiskName::from_disk(name.as_str()), Some(name));
            }
        }
    }
}

fn note(bytes: &[u8]) {
    if let Some(note) = Note::decode(bytes) {
        assert_eq!(note.encode(), bytes, "what was read is written otherwise");
    }
}

fn marker(bytes: &[u8]) {
    if let Ok(marker) = Marker::from_bytes(bytes) {
        let again = Marker::from_bytes(marker.to_text().as_bytes());
        assert_eq!(again, Ok(marker));
    }
}
