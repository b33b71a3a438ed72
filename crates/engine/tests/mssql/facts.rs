//! The facts of real backups, through the server's tables, exactly as they are.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use vab_chain::{BackupKind, BackupSet, BackupSetId, Lsn, ServerTime};
use vab_engine::mssql::{Disagreement, Server, StreamWatch};
use vab_engine::mtf;
use vab_engine::{BackupRequest, DatabaseInfo, DatabaseState, Engine, RecoveryModel, Watched};
use vab_vdi::DeviceName;
use vab_vdi::memory::Hub;

use crate::stand_in::answer;
use crate::tds::session::{PASSWORD, Session};
use crate::tds::token::End;
use crate::{login, manifest, plain, serve};

/// A server that makes every backup at once, and tells of this set afterwards.
fn server(told: Arc<Mutex<BackupSet>>) -> Server {
    let address = plain(serve(None, move |session: &mut Session, text: &str| {
        let told = told.lock().unwrap();
        let table = if text.contains("SERVERPROPERTY('ProductVersion')") {
            Some(answer::identity(true))
        } else if text.contains("FROM sys.databases") {
            let model = RecoveryModel::Full;
            let info = DatabaseInfo::new(told.database.as_str(), DatabaseState::Online, model);
            Some(answer::databases(&[info]))
        } else if text.contains("FROM msdb.dbo.backupset ") {
            Some(answer::sets(std::slice::from_ref(&told)))
        } else {
            None
        };
        if let Some(table) = table {
            session.send(&table.tokens())?;
        }
        session.end(End::Well)
    }));
    Server::new(address, login(PASSWORD))
}

fn devices(count: u16) -> Vec<DeviceName> {
    let set = DeviceName::new("set").unwrap();
    (0..count)
        .map(|n| set.numbered(n.into()).unwrap())
        .collect()
}

fn make(server: &Server, told: &BackupSet) -> Result<BackupSet, vab_engine::BackupError> {
    let mut request = BackupRequest::new(&told.database, told.kind, devices(told.stripes));
    request.copy_only = told.copy_only;
    server.backup(&request, &Hub::new())
}

#[test]
fn the_facts_of_real_backups_come_back_exactly() {
    let mut sets = Vec::new();
    for entry in manifest::entries()
        .iter()
        .filter(|entry| !entry.is_compressed())
    {
        let medium = mtf::read_bytes(&entry.bytes()).unwrap();
        let native = medium.native().unwrap();
        sets.push(native.sets[0].backup_set(native.family.count).unwrap());
    }
    sets.extend(headers());
    let told = Arc::new(Mutex::new(made_up()));
    let server = server(Arc::clone(&told));
    sets.push(made_up());
    for set in &sets {
        *told.lock().unwrap() = set.clone();
        // What a log of it holds besides is asked for elsewhere.
        assert_eq!(&make(&server, set).unwrap(), set);
    }
    println!("the facts of {} backups came back as they were", sets.len());
}

/// One with every fact that real ones here lack.
fn made_up() -> BackupSet {
    let id = |n: u128| uuid::Uuid::from_u128(n);
    let time = ServerTime::from_calendar(2026, 11, 22, 14, 30, 59).unwrap();
    let lsns = Lsn::new(7, 8, 9)..Lsn::MAX;
    let mut set = BackupSet::new(
        BackupSetId(id(1)),
        "it's [x]",
        BackupKind::Log,
        lsns,
        time,
        time,
    );
    set.server.push_str(r"SRV\A");
    set.copy_only = true;
    set.first_fork = Some(vab_chain::ForkId(id(2)));
    set.last_fork = Some(vab_chain::ForkId(id(3)));
    set.fork_point = Some(Lsn::new(8, 1, 1));
    set.database_id = Some(vab_chain::DatabaseId(id(4)));
    set.family_id = Some(vab_chain::FamilyId(id(5)));
    set.flags.begins_log_chain = true;
    set.flags.bulk_logged = true;
    set.flags.tail = true;
    set.flags.damaged = true;
    set.flags.incomplete_metadata = true;
    set.flags.checksums = true;
    set.utc_offset = Some(-570);
    set.stripes = 64;
    set
}

