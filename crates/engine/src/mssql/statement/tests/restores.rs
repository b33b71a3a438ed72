use std::num::NonZeroU32;

use vab_chain::{BackupKind, Lsn, ServerTime};
use vab_vdi::Geometry;

use super::super::{After, FileMove, Illegal, ReplaceConsent, Restore, ServerPath, Stop};
use super::{devices, name};
use crate::request::StopEdge;

fn path(text: &str) -> ServerPath {
    ServerPath::new(text).unwrap()
}

fn at() -> ServerTime {
    ServerTime::from_calendar(2026, 11, 22, 14, 30, 0).unwrap()
}

fn stops() -> Vec<(Option<Stop>, &'static str)> {
    let mark = |after, edge| Stop::Mark {
        name: name("it's"),
        after,
        edge,
    };
    let lsn = |edge| Stop::Lsn {
        lsn: Lsn::new(24, 419, 37),
        edge,
    };
    vec![
        (None, ""),
        (
            Some(Stop::Time(at())),
            "STOPAT = N'2026-11-22T14:30:00.000'",
        ),
        (Some(mark(None, StopEdge::At)), "STOPATMARK = N'it''s'"),
        (
            Some(mark(None, StopEdge::Before)),
            "STOPBEFOREMARK = N'it''s'",
        ),
        (
            Some(mark(Some(at()), StopEdge::At)),
            "STOPATMARK = N'it''s' AFTER N'2026-11-22T14:30:00.000'",
        ),
        (
            Some(mark(Some(at()), StopEdge::Before)),
            "STOPBEFOREMARK = N'it''s' AFTER N'2026-11-22T14:30:00.000'",
        ),
        (
            Some(lsn(StopEdge::At)),
            "STOPATMARK = N'lsn:24000000041900037'",
        ),
        (
            Some(lsn(StopEdge::Before)),
            "STOPBEFOREMARK = N'lsn:24000000041900037'",
        ),
    ]
}

fn against(restore: &Restore) -> Option<&'static str> {
    if restore.replace.is_some() && restore.kind != BackupKind::Full {
        return Some("REPLACE overwrites a database with its full backup");
    }
    if (restore.keep_cdc || restore.keep_replication) && restore.after == After::NoRecovery {
        return Some("not permitted together with NORECOVERY");
    }
    (matches!(restore.stop, Some(Stop::Mark { .. })) && restore.kind != BackupKind::Log)
        .then_some("only a log can be restored to a mark by its name")
}

fn expected(restore: &Restore, stop: &str) -> String {
    let verb = match restore.kind {
        BackupKind::Log => "LOG",
        _ => "DATABASE",
    };
    let mut options = vec![match restore.after {
        After::NoRecovery => "NORECOVERY",
        After::Recovery => "RECOVERY",
        After::Standby(_) => "STANDBY = N'/undo'",
    }];
    if restore.replace.is_some() {
        options.push("REPLACE");
    }
    if !restore.moves.is_empty() {
        options.push("MOVE N'data' TO N'/d.mdf', MOVE N'it''s' TO N'/l.ldf'");
    }
    if !stop.is_empty() {
        options.push(stop);
    }
    for (wanted, option) in [
        (restore.keep_cdc, "KEEP_CDC"),
        (restore.keep_replication, "KEEP_REPLICATION"),
        (restore.checksum, "CHECKSUM"),
        (restore.continue_after_error, "CONTINUE_AFTER_ERROR"),
        (true, "BLOCKSIZE = 512"),
        (true, "MAXTRANSFERSIZE = 65536"),
        (restore.buffers.is_some(), "BUFFERCOUNT = 8"),
        (restore.stats.is_some(), "STATS = 100"),
    ] {
        if wanted {
            options.push(option);
        }
    }
    let options = options.join(", ");
    format!("RESTORE {verb} [db] FROM VIRTUAL_DEVICE = N's' WITH {options}")
}

