//! What a server is told for each request, and what comes of its answers.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vab_chain::{BackupKind, BackupSet, BackupSetId, Lsn, ServerTime};
use vab_engine::mssql::{Options, Server};
use vab_engine::{
    BackupRequest, DatabaseInfo, DatabaseState, Engine, FileMove, Progress, ProgressSink,
    RecoverRequest, Recovery, RecoveryModel, Refusal, Replica, RestoreRequest, StopAt, StopEdge,
    StopOutcome, Tail,
};
use vab_vdi::DeviceName;
use vab_vdi::memory::Hub;

use crate::stand_in::answer;
use crate::tds::session::{PASSWORD, Session};
use crate::tds::token::{End, info};
use crate::{login, plain, serve};

/// A server of which a test says what it has, and which remembers what it was told.
#[derive(Clone, Default)]
struct Script {
    databases: Vec<DatabaseInfo>,
    set: Option<BackupSet>,
    /// Told while a statement runs.
    messages: Vec<&'static str>,
    /// A statement runs until it is cancelled.
    endless: bool,
    /// So many connections break at the question for the facts.
    breaks: usize,
}

struct Lab {
    server: Server,
    said: Arc<Mutex<Vec<String>>>,
}

fn lab(script: Script) -> Lab {
    lab_with(script, Options::default())
}

fn lab_with(mut script: Script, options: Options) -> Lab {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let breaks = Mutex::new(std::mem::take(&mut script.breaks));
    let address = plain(serve(None, move |session: &mut Session, text: &str| {
        let table = if text.contains("SERVERPROPERTY('ProductVersion')") {
            Some(answer::identity(true))
        } else if text.contains("FROM sys.databases AS d LEFT JOIN") {
            Some(answer::databases(&script.databases))
        } else if text.contains("FROM msdb.dbo.backupset ") {
            let mut breaks = breaks.lock().unwrap();
            if *breaks > 0 {
                *breaks -= 1;
                return Err(ErrorKind::ConnectionAborted.into());
            }
            Some(answer::sets(script.set.as_slice()))
        } else {
            None
        };
        if let Some(table) = table {
            session.send(&table.tokens())?;
            return session.end(End::Well);
        }
        if text.starts_with("BACKUP") || text.starts_with("RESTORE") {
            heard.lock().unwrap().push(text.to_owned());
            for message in &script.messages {
                session.send(&info(0, message))?;
            }
            if script.endless {
                assert!(session.attention(Duration::from_secs(20))?);
                return session.end(End::Cancelled);
            }
        }
        session.end(End::Well)
    }));
    Lab {
        server: Server::new(address, login(PASSWORD)).with_options(options),
        said,
    }
}

impl Lab {
    /// The only statement that was said.
    fn said(&self) -> String {
        let said = self.said.lock().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].clone()
    }

    fn says(&self, part: &str) {
        let said = self.said();
        assert!(said.contains(part), "{said} has no {part}");
    }
}

fn sales(state: DatabaseState) -> Script {
    let mut info = DatabaseInfo::new("Sales", state, RecoveryModel::Full);
    info.data_bytes = 1000;
    info.redo_lsn = Some(Lsn::new(7, 8, 9));
    Script {
        databases: vec![info],
        ..Script::default()
    }
}

fn device() -> Vec<DeviceName> {
    vec![DeviceName::new("set").unwrap()]
}

fn time() -> ServerTime {
    ServerTime::from_calendar(2026, 11, 22, 14, 30, 0).unwrap()
}

fn backup(kind: BackupKind) -> BackupRequest {
    BackupRequest::new("Sales", kind, device())
}

fn set(kind: BackupKind) -> BackupSet {
    let id = BackupSetId(uuid::Uuid::from_u128(1));
    BackupSet::new(
        id,
        "Sales",
        kind,
        Lsn::new(1, 1, 1)..Lsn::new(1, 2, 1),
        time(),
        time(),
    )
}

fn restore(kind: BackupKind) -> RestoreRequest {
    RestoreRequest::new("Sales", kind, device())
}

