//! Media sets go through virtual devices and come back as the files that they were.

use std::fs;

use vab_engine::bak::{self, ExportError, ExportRequest, MediaSet, PlayError, PlayRequest};
use vab_engine::{BackupRequest, Engine};
use vab_vdi::memory::Hub;

use crate::client::{Saved, give, names, save};
use crate::manifest::folder;

const TRANSFER: u32 = 128 * 1024;

fn play(
    set: &MediaSet,
    name: &str,
) -> (Result<bak::Played, PlayError>, Result<Vec<Saved>, String>) {
    let hub = Hub::new();
    let mut request = PlayRequest::new(names(name, set.stripes().len()));
    request.max_transfer = TRANSFER;
    let engine = hub.clone();
    save(&hub, name, set.stripes().len(), || {
        set.play(&request, &engine)
    })
}

fn originals(set: &MediaSet) -> Vec<Vec<u8>> {
    let stripes = set.stripes().iter();
    stripes
        .map(|stripe| fs::read(&stripe.path).unwrap())
        .collect()
}

#[test]
fn every_set_is_played_byte_for_byte() {
    let Some(folder) = folder() else { return };
    for set in bak::discover([folder]).sets {
        let (played, saved) = play(&set, "all");
        let (played, saved) = (played.unwrap(), saved.unwrap());
        assert_eq!(played.facts.as_ref(), set.facts());
        let bytes: Vec<Vec<u8>> = saved.iter().map(|saved| saved.bytes.clone()).collect();
        assert!(bytes == originals(&set), "{set}");
        let lengths: Vec<u64> = bytes.iter().map(|bytes| bytes.len() as u64).collect();
        assert_eq!(played.bytes, lengths);
    }
}

#[test]
fn commands_come_as_from_a_running_backup() {
    let Some(folder) = folder() else { return };
    for set in bak::discover([folder]).sets {
        let (_, saved) = play(&set, "commands");
        for stripe in saved.unwrap() {
            let (writes, end) = stripe.commands.split_at(stripe.commands.len() - 2);
            assert_eq!(end, [('F', 0), ('C', 0)]);
            let (last, full) = writes.split_last().unwrap();
            assert!(
                full.iter().all(|write| *write == ('W', TRANSFER as usize)),
                "{set}"
            );
            assert!(last.0 == 'W' && last.1 % 512 == 0, "{set}: {last:?}");
        }
    }
}

#[test]
fn what_was_played_is_exported_with_other_sizes() {
    let Some(folder) = folder() else { return };
    for set in bak::discover([folder]).sets {
        let streams = originals(&set);
        let target = tempfile::tempdir().unwrap();
        let original_names: Vec<String> =
            set.stripes().iter().map(bak::Stripe::file_name).collect();
        let file_names = bak::file_names(set.facts(), &original_names, streams.len());
        assert_eq!(file_names, original_names);
        let hub = Hub::new();
        let mut request =
            ExportRequest::new(names("export", streams.len()), target.path(), file_names);
        request.expected = set.facts().map(|facts| facts.id);
        let engine = hub.clone();
        let (exported, sizes) = give(&hub, "export", &streams, || bak::export(&request, &engine));
        let exported = exported.unwrap();
        for ((file, stripe), bytes) in exported.files.iter().zip(set.stripes()).zip(&streams) {
            assert!(fs::read(&file.path).unwrap() == *bytes, "{set}");
            assert_eq!(file.medium.as_ref(), Some(&stripe.medium));
            assert_eq!(file.bytes, bytes.len() as u64);
        }
        for sizes in sizes.unwrap() {
            assert!(sizes.iter().all(|size| size % 512 == 0 && *size <= 1 << 20));
            assert!(!sizes.contains(&(TRANSFER as usize)));
        }
        // Nothing temporary is left.
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), streams.len());
    }
}

