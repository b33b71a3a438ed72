//! What a commit costs in a file that has many sessions already: every commit replaces the whole
//! metadata file. `cargo run --release -p vab-repository --example many_sessions -- [SESSIONS]`

use std::io::Write;
use std::time::Instant;

use uuid::Uuid;
use vab_chain::{BackupKind, UtcTime};
use vab_format::block::BlockHeader;
use vab_format::io::{VabReader, VabWriter};
use vab_format::session::SessionRecord;
use vab_format::vab::VabHeader;
use vab_repository::{Facts, Repository, RepositoryOptions, SessionFacts, SessionRequest};

type Failure = Box<dyn std::error::Error>;

const COMMITS: u32 = 20;

fn main() -> Result<(), Failure> {
    let most = std::env::args().nth(1).map_or(Ok(10_000), |n| n.parse())?;
    let mut out = std::io::stdout();
    for sessions in [10, 100, 1000, 10_000, 100_000] {
        if sessions > most {
            break;
        }
        let folder = tempfile::tempdir()?;
        grown(folder.path(), sessions)?;
        let now: UtcTime = "2026-11-22T01:00:00Z".parse()?;
        let repository = Repository::open(folder.path(), RepositoryOptions::default(), now)?;
        let begun = now_on_this_machine();
        for _ in 0..COMMITS {
            one_more(&repository, now)?;
        }
        let each = begun.elapsed() / COMMITS;
        let metadata = std::fs::metadata(folder.path().join("job/sales.VASM"))?.len();
        writeln!(
            out,
            "{sessions} sessions: {each:.1?} for a backup of one block, its .VASM has {} KiB",
            metadata >> 10
        )?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program that measures")]
fn now_on_this_machine() -> Instant {
    Instant::now()
}

fn one_more(repository: &Repository, now: UtcTime) -> Result<(), Failure> {
    let session = repository.begin(SessionRequest {
        job: "Nightly".into(),
        database: "Sales".into(),
        kind: Some(BackupKind::Log),
        copy_only: false,
        encrypted: false,
        streams: 1,
        now,
    })?;
    let block = BlockHeader::for_raw(session.id().0, 0, 0, 0, b"log");
    session.write(&block, b"log")?;
    let kind = Some(BackupKind::Log);
    let facts = SessionFacts {
        facts: Facts::Opaque { kind },
        names: vec![],
    };
    let ends = session.ends();
    let point = session.commit(&facts, &ends, now)?;
    assert_eq!(point.file.file().as_str(), "sales.VAB");
    Ok(())
}

/// A file with that many sessions, made in one go.
fn grown(folder: &std::path::Path, sessions: u32) -> Result<(), Failure> {
    let job = folder.join("job");
    std::fs::create_dir(&job)?;
    let created: UtcTime = "2026-11-22T00:00:00Z".parse()?;
    let id = Uuid::from_u128(1);
    let header = VabHeader::new(
        id,
        Uuid::from_u128(2),
        "Nightly",
        "Sales",
        created.as_micros(),
    );
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(job.join("sales.VAB"))?;
    let mut writer = VabWriter::create(file, &header)?;
    for number in 0..sessions {
        let id = Uuid::from_u128(u128::from(number) + 9);
        let mut session = writer.begin(id, 1);
        session.write(&BlockHeader::for_raw(id, 0, 0, 0, b"log"), b"log")?;
        let record = SessionRecord::opaque(id, "Nightly", "Sales", session.ends());
        session.commit(record)?;
    }
    let mut reader = VabReader::open(writer.into_inner())?;
    std::fs::write(job.join("sales.VASM"), reader.vasm()?.encode()?)?;
    Ok(())
}