#[test]
fn the_tail_of_a_log_is_backed_up_as_asked() {
    for (tail, words) in [
        (Tail::KeepOnline, " WITH CHECKSUM, "),
        (Tail::NoRecovery, " WITH NORECOVERY, CHECKSUM, "),
        (
            Tail::Standby,
            " WITH STANDBY = N'/var/opt/mssql/data/Sales.vab-standby', CHECKSUM, ",
        ),
    ] {
        let mut script = sales(DatabaseState::Online);
        script.set = Some(set(BackupKind::Log));
        let lab = lab(script);
        let mut request = backup(BackupKind::Log);
        request.tail = tail;
        let made = lab.server.backup(&request, &Hub::new()).unwrap();
        assert_eq!(made, set(BackupKind::Log));
        lab.says(words);
    }
}

#[test]
fn options_are_said_where_they_belong() {
    let mut options = Options::default();
    options.buffers = std::num::NonZeroU32::new(16);
    options.compression = true;
    options.keep_cdc = true;
    options.keep_replication = true;
    let mut script = sales(DatabaseState::Online);
    script.set = Some(set(BackupKind::Full));
    let full = lab_with(script, options.clone());
    full.server
        .backup(&backup(BackupKind::Full), &Hub::new())
        .unwrap();
    full.says(", COMPRESSION, BLOCKSIZE = 65536, MAXTRANSFERSIZE = 1048576, BUFFERCOUNT = 16, ");
    for (recovery, words) in [
        (Recovery::NoRecovery, " WITH NORECOVERY, BLOCKSIZE"),
        (
            Recovery::Recovery,
            " WITH RECOVERY, KEEP_CDC, KEEP_REPLICATION, BLOCKSIZE",
        ),
    ] {
        let lab = lab_with(sales(DatabaseState::Restoring), options.clone());
        let mut request = restore(BackupKind::Log);
        request.recovery = recovery;
        lab.server.restore(&request, &Hub::new()).unwrap();
        lab.says(words);
    }
}

#[test]
fn a_mark_is_for_logs_and_a_time_for_every_step() {
    let mark = StopAt::Mark {
        name: "before the import".to_owned(),
        after: Some(time()),
        edge: StopEdge::Before,
    };
    let lsn = StopAt::Lsn {
        lsn: Lsn::new(24, 419, 37),
        edge: StopEdge::At,
    };
    for (kind, stop, words) in [
        (
            BackupKind::Log,
            &mark,
            "STOPBEFOREMARK = N'before the import' AFTER N'2026-11-22T14:30:00.000', ",
        ),
        (
            BackupKind::Differential,
            &mark,
            " WITH NORECOVERY, BLOCKSIZE",
        ),
        (
            BackupKind::Full,
            &lsn,
            "STOPATMARK = N'lsn:24000000041900037', ",
        ),
        (
            BackupKind::Full,
            &StopAt::Time(time()),
            "STOPAT = N'2026-11-22T14:30:00.000', ",
        ),
    ] {
        let lab = lab(sales(DatabaseState::Restoring));
        let mut request = restore(kind);
        request.stop_at = Some(stop.clone());
        let restored = lab.server.restore(&request, &Hub::new()).unwrap();
        lab.says(words);
        assert_eq!(restored.stop, StopOutcome::Beyond);
        assert_eq!(restored.redo_lsn, Lsn::new(7, 8, 9));
    }
}

