//! Databases and what would become of them.

use vab_manager::run::{LastBackup, Surveyed};

use super::bytes::Bytes;
use super::out::outln;

/// What would be done about each, one line for each.
pub(crate) fn decisions(surveyed: &[Surveyed]) {
    for database in surveyed {
        for next in &database.next {
            outln!("{}: {}", database.database, next.reason);
        }
    }
    if surveyed.is_empty() {
        outln!("no database");
    }
}

/// Everything that is known about each; `backups` when those in a repository are known.
pub(crate) fn databases(surveyed: &[Surveyed], backups: bool) {
    for database in surveyed {
        let mut parts = vec![
            database.state.to_string(),
            database.recovery_model.to_string(),
        ];
        if database.read_only {
            parts.push("read-only".to_owned());
        }
        if let Some(replica) = database.replica {
            let part = match (replica.secondary, replica.preferred) {
                (true, true) => "secondary replica, preferred for backups",
                (true, false) => "secondary replica",
                (false, true) => "primary replica, preferred for backups",
                (false, false) => "primary replica",
            };
            parts.push(part.to_owned());
        }
        if database.data_bytes > 0 {
            parts.push(Bytes(database.data_bytes).to_string());
        }
        outln!("{}: {}", database.database, parts.join(", "));
        let legal: Vec<_> = database.legal.iter().map(ToString::to_string).collect();
        let legal = if legal.is_empty() {
            "none".to_owned()
        } else {
            legal.join(", ")
        };
        outln!("    legal backups: {legal}");
        if !backups {
            continue;
        }
        if database.last.is_empty() {
            outln!("    no backups in the repository");
        }
        for last in &database.last {
            outln!("    last {}", line(last));
        }
        for next in &database.next {
            outln!("    {} now: {}", next.wanted, next.reason);
        }
    }
}

fn line(last: &LastBackup) -> String {
    let copy_only = if last.copy_only { " copy-only" } else { "" };
    let finished = last.finished.map_or_else(
        || format!("stored {}", last.committed),
        |time| time.to_string(),
    );
    format!("{}{copy_only}: {finished}, {}", last.kind, last.point)
}
