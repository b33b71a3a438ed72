//! Every input of the kept corpus, through the entry it was kept for.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails is to end at once"
)]

use std::path::Path;

use vab_fuzz_entries::TARGETS;

#[test]
fn every_kept_input_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let (mut inputs, mut bytes) = (0, 0);
    for (name, entry) in TARGETS {
        let folder = corpus.join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "no input is kept for {name}");
        for file in files {
            let input = std::fs::read(&file).unwrap();
            bytes += input.len();
            inputs += 1;
            let survived = std::panic::catch_unwind(|| entry(&input)).is_ok();
            assert!(survived, "{} makes {name} fail", file.display());
        }
    }
    println!(
        "corpus: {inputs} inputs of {} targets, {bytes} bytes",
        TARGETS.len()
    );
    assert!(bytes < 2 << 20, "the corpus is to stay small: minimise it");
}

#[test]
fn every_corpus_has_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for folder in std::fs::read_dir(corpus).unwrap() {
        let name = folder.unwrap().file_name();
        assert!(
            TARGETS
                .iter()
                .any(|(target, _)| name.to_str() == Some(target)),
            "{name:?} is the corpus of no target"
        );
    }
}