#[test]
fn a_restore_ends_in_the_state_that_the_server_tells() {
    for (state, recovery, stop, outcome) in [
        (
            DatabaseState::Online,
            Recovery::Recovery,
            true,
            StopOutcome::Reached,
        ),
        (
            DatabaseState::Restoring,
            Recovery::Recovery,
            true,
            StopOutcome::Beyond,
        ),
        (
            DatabaseState::Standby,
            Recovery::Standby,
            true,
            StopOutcome::Reached,
        ),
        (
            DatabaseState::Online,
            Recovery::Recovery,
            false,
            StopOutcome::NotAsked,
        ),
    ] {
        let lab = lab(sales(state));
        let mut request = restore(BackupKind::Full);
        request.replace = true;
        request.recovery = recovery;
        request.stop_at = stop.then(|| StopAt::Time(time()));
        request.files = vec![FileMove {
            logical: "it's".to_owned(),
            to: "/data/x".to_owned(),
        }];
        let restored = lab.server.restore(&request, &Hub::new()).unwrap();
        assert_eq!((restored.state, restored.stop), (state, outcome));
        lab.says(", REPLACE, MOVE N'it''s' TO N'/data/x', ");
    }
}

#[test]
fn a_sequence_is_ended_without_a_set() {
    for (recovery, words) in [
        (Recovery::Recovery, "RESTORE DATABASE [Sales] WITH RECOVERY"),
        (
            Recovery::Standby,
            "RESTORE DATABASE [Sales] WITH STANDBY = N'/var/opt/mssql/data/Sales.vab-standby'",
        ),
    ] {
        let lab = lab(sales(DatabaseState::Online));
        let mut request = RecoverRequest::new("Sales");
        request.recovery = recovery;
        lab.server.recover(&request).unwrap();
        assert_eq!(lab.said(), words);
    }
}

#[test]
fn what_cannot_be_is_refused_before_any_device_is_opened() {
    let refusal = |script: Script, work: &dyn Fn(&Server) -> Refusal| {
        let lab = lab(script);
        let refusal = work(&lab.server);
        assert!(lab.said.lock().unwrap().is_empty());
        refusal
    };
    let backs_up = |kind| {
        move |server: &Server| {
            let error = server.backup(&backup(kind), &Hub::new()).unwrap_err();
            error.refusal().unwrap().clone()
        }
    };
    let restores = |kind| {
        move |server: &Server| {
            let error = server.restore(&restore(kind), &Hub::new()).unwrap_err();
            error.refusal().unwrap().clone()
        }
    };
    let log = backs_up(BackupKind::Log);
    let full = restores(BackupKind::Full);
    assert_eq!(refusal(Script::default(), &log).number(), 911);
    assert_eq!(refusal(sales(DatabaseState::Offline), &log).number(), 927);
    let mut simple = sales(DatabaseState::Online);
    simple.databases[0].recovery_model = RecoveryModel::Simple;
    assert_eq!(refusal(simple, &log).number(), 4208);
    assert_eq!(refusal(sales(DatabaseState::Online), &full).number(), 1801);
    let applied = restores(BackupKind::Log);
    assert_eq!(
        refusal(sales(DatabaseState::Online), &applied).number(),
        3117
    );
    assert_eq!(refusal(Script::default(), &applied).number(), 3118);
}

/// Documented for `NO_TRUNCATE`: whatever the state, but not offline and not in emergency.
#[test]
fn a_log_is_asked_for_as_it_is_where_the_server_allows_it() {
    for (state, allowed) in [
        (DatabaseState::Online, true),
        (DatabaseState::Suspect, true),
        (DatabaseState::RecoveryPending, true),
        (DatabaseState::Recovering, false),
        (DatabaseState::Emergency, false),
        (DatabaseState::Offline, false),
        (DatabaseState::Restoring, false),
        (DatabaseState::Standby, false),
    ] {
        let mut script = sales(state);
        script.set = Some(set(BackupKind::Log));
        let lab = lab(script);
        let mut request = backup(BackupKind::Log);
        request.tail = Tail::NoRecovery;
        request.no_truncate = true;
        request.continue_after_error = true;
        let made = lab.server.backup(&request, &Hub::new());
        assert_eq!(made.is_ok(), allowed, "{state}");
        if allowed {
            lab.says(" WITH NORECOVERY, NO_TRUNCATE, CHECKSUM, NO_COMPRESSION, ");
        } else {
            assert_eq!(made.unwrap_err().refusal().unwrap().number(), 927);
            assert!(lab.said.lock().unwrap().is_empty());
        }
    }
    let mut script = sales(DatabaseState::Suspect);
    script.databases[0].recovery_model = RecoveryModel::Simple;
    let mut request = backup(BackupKind::Log);
    request.no_truncate = true;
    let error = lab(script)
        .server
        .backup(&request, &Hub::new())
        .unwrap_err();
    assert_eq!(error.refusal().unwrap().number(), 4208);
    // A full has no such option.
    let mut request = backup(BackupKind::Full);
    request.no_truncate = true;
    let lab = lab(sales(DatabaseState::Online));
    let error = lab.server.backup(&request, &Hub::new()).unwrap_err();
    assert!(format!("{error:?}").contains("NO_TRUNCATE"), "{error:?}");
    assert!(lab.said.lock().unwrap().is_empty());
}

