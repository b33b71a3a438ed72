//! The files are put together to the media sets that they are.

use std::fs;
use std::path::{Path, PathBuf};

use vab_chain::BackupKind;
use vab_engine::bak::{self, Note, Problem};
use vab_engine::mtf::MtfError;

use crate::manifest::{entries, folder};

fn copy(from: &Path, to: &Path) -> PathBuf {
    fs::write(to, fs::read(from).unwrap()).unwrap();
    to.to_owned()
}

#[test]
fn all_files_are_in_exactly_one_set() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([&folder]);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let mut paths: Vec<PathBuf> = found
        .sets
        .iter()
        .flat_map(bak::MediaSet::stripes)
        .map(|stripe| stripe.path.clone())
        .collect();
    paths.sort();
    let mut expected: Vec<PathBuf> = entries().into_iter().map(|entry| entry.path).collect();
    expected.sort();
    assert_eq!(paths, expected);
    // Four striped backups have two files each.
    assert_eq!(found.sets.len(), expected.len() - 4);
    let manifest = folder.join("manifest.csv");
    assert!(found.notes.contains(&Note::NotABackup { path: manifest }));
}

#[test]
fn stripes_are_in_the_order_of_their_numbers() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([folder.join("RestoreTimeStripe")]);
    assert_eq!(found.sets.len(), 4);
    for set in &found.sets {
        let names: Vec<bool> = set
            .stripes()
            .iter()
            .map(|stripe| {
                stripe
                    .path
                    .components()
                    .any(|part| part.as_os_str() == "Stripe2")
            })
            .collect();
        assert_eq!(names, [false, true]);
        assert_eq!(set.facts().unwrap().stripes, 2);
    }
}

#[test]
fn a_set_comes_after_what_it_needs() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([&folder]);
    let facts: Vec<_> = found.sets.iter().filter_map(|set| set.facts()).collect();
    for (index, set) in facts.iter().enumerate() {
        let before = facts.get(..index).unwrap();
        if let Some(base) = set.differential_base.and_then(|base| base.id) {
            assert!(before.iter().any(|full| full.id == base), "{set:?}");
        }
        if set.kind == BackupKind::Log && !set.flags.begins_log_chain {
            let same = |log: &&&vab_chain::BackupSet| {
                log.kind == BackupKind::Log && log.last_lsn == set.first_lsn
            };
            assert!(before.iter().find(same).is_some(), "{set:?}");
        }
    }
}

#[test]
fn a_missing_stripe_is_named() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([folder.join("RestoreTimeStripe/Stripe1/RestoreTimeStripe.bak")]);
    assert!(found.sets.is_empty());
    let [problem] = found.problems.as_slice() else {
        panic!("{:?}", found.problems);
    };
    let text = problem.to_string();
    assert!(
        text.starts_with(
            "stripe 2 of 2 of media set dba99816-9a6c-4ab6-b68c-76b2a726823d (database \
             RestoreTimeStripe, backup set 54a4e82d-bd4b-4887-885b-3ae8459d489d) is missing"
        ),
        "{text}"
    );
}

#[test]
fn a_file_given_twice_is_one_file_and_a_copy_is_said() {
    let Some(folder) = folder() else { return };
    let original = folder.join("SimpleRecovery/SimpleBackTest_1.bak");
    let target = tempfile::tempdir().unwrap();
    let copied = copy(&original, &target.path().join("a copy"));
    let found = bak::discover([&original, &original, &copied]);
    assert_eq!(found.sets.len(), 1);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert_eq!(
        found.notes,
        [Note::Duplicate {
            path: copied,
            of: original
        }]
    );
}

#[test]
fn a_copy_with_other_bytes_is_a_problem() {
    let Some(folder) = folder() else { return };
    let original = folder.join("SimpleRecovery/SimpleBackTest_1.bak");
    let target = tempfile::tempdir().unwrap();
    let copied = copy(&original, &target.path().join("a copy"));
    let mut bytes = fs::read(&copied).unwrap();
    bytes[300_000] ^= 1;
    fs::write(&copied, bytes).unwrap();
    let found = bak::discover([&original, &copied]);
    assert!(found.sets.is_empty());
    assert!(
        matches!(
            found.problems.as_slice(),
            [Problem::TwoVersions { number: 1, .. }]
        ),
        "{:?}",
        found.problems
    );
}

#[test]
fn a_bad_file_hides_no_good_one() {
    let Some(folder) = folder() else { return };
    let target = tempfile::tempdir().unwrap();
    let good = copy(
        &folder.join("SimpleRecovery/SimpleBackTest_1.bak"),
        &target.path().join("good"),
    );
    let bytes = fs::read(&good).unwrap();
    let cut = target.path().join("cut");
    fs::write(&cut, bytes.get(..400_000).unwrap()).unwrap();
    let empty = target.path().join("empty.bak");
    fs::write(&empty, []).unwrap();
    fs::write(target.path().join("notes.txt"), "not a backup").unwrap();
    let found = bak::discover([target.path()]);
    assert_eq!(found.sets.len(), 1);
    assert_eq!(found.notes.len(), 1);
    let of = |path: &Path| {
        found.problems.iter().find_map(|problem| match problem {
            Problem::Format { path: at, error } if at == path => Some(error.clone()),
            _ => None,
        })
    };
    assert!(
        matches!(of(&cut), Some(MtfError::Truncated { .. })),
        "{found:?}"
    );
    assert!(
        matches!(of(&empty), Some(MtfError::NotABackup { .. })),
        "{found:?}"
    );
}

#[test]
fn the_compressed_container_is_a_set_like_others() {
    let Some(folder) = folder() else { return };
    let found = bak::discover([folder.join("TutorialDB.bak")]);
    let [set] = found.sets.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(set.facts().unwrap().database, "TutorialDB");
    assert!(found.notes.is_empty(), "{found:?}");
}

#[test]
fn a_compressed_container_of_unknown_layout_is_a_set_without_facts() {
    let Some(folder) = folder() else { return };
    let target = tempfile::tempdir().unwrap();
    let path = target.path().join("other");
    let mut bytes = fs::read(folder.join("TutorialDB.bak")).unwrap();
    // The version of the container.
    bytes[8] = 1;
    fs::write(&path, bytes).unwrap();
    let found = bak::discover([&path]);
    let [set] = found.sets.as_slice() else {
        panic!("{found:?}");
    };
    assert!(set.facts().is_none());
    assert_eq!(found.notes, [Note::Compressed { path }]);
}
