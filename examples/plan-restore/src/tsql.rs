//! The answer as Transact-SQL.

use std::fmt::Write;

use vab_chain::{BackupKind, Plan, StopAt};

use crate::history::{Database, File};
use crate::json::all_notes;

pub(crate) fn plan(plan: &Plan, database: &Database, notes: &[String]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_plan(&mut text, plan, database, notes);
    text
}

fn write_plan(
    out: &mut String,
    plan: &Plan,
    database: &Database,
    notes: &[String],
) -> std::fmt::Result {
    let name = identifier(database.chain.database());
    writeln!(out, "-- reaches {}", plan.reaches)?;
    for note in all_notes(plan, database, notes) {
        writeln!(out, "-- note: {}", note.replace(['\r', '\n'], " "))?;
    }
    for step in &plan.steps {
        let statement = match step.kind {
            BackupKind::Full | BackupKind::Differential => "DATABASE",
            BackupKind::Log => "LOG",
        };
        let files = database.files(step.point);
        writeln!(out, "RESTORE {statement} {name}")?;
        if files.is_empty() {
            // No row says where it is: a place to fill in.
            writeln!(out, "    FROM DISK = N'<file of backup set {}>'", step.set)?;
        }
        for (index, file) in files.iter().enumerate() {
            let word = if index == 0 { "FROM" } else { "   ," };
            writeln!(out, "    {word} {}", device(file))?;
        }
        write!(out, "    WITH NORECOVERY")?;
        if let Some(position) = files.first().and_then(|file| file.position) {
            write!(out, ", FILE = {position}")?;
        }
        match &step.stop_at {
            Some(StopAt::Time(time)) => write!(out, ", STOPAT = N'{time}'")?,
            Some(StopAt::BeforeLsn(lsn)) => write!(out, ", STOPBEFOREMARK = N'lsn:{lsn}'")?,
            Some(StopAt::AtLsn(lsn)) => write!(out, ", STOPATMARK = N'lsn:{lsn}'")?,
            Some(_) | None => {}
        }
        writeln!(out, ";")?;
    }
    writeln!(out, "RESTORE DATABASE {name} WITH RECOVERY;")
}

fn device(file: &File) -> String {
    let lower = file.name.to_ascii_lowercase();
    let is_url = ["https://", "http://", "s3://"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    let kind = if is_url { "URL" } else { "DISK" };
    format!("{kind} = N'{}'", file.name.replace('\'', "''"))
}

fn identifier(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(identifier("a]; DROP DATABASE b"), "[a]]; DROP DATABASE b]");
        let file = File {
            name: "x'; --".to_owned(),
            position: None,
        };
        assert_eq!(device(&file), "DISK = N'x''; --'");
    }
}
