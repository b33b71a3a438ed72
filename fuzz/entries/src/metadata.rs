//! What stands beside the data, and what the commit says about the backup.

use vab_format::session::SessionRecord;
use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;
use vab_repository::SessionFacts;

use crate::records::choice;
use crate::stamp;

/// What a commit says about the backup.
pub fn session_record(data: &[u8]) {
    if let Ok(record) = SessionRecord::decode(data) {
        let again = record.encode().expect("what was read is written");
        assert_eq!(SessionRecord::decode(&again), Ok(record));
    }
}

/// What a recovery manager says about the backup.
pub fn facts(data: &[u8]) {
    if let Ok(facts) = SessionFacts::decode(data) {
        let again = facts.encode().expect("what was read is written");
        assert_eq!(SessionFacts::decode(&again).ok(), Some(facts));
    }
}

/// The metadata of one data file.
pub fn vasm(data: &[u8]) {
    let file = file(data, *b"\x89VASM\r\n\x1a");
    if let Ok(vasm) = Vasm::decode(&file) {
        let _ = vasm.committed_length();
        let _ = vasm.commit_position(1);
        let again = vasm.encode().expect("what was read is written");
        assert_eq!(Vasm::decode(&again), Ok(vasm));
    }
}

/// The metadata of one job.
pub fn vacm(data: &[u8]) {
    let file = file(data, *b"\x89VACM\r\n\x1a");
    if let Ok(vacm) = Vacm::decode(&file) {
        let again = vacm.encode().expect("what was read is written");
        assert_eq!(Vacm::decode(&again), Ok(vacm));
    }
}

/// The bytes as they are, or as the body of a file with a right opening and checksum.
fn file(data: &[u8], magic: [u8; 8]) -> Vec<u8> {
    let (right, data) = choice(data);
    if !right {
        return data.to_vec();
    }
    let mut file = magic.to_vec();
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.resize(24, 0);
    // One bit of the features may be the input's.
    let (features, body) = data.split_first().unwrap_or((&0, data));
    file.push(features & 1);
    file.push(features & 2);
    file.resize(24 + 16, 0);
    file.push(*features & 1);
    file.resize(48, 0);
    file.extend_from_slice(body);
    file.extend_from_slice(&[0; 4]);
    stamp::metadata(&mut file);
    file
}