#[test]
fn every_combination_is_written_as_expected_or_refused_by_its_rule() {
    let (mut legal, mut illegal) = (0, 0);
    for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
        for after in [
            After::NoRecovery,
            After::Recovery,
            After::Standby(path("/undo")),
        ] {
            for (stop, words) in stops() {
                for bits in 0..256_u32 {
                    let bit = |n: u32| bits >> n & 1 == 1;
                    let mut restore = Restore::new(name("db"), kind, devices(1));
                    restore.after = after.clone();
                    restore.stop.clone_from(&stop);
                    restore.geometry = Geometry::new(512, 65_536).unwrap();
                    restore.replace = bit(0).then(|| ReplaceConsent::to_overwrite(name("db")));
                    if bit(1) {
                        let moved = |file, to| FileMove {
                            logical: name(file),
                            to: path(to),
                        };
                        restore.moves = vec![moved("data", "/d.mdf"), moved("it's", "/l.ldf")];
                    }
                    restore.keep_cdc = bit(2);
                    restore.keep_replication = bit(3);
                    restore.checksum = bit(4);
                    restore.continue_after_error = bit(5);
                    restore.buffers = NonZeroU32::new(8).filter(|_| bit(6));
                    restore.stats = bit(7).then_some(100);
                    match (restore.statement(), against(&restore)) {
                        (Ok(statement), None) => {
                            assert_eq!(statement.as_str(), expected(&restore, words));
                            legal += 1;
                        }
                        (Err(error), Some(rule)) => {
                            assert!(error.to_string().contains(rule), "{error}: {rule}");
                            assert!(error.page().contains("(Transact-SQL)"), "{error}");
                            illegal += 1;
                        }
                        (found, rule) => panic!("{found:?}, expected {rule:?}: {restore:?}"),
                    }
                }
            }
        }
    }
    println!("{legal} legal restores written word by word, {illegal} illegal ones refused");
    assert_eq!(legal + illegal, 3 * 3 * 8 * 256);
    assert_eq!(legal, 5760);
}

#[test]
fn single_values_that_cannot_be_are_refused() {
    let with = |change: &dyn Fn(&mut Restore)| {
        let mut restore = Restore::new(name("db"), BackupKind::Full, devices(1));
        change(&mut restore);
        restore.statement().unwrap_err()
    };
    let moved = |file: &str, to: &str| FileMove {
        logical: name(file),
        to: path(to),
    };
    assert!(matches!(
        with(&|r| r.replace = Some(ReplaceConsent::to_overwrite(name("DB")))),
        Illegal::OtherConsent { .. }
    ));
    assert!(matches!(
        with(&|r| r.moves = vec![moved("a", "/a"), moved("a", "/b")]),
        Illegal::MovedTwice { .. }
    ));
    assert!(matches!(
        with(&|r| r.moves = vec![moved("a", "/a"), moved("b", "/a")]),
        Illegal::SamePath { .. }
    ));
    assert!(matches!(
        with(&|r| {
            r.kind = BackupKind::Log;
            r.stop = Some(Stop::Mark {
                name: name("LSN:1"),
                after: None,
                edge: StopEdge::At,
            });
        }),
        Illegal::MarkIsLsn { .. }
    ));
    assert!(matches!(
        with(&|r| r.stop = Some(Stop::Time(ServerTime::from_micros(i64::MIN)))),
        Illegal::Time { .. }
    ));
    assert_eq!(with(&|r| r.stats = Some(0)), Illegal::Stats { found: 0 });
    for change in [
        (&|r: &mut Restore| r.after = After::NoRecovery) as &dyn Fn(&mut Restore),
        &|r| {
            r.after = After::Recovery;
            r.stop = Some(Stop::Time(at()));
        },
        &|r| {
            r.after = After::Recovery;
            r.kind = BackupKind::Differential;
        },
    ] {
        let error = with(&|r| {
            r.database = name("MASTER");
            change(r);
        });
        assert!(matches!(error, Illegal::Master { .. }));
    }
}
