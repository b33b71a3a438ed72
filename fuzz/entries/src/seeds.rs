//! Inputs to begin a corpus with: what a sound repository is made of.

use vab_format::block::BlockHeader;
use vab_format::record::RecordKind;
use vab_format::vab::{KeyArea, KeySlot, SlotKind};

use crate::whole::sound_files;

/// Inputs by the name of their target.
#[expect(clippy::too_many_lines, reason = "a list")]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add = |target, parts: &[&[u8]]| seeds.push((target, parts.concat()));
    for (data, metadata, job) in sound_files() {
        let page = |at: usize| data.get(at..at + 4096).unwrap_or_default();
        add("vab_header", &[&[0], page(0)]);
        add("vab_header", &[&[1], data.get(..160).unwrap_or_default()]);
        add("vasm", &[&[0], &metadata]);
        add(
            "vasm",
            &[
                &[1, 0],
                metadata.get(48..metadata.len() - 4).unwrap_or_default(),
            ],
        );
        add("vacm", &[&[0], &job]);
        add(
            "vacm",
            &[&[1, 0], job.get(48..job.len() - 4).unwrap_or_default()],
        );
        for at in (4096..data.len()).step_by(4096).take(12) {
            let page = page(at);
            let length = page.get(48).copied().unwrap_or_default();
            let payload = page.get(128..).unwrap_or_default();
            match RecordKind::of(page) {
                Some(RecordKind::Block) => {
                    let block = page.get(..64).unwrap_or_default();
                    add(
                        "block_header",
                        &[&[0], block, payload.get(..300).unwrap_or_default()],
                    );
                    add("block_header", &[&[1], block]);
                    add("frame", &[&[0], page.get(..512).unwrap_or_default()]);
                }
                Some(RecordKind::Commit) => {
                    let payload = page.get(128..768).unwrap_or_default();
                    add("frame", &[&[1], page.get(..512).unwrap_or_default()]);
                    add("commit", &[&[1, 1, 250, 9, 0, 0, 0], payload]);
                    add("commit", &[&[1, length % 8, 250, 9, 0, 0, 0], payload]);
                    // Behind start, links and a length.
                    for links in 0..3 {
                        add(
                            "session_record",
                            &[payload.get(16 + 8 * links..).unwrap_or_default()],
                        );
                    }
                    add("trailer", &[&[0], page.get(4032..).unwrap_or_default()]);
                }
                _ => {}
            }
        }
    }
    let slot = KeySlot {
        kind: SlotKind::Passphrase(vab_format::vab::Argon2Cost::default()),
        salt: [3; 32],
        label: "on paper".to_owned(),
        data_key: uuid::Uuid::from_u128(5),
        wrapped: [4; 48],
    };
    if let Ok(area) = KeyArea::of([slot]).encode() {
        add("key_area", &[&[1], area.get(..192).unwrap_or_default()]);
        add("key_area", &[&[0xFF], area.get(..192).unwrap_or_default()]);
        add("key_area", &[&[0], area.get(..4096).unwrap_or_default()]);
    }
    for kind in [vab_chain::BackupKind::Full, vab_chain::BackupKind::Log] {
        let facts = crate::whole::some_facts(kind).encode().unwrap_or_default();
        add("facts", &[&facts]);
    }
    // A segment of two entries.
    let entry = |start: u64, position: u64| {
        let mut entry = start.to_le_bytes().to_vec();
        entry.extend_from_slice(&position.to_le_bytes());
        entry.extend_from_slice(&300_u32.to_le_bytes());
        entry.extend_from_slice(&300_u32.to_le_bytes());
        entry.extend_from_slice(&[7, 7, 7, 7, 0, 0, 0, 0]);
        entry
    };
    add(
        "index_segment",
        &[
            &[1, 250, 9, 0, 0, 0, 1, 0],
            &entry(0, 4096),
            &entry(300, 8192),
        ],
    );
    let raw = [b'a'; 200];
    for (codec, compression) in [
        (1, vab_format::codec::Compression::Lz4),
        (3, vab_format::codec::Compression::Zstd { level: 1 }),
    ] {
        let payload = vab_format::codec::Encoder::new(compression)
            .ok()
            .and_then(|mut encoder| {
                let raw = bytes::Bytes::copy_from_slice(&raw);
                encoder.block(uuid::Uuid::from_u128(1), 0, 0, 0, raw).ok()
            });
        if let Some((_, payload)) = payload {
            add("payload", &[&[codec, 199], &payload]);
        }
    }
    let block = BlockHeader::for_raw(uuid::Uuid::from_u128(1), 0, 0, 0, &raw);
    add("mover_wire", &[b"VABMOVER", &block.encode(), &raw]);
    for mover in [
        "mover_backup_target",
        "mover_backup_source",
        "mover_restores",
    ] {
        add(mover, &[&(0..200).collect::<Vec<u8>>()]);
    }
    // Every header there is, each on a boundary of blocks.
    let mut tape = vec![1];
    let tags = [
        b"TAPE", b"RAID", b"SPAD", b"SFMB", b"SSET", b"VOLB", b"MSCI", b"MQCI", b"MSDA", b"MQDA",
        b"ESET",
    ];
    for tag in tags {
        tape.extend_from_slice(tag);
        tape.extend_from_slice(&[0, 0, 0, 0, 52, 0]);
        tape.resize((tape.len() - 1).next_multiple_of(128) + 1, 0);
    }
    add("native_backup", &[&tape]);
    beside(&mut add);
    // Edits: a field of each page of the short archive, right or not; pages moved; cuts.
    for page in 0..12 {
        for right in [0, 1, 3] {
            add("repository", &[&[64, right, 0, page, 0, 28, 0, 254, 3, 0]]);
            add(
                "repository",
                &[&[5, right, 3, page, 0, 0, 0, 254, 3, 0, 7, page, 0]],
            );
        }
    }
    add("repository", &[&[0, 1, 3, 40, 0, 9, 0, 3, 2, 0]]);
    add("repository", &[&[64, 0, 12]]);
    add("repository", &[&[64, 0, 8, 4, 0, 7, 0]]);
    add("repository", &[&[64, 1, 6, 2, 0, 4, 0, 10, 3, 0, 5, 0]]);
    seeds
}