/// The rows of real `RESTORE HEADERONLY` exports.
fn headers() -> Vec<BackupSet> {
    let Some(folder) = std::env::var_os("VAB_HEADERS_DIR").map(PathBuf::from) else {
        eprintln!("skipped: VAB_HEADERS_DIR is not set, so there are no header exports to read");
        return Vec::new();
    };
    let mut sets = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let rows: Vec<serde_json::Value> = serde_json::from_slice(text).unwrap();
        sets.extend(rows.iter().map(header));
    }
    assert!(!sets.is_empty());
    sets
}

fn header(row: &serde_json::Value) -> BackupSet {
    let text = |name: &str| row[name].as_str().unwrap();
    let lsn = |name: &str| {
        row[name]
            .to_string()
            .trim_matches('"')
            .parse::<Lsn>()
            .unwrap()
    };
    let time = |name: &str| {
        let millis: i64 = text(name)
            .trim_matches(|c: char| !c.is_ascii_digit())
            .parse()
            .unwrap();
        ServerTime::from_micros(millis * 1000)
    };
    let kind = match text("BackupTypeDescription") {
        "Database" => BackupKind::Full,
        "Database Differential" => BackupKind::Differential,
        "Transaction Log" => BackupKind::Log,
        other => panic!("{other}"),
    };
    let mut set = BackupSet::new(
        text("BackupSetGUID").parse().unwrap(),
        text("DatabaseName"),
        kind,
        lsn("FirstLSN")..lsn("LastLSN"),
        time("BackupStartDate"),
        time("BackupFinishDate"),
    );
    set.server.push_str(text("ServerName"));
    set.checkpoint_lsn = lsn("CheckpointLSN");
    set.database_backup_lsn = lsn("DatabaseBackupLSN");
    set
}

#[test]
fn another_backup_than_the_one_that_was_asked_for_is_an_error() {
    let told = Arc::new(Mutex::new(made_up()));
    let server = server(Arc::clone(&told));
    let asked = made_up();
    for lie in [
        |set: &mut BackupSet| set.kind = BackupKind::Full,
        |set: &mut BackupSet| set.stripes = 3,
    ] {
        *told.lock().unwrap() = made_up();
        lie(&mut told.lock().unwrap());
        let error = make(&server, &asked).unwrap_err().to_string();
        assert!(error.contains("was asked for"), "{error}");
    }
}

#[test]
fn a_stream_that_says_something_else_than_the_server_is_found() {
    let mut checked = 0;
    for entry in manifest::entries()
        .iter()
        .filter(|entry| !entry.is_compressed())
    {
        let bytes = entry.bytes();
        let medium = mtf::read_bytes(&bytes).unwrap();
        let native = medium.native().unwrap();
        let told = native.sets[0].backup_set(native.family.count).unwrap();
        let watch = |bytes: &[u8]| {
            let watch = StreamWatch::new(1);
            for piece in bytes.chunks(65_536) {
                watch.observe(0, piece);
            }
            watch
        };
        assert_eq!(watch(&bytes).compare(&told), Ok(Watched::Whole));
        let mut other = told.clone();
        other.id = BackupSetId(uuid::Uuid::from_u128(1));
        let found = watch(&bytes).compare(&other);
        assert!(matches!(found, Err(Disagreement::Set { .. })), "{found:?}");
        let mut other = told.clone();
        other.last_lsn = Lsn::MAX;
        let found = watch(&bytes).compare(&other);
        let last = matches!(
            found,
            Err(Disagreement::Fact {
                what: "last LSN",
                ..
            })
        );
        assert!(last, "{found:?}");
        let found = watch(&bytes[..bytes.len() - 1]).compare(&told);
        assert!(matches!(found, Ok(Watched::Beginning { .. })), "{found:?}");
        checked += 1;
    }
    println!("{checked} streams were held against what a server would say");
}
