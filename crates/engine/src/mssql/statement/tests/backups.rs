use std::num::NonZeroU32;

use vab_chain::BackupKind;
use vab_vdi::Geometry;

use super::super::{Backup, Illegal, LogTail, ServerPath, Text};
use super::{devices, name};

fn undo() -> ServerPath {
    ServerPath::new("/undo").unwrap()
}

/// What the documentation says of a combination, in words of its own: the first rule against it.
fn against(backup: &Backup) -> Option<&'static str> {
    let log = backup.kind == BackupKind::Log;
    let tail = backup.tail != LogTail::Keep;
    if !log && (tail || backup.no_truncate) {
        return Some("option of log backups");
    }
    if backup.kind == BackupKind::Differential && backup.copy_only {
        return Some("cannot be copy-only");
    }
    if tail && backup.copy_only {
        return Some("ends the log chain");
    }
    (backup.no_truncate && matches!(backup.tail, LogTail::Standby(_))).then_some("may be damaged")
}

/// The options in the order in which they are written.
fn expected(backup: &Backup) -> String {
    let verb = match backup.kind {
        BackupKind::Log => "LOG",
        _ => "DATABASE",
    };
    let to = match backup.devices.len() {
        1 => "VIRTUAL_DEVICE = N's'",
        _ => "VIRTUAL_DEVICE = N's', VIRTUAL_DEVICE = N's1', VIRTUAL_DEVICE = N's2'",
    };
    let mut options = Vec::new();
    if backup.kind == BackupKind::Differential {
        options.push("DIFFERENTIAL");
    }
    if backup.copy_only && !backup.no_truncate {
        options.push("COPY_ONLY");
    }
    match backup.tail {
        LogTail::Keep => {}
        LogTail::NoRecovery => options.push("NORECOVERY"),
        LogTail::Standby(_) => options.push("STANDBY = N'/undo'"),
    }
    if backup.no_truncate {
        options.push("NO_TRUNCATE");
    }
    options.push(["NO_CHECKSUM", "CHECKSUM"][usize::from(backup.checksum)]);
    if backup.continue_after_error && !backup.no_truncate {
        options.push("CONTINUE_AFTER_ERROR");
    }
    match backup.compression {
        None => {}
        Some(true) => options.push("COMPRESSION"),
        Some(false) => options.push("NO_COMPRESSION"),
    }
    options.push("BLOCKSIZE = 4096");
    options.push("MAXTRANSFERSIZE = 4194304");
    if backup.buffers.is_some() {
        options.push("BUFFERCOUNT = 17");
    }
    if backup.name.is_some() {
        options.push("NAME = N'it''s'");
        options.push("DESCRIPTION = N'[d]'");
    }
    if backup.stats.is_some() {
        options.push("STATS = 10");
    }
    let options = options.join(", ");
    format!("BACKUP {verb} [db] TO {to} WITH {options}")
}

fn all() -> Vec<Backup> {
    let mut all = Vec::new();
    let either = [false, true];
    for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
        for tail in [LogTail::Keep, LogTail::NoRecovery, LogTail::Standby(undo())] {
            for compression in [None, Some(false), Some(true)] {
                for bits in 0..256_u32 {
                    let bit = |n: u32| either[usize::from(bits >> n & 1 == 1)];
                    let mut backup =
                        Backup::new(name("db"), kind, devices(1 + 2 * usize::from(bit(0))));
                    backup.tail = tail.clone();
                    backup.compression = compression;
                    backup.copy_only = bit(1);
                    backup.no_truncate = bit(2);
                    backup.checksum = bit(3);
                    backup.continue_after_error = bit(4);
                    backup.geometry = Geometry::new(4096, 4 << 20).unwrap();
                    backup.buffers = NonZeroU32::new(17).filter(|_| bit(5));
                    backup.name = Text::name("it's").ok().filter(|_| bit(6));
                    backup.description = Text::description("[d]").ok().filter(|_| bit(6));
                    backup.stats = bit(7).then_some(10);
                    all.push(backup);
                }
            }
        }
    }
    all
}

#[test]
fn every_combination_is_written_as_expected_or_refused_by_its_rule() {
    let (mut legal, mut illegal) = (0, 0);
    for backup in all() {
        match (backup.statement(), against(&backup)) {
            (Ok(statement), None) => {
                assert_eq!(statement.as_str(), expected(&backup));
                legal += 1;
            }
            (Err(error), Some(rule)) => {
                assert!(error.to_string().contains(rule), "{error}: {rule}");
                assert!(error.page().contains("(Transact-SQL)"), "{error}");
                illegal += 1;
            }
            (found, rule) => panic!("{found:?}, expected {rule:?}: {backup:?}"),
        }
    }
    println!("{legal} legal backups written word by word, {illegal} illegal ones refused");
    assert_eq!((legal, illegal), (1920, 4992));
}

#[test]
fn single_values_out_of_range_are_refused() {
    let with = |change: fn(&mut Backup)| {
        let mut backup = Backup::new(name("db"), BackupKind::Full, devices(1));
        change(&mut backup);
        backup.statement().unwrap_err()
    };
    assert_eq!(with(|b| b.stats = Some(0)), Illegal::Stats { found: 0 });
    assert_eq!(with(|b| b.stats = Some(101)), Illegal::Stats { found: 101 });
    assert_eq!(with(|b| b.devices.clear()), Illegal::Devices { found: 0 });
    assert_eq!(
        with(|b| b.devices = devices(65)),
        Illegal::Devices { found: 65 }
    );
    assert!(matches!(
        with(|b| b.devices = [devices(1), devices(2)].concat()),
        Illegal::DeviceTwice { .. }
    ));
    assert_eq!(with(|b| b.database = name("TempDB")), Illegal::TempDb);
    assert!(matches!(
        with(|b| {
            b.database = name("Master");
            b.kind = BackupKind::Log;
        }),
        Illegal::Master { .. }
    ));
    let mut many = Backup::new(name("db"), BackupKind::Full, devices(64));
    many.copy_only = true;
    assert_eq!(
        many.statement()
            .unwrap()
            .as_str()
            .matches("VIRTUAL_DEVICE")
            .count(),
        64
    );
}