/// What is no part of a data file.
fn beside(add: &mut impl FnMut(&'static str, &[&[u8]])) {
    // A note: version and magic are put before it.
    let mut note = vec![3, 0, 2, 0];
    note.extend_from_slice(&[1; 16]);
    note.extend_from_slice(&[2; 16]);
    note.extend_from_slice(&[3; 16]);
    note.extend_from_slice(&[0; 24]);
    note.extend_from_slice(b"\x07\0Nightly\x05\0Sales");
    add("small_files", &[&[1], &note]);
    let id = "id 00000000-0000-0000-0000-000000000007\ncreated 9\n";
    add("small_files", &[&[3], b"1\n", id.as_bytes()]);
    let owner =
        "process p\nhost h\nsince 1\ninstance 00000000-0000-0000-0000-000000000007\nuntil 2\n";
    add("small_files", &[&[4], owner.as_bytes()]);
    add(
        "small_files",
        &[&[5], b"SRV01 MSSQL backup (Backup Vol 01)"],
    );
    for text in [
        "0000001a:00000010:0001",
        "26000000001600001",
        "2026-11-22T14:30:00.25",
        "2026-11-22T14:30:00+01:00",
        "zstd:7",
        "1.5 MiB/s",
    ] {
        add("text", &[text.as_bytes()]);
    }
    for text in [
        r#"{"job":"j","database":"d","kind":"Full","copy_only":false}"#,
        r#"{"point":"00000000-0000-0000-0000-000000000007"}"#,
        r#"{"points":{"job":null,"database":"d","after":null}}"#,
        r#""slots""#,
        r#"{"total":4,"free":null}"#,
        r#"{"points":[],"more":true}"#,
        "mssql://sa@localhost:1433?trust=any",
    ] {
        add("manager_messages", &[text.as_bytes()]);
    }
    // A set of one device and its answer, a device, the head of a command.
    let numbers = [512_u32, 65536, 4, 2].map(u32::to_le_bytes).concat();
    let set = [&[1, 0, 1, 0], &numbers[..], b"\x01\0\x07\0nightly"].concat();
    add("device_messages", &[&[1], &set]);
    add("device_messages", &[&[1, 2], &[9; 34]]);
    add("device_messages", &[&[1, 0, 0, 0], &[9; 36], &[1]]);
    add("device_messages", &[&[0, 1, 0, 0, 0, 2, 0, 0, 0], &[5; 16]]);
    for page in 0..10 {
        for right in [0, 1, 2, 3] {
            let edit = [64, right, 0, page, 0, 28, 0, 254, 3, 0];
            add("taken_up", &[&edit]);
            add("salvage", &[&edit]);
        }
    }
    for field in 0..100 {
        add("taken_up", &[&[64, 2, 15, field, 0, field, 0, 0, 1]]);
    }
    add("taken_up", &[&[0, 0]]);
    add("salvage", &[&[0, 0]]);
    add("salvage", &[&[64, 1, 7, 0, 0, 12]]);
}