#[test]
fn a_set_is_an_engine_of_its_database() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([folder.join("SimpleRecovery/SimpleBacktest.bak")]);
    let set = &found.sets[0];
    let databases = set.databases().unwrap();
    assert_eq!(databases[0].name, "SimpleBackTest");
    let hub = Hub::new();
    let request = BackupRequest::new("SimpleBackTest", vab_chain::BackupKind::Full, names("e", 1));
    let engine = hub.clone();
    let (facts, saved) = save(&hub, "e", 1, || set.backup(&request, &engine));
    assert_eq!(Some(&facts.unwrap()), set.facts());
    assert!(saved.unwrap()[0].bytes == originals(set)[0]);
    let mut other = request;
    other.database = "Other".to_owned();
    assert_eq!(
        set.backup(&other, &hub)
            .unwrap_err()
            .refusal()
            .unwrap()
            .number(),
        911
    );
}

#[test]
fn a_file_that_changed_since_aborts_all_stripes() {
    let Some(folder) = folder() else { return };
    let target = tempfile::tempdir().unwrap();
    for stripe in [
        "Stripe1/RestoreTimeStripe.bak",
        "Stripe2/RestoreTimeStripe1.bak",
    ] {
        let from = folder.join("RestoreTimeStripe").join(stripe);
        let name = from.file_name().unwrap().to_owned();
        fs::write(target.path().join(name), fs::read(from).unwrap()).unwrap();
    }
    let found = bak::discover([target.path()]);
    let set = &found.sets[0];
    let second = &set.stripes()[1].path;
    let bytes = fs::read(second).unwrap();
    fs::write(second, &bytes[..bytes.len() - 512]).unwrap();
    let (played, saved) = play(set, "changed");
    assert!(
        matches!(&played, Err(PlayError::Format { path, .. }) if path == second),
        "{played:?}"
    );
    saved.unwrap_err();
}

#[test]
fn an_existing_file_is_not_touched() {
    let Some(folder) = folder() else { return };
    let target = tempfile::tempdir().unwrap();
    let there = target.path().join("there.bak");
    fs::write(&there, "precious").unwrap();
    let hub = Hub::new();
    let mut request =
        ExportRequest::new(names("x", 1), target.path(), vec!["there.bak".to_owned()]);
    // Refused before the devices are looked for.
    let error = bak::export(&request, &hub).unwrap_err();
    assert!(
        matches!(&error, ExportError::Exists { path } if *path == there),
        "{error:?}"
    );
    let stream = fs::read(folder.join("SimpleRecovery/SimpleBackTest_1.bak")).unwrap();
    request.existing = bak::Existing::Number;
    let engine = hub.clone();
    let (exported, _) = give(&hub, "x", std::slice::from_ref(&stream), || {
        bak::export(&request, &engine)
    });
    let numbered = target.path().join("there (2).bak");
    assert_eq!(exported.unwrap().files[0].path, numbered);
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    request.existing = bak::Existing::Replace;
    let engine = hub.clone();
    let (exported, _) = give(&hub, "x", std::slice::from_ref(&stream), || {
        bak::export(&request, &engine)
    });
    assert_eq!(exported.unwrap().files[0].path, there);
    assert!(fs::read(&there).unwrap() == stream);
}

#[test]
fn another_backup_than_expected_leaves_nothing() {
    let Some(folder) = folder() else { return };
    let stream = fs::read(folder.join("SimpleRecovery/SimpleBackTest_1.bak")).unwrap();
    let cut = stream[..stream.len() - 1].to_vec();
    for (stream, whole) in [(stream, true), (cut, false)] {
        let target = tempfile::tempdir().unwrap();
        let hub = Hub::new();
        let mut request = ExportRequest::new(names("x", 1), target.path(), vec!["a".to_owned()]);
        let found = bak::discover([folder.join("SimpleRecovery/SimpleBackTest_2.bak")]);
        request.expected = found.sets[0].facts().map(|facts| facts.id);
        let engine = hub.clone();
        let (exported, _) = give(&hub, "x", &[stream], || bak::export(&request, &engine));
        match exported.unwrap_err() {
            ExportError::OtherSet { .. } => assert!(whole),
            ExportError::Format { .. } => assert!(!whole),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
    }
}