#[test]
fn databases_stand_as_the_server_tells() {
    let mut all = Vec::new();
    for (index, state) in [
        DatabaseState::Online,
        DatabaseState::Restoring,
        DatabaseState::Standby,
        DatabaseState::Recovering,
        DatabaseState::RecoveryPending,
        DatabaseState::Suspect,
        DatabaseState::Emergency,
        DatabaseState::Offline,
    ]
    .into_iter()
    .enumerate()
    {
        let model = [
            RecoveryModel::Full,
            RecoveryModel::BulkLogged,
            RecoveryModel::Simple,
        ][index % 3];
        let mut info = DatabaseInfo::new(format!("db{index}"), state, model);
        info.read_only = index == 3;
        info.data_bytes = 1 << 45;
        info.last_log_backup_lsn = Some(Lsn::MAX);
        info.replica = (index < 2).then_some(Replica {
            secondary: index == 1,
            preferred: index == 0,
        });
        if matches!(state, DatabaseState::Restoring | DatabaseState::Standby) {
            info.redo_lsn = Some(Lsn::new(1, 2, 3));
        }
        all.push(info);
    }
    let lab = lab(Script {
        databases: all.clone(),
        ..Script::default()
    });
    assert_eq!(lab.server.databases().unwrap(), all);
}

#[test]
fn percentages_become_progress() {
    let mut script = sales(DatabaseState::Online);
    script.set = Some(set(BackupKind::Full));
    script.messages = vec![
        "50 percent processed.",
        "Processed 7 pages.",
        "100 percent processed.",
    ];
    let lab = lab(script);
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let mut request = backup(BackupKind::Full);
    request.progress = ProgressSink::new(move |Progress { bytes, total }| {
        hears.lock().unwrap().push((bytes, total));
    });
    lab.server.backup(&request, &Hub::new()).unwrap();
    assert_eq!(*told.lock().unwrap(), [(500, 1000), (1000, 1000)]);
}

#[test]
fn a_request_is_cancelled_by_its_own_handle() {
    let mut script = sales(DatabaseState::Online);
    script.endless = true;
    script.messages = vec!["5 percent processed."];
    let lab = lab(script);
    let mut request = backup(BackupKind::Full);
    let cancel = request.cancel.clone();
    request.progress = ProgressSink::new(move |_| cancel.cancel());
    let error = lab.server.backup(&request, &Hub::new()).unwrap_err();
    let causes = format!("{error:?}");
    assert!(causes.contains("Cancelled"), "{causes}");
}

/// A log that was backed up is gone from the server: the facts are asked for again.
#[test]
fn a_backup_is_not_lost_for_a_connection_that_broke_after_it() {
    let mut script = sales(DatabaseState::Online);
    script.set = Some(set(BackupKind::Log));
    script.breaks = 2;
    let recovering = lab(script.clone());
    let request = backup(BackupKind::Log);
    let made = recovering.server.backup(&request, &Hub::new()).unwrap();
    assert_eq!(made, set(BackupKind::Log));
    assert_eq!(recovering.said.lock().unwrap().len(), 1);
    script.breaks = 3;
    assert!(lab(script).server.backup(&request, &Hub::new()).is_err());
}
