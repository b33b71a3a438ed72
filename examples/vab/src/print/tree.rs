//! Restore points as a tree: fulls, their differentials, and the logs that continue them.

use std::collections::{BTreeMap, BTreeSet};

use vab_manager::{PointId, Row};

use super::bytes::Bytes;

/// The restore points of all jobs and databases in `rows`, which are in listing order.
pub(crate) fn tree(rows: &[Row]) -> String {
    let mut lines = Vec::new();
    let mut databases: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        databases
            .entry((&row.job, &row.database))
            .or_default()
            .push(row);
    }
    let mut last_job = None;
    for ((job, database), rows) in databases {
        if last_job != Some(job) {
            lines.push(format!("job {job}"));
            last_job = Some(job);
        }
        Database::new(&rows).write(database, &mut lines);
    }
    lines.join("\n") + "\n"
}

/// The restore points of one database, and the numbers of its files.
struct Database<'r> {
    rows: &'r [&'r Row],
    roots: Vec<&'r Row>,
    children: BTreeMap<PointId, Vec<&'r Row>>,
    files: Vec<&'r str>,
    /// The files of each restore point: several when somebody copied a folder.
    points: BTreeMap<PointId, BTreeSet<&'r str>>,
}

impl<'r> Database<'r> {
    fn new(rows: &'r [&'r Row]) -> Self {
        let known: BTreeSet<PointId> = rows.iter().map(|row| row.id).collect();
        let mut roots = Vec::new();
        let mut children: BTreeMap<PointId, Vec<&Row>> = BTreeMap::new();
        let mut points: BTreeMap<PointId, BTreeSet<&str>> = BTreeMap::new();
        for &row in rows {
            let is_known = points.contains_key(&row.id);
            points.entry(row.id).or_default().insert(&row.file);
            if is_known {
                continue;
            }
            match row
                .base
                .filter(|base| known.contains(base) && *base != row.id)
            {
                Some(base) => children.entry(base).or_default().push(row),
                None => roots.push(row),
            }
        }
        let files: BTreeSet<_> = rows.iter().map(|row| row.file.as_str()).collect();
        Self {
            rows,
            roots,
            children,
            files: files.into_iter().collect(),
            points,
        }
    }

    fn write(&self, name: &str, lines: &mut Vec<String>) {
        let stored: u64 = self.rows.iter().map(|row| row.stored_bytes).sum();
        lines.push(format!(
            "  database {name}: {}, {}",
            count(self.points.len(), "restore point"),
            Bytes(stored)
        ));
        for (index, row) in self.roots.iter().enumerate() {
            self.branch(row, "    ", index + 1 == self.roots.len(), lines);
        }
        for (number, file) in (1..).zip(&self.files) {
            lines.push(format!("    file {number}: {file}"));
        }
    }

    fn files_of(&self, point: PointId) -> String {
        let files = self.points.get(&point).into_iter().flatten();
        let numbers: Vec<_> = files
            .filter_map(|file| self.files.binary_search(file).ok())
            .map(|index| (index + 1).to_string())
            .collect();
        let noun = if numbers.len() == 1 { "file" } else { "files" };
        format!("{noun} {}", numbers.join(" and "))
    }

    /// A base is always a full or a differential, so a tree is at most three levels deep.
    fn branch(&self, row: &Row, indent: &str, last: bool, lines: &mut Vec<String>) {
        lines.push(format!(
            "{indent}{} {}",
            if last { "└─" } else { "├─" },
            line(row, &self.files_of(row.id))
        ));
        let below = format!("{indent}{}  ", if last { " " } else { "│" });
        let children = self
            .children
            .get(&row.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (index, child) in children.iter().enumerate() {
            self.branch(child, &below, index + 1 == children.len(), lines);
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

fn line(row: &Row, files: &str) -> String {
    let kind = if row.copy_only {
        format!("{} copy-only", row.kind)
    } else {
        row.kind.clone()
    };
    let lsns = match (row.first_lsn, row.last_lsn) {
        (Some(first), Some(last)) => format!("LSN {first}..{last}"),
        _ => "LSN unknown".to_owned(),
    };
    let time = row.finished.map_or_else(
        || format!("stored {}", row.committed),
        |time| time.to_string(),
    );
    let streams = if row.streams > 1 {
        format!(" in {} streams", row.streams)
    } else {
        String::new()
    };
    let stored = match (row.codec.as_str(), row.encrypted) {
        ("raw", false) => String::new(),
        ("raw", true) => " (encrypted)".to_owned(),
        (codec, encrypted) => {
            let encrypted = if encrypted { ", encrypted" } else { "" };
            format!(" ({} {codec}{encrypted})", Bytes(row.stored_bytes))
        }
    };
    let problem = row
        .reason
        .as_ref()
        .map(|reason| format!("  ! {reason}"))
        .unwrap_or_default();
    format!(
        "{kind:<4} {time}  {lsns}  {}{stored}{streams}, {files}  {}{problem}",
        Bytes(row.bytes),
        row.id
    )
}
