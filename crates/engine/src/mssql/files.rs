//! Where the files of a restored database go.

use std::collections::HashSet;

use super::before::Identity;
use super::connection::{Row, RowError};
use super::statement::{Name, Query, ServerPath, Statement};
use crate::request::FileMove;

/// A file in a backup, as `RESTORE FILELISTONLY` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedFile {
    logical: String,
    physical: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Log,
    /// A folder of `FILESTREAM` or memory-optimized data.
    Folder,
}

impl ListedFile {
    pub(super) fn of_row(row: &Row) -> Result<Self, RowError> {
        Ok(Self {
            logical: row.some_text("LogicalName")?,
            physical: row.some_text("PhysicalName")?,
            kind: match row.some_text("Type")?.trim() {
                "L" => Kind::Log,
                "S" => Kind::Folder,
                _ => Kind::Data,
            },
        })
    }
}

/// The files that a database has now, by their logical names.
pub(super) fn files_of(database: &Name) -> Statement {
    Query::new(
        "SELECT f.name, f.physical_name FROM sys.master_files AS f \
         JOIN sys.databases AS d ON d.database_id = f.database_id WHERE d.name = ",
    )
    .text(database.as_str())
    .statement()
}

/// Where each file goes: where the database has a file of that name already, that one is
/// overwritten; else into the server's default folder, under a name made of the database's and the
/// file's.
pub(super) fn moves(
    database: &str,
    listed: &[ListedFile],
    present: &[(String, String)],
    server: &Identity,
) -> Vec<FileMove> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut moves = Vec::with_capacity(listed.len());
    for file in listed {
        let now = present
            .iter()
            .find(|(logical, _)| *logical == file.logical)
            .map(|(_, physical)| physical.clone());
        let to = now.unwrap_or_else(|| default_place(database, file, server, &taken));
        taken.insert(to.to_lowercase());
        moves.push(FileMove {
            logical: file.logical.clone(),
            to,
        });
    }
    moves
}

fn default_place(
    database: &str,
    file: &ListedFile,
    server: &Identity,
    taken: &HashSet<String>,
) -> String {
    let separator = server.platform.separator();
    let folder = match file.kind {
        Kind::Log => server.log_path.as_ref().or(server.data_path.as_ref()),
        Kind::Data | Kind::Folder => server.data_path.as_ref(),
    };
    let Some(folder) = folder else {
        return file.physical.clone();
    };
    let folder = folder.trim_end_matches(['/', '\\']);
    let base = format!("{}_{}", plain(database, 60), plain(&file.logical, 60));
    let extension = match file.kind {
        Kind::Folder => String::new(),
        Kind::Log => ".ldf".to_owned(),
        Kind::Data => extension(&file.physical),
    };
    let mut number = 1;
    loop {
        let place = if number == 1 {
            format!("{folder}{separator}{base}{extension}")
        } else {
            format!("{folder}{separator}{base}_{number}{extension}")
        };
        if !taken.contains(&place.to_lowercase()) {
            return place;
        }
        number += 1;
    }
}

/// The extension the data file has: `.mdf` of the first, `.ndf` of the others, by custom.
fn extension(physical: &str) -> String {
    let name = physical.rsplit(['/', '\\']).next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension))
            if extension.len() <= 8 && extension.chars().all(|c| c.is_ascii_alphanumeric()) =>
        {
            format!(".{extension}")
        }
        _ => ".ndf".to_owned(),
    }
}

/// A name as a part of a file's name on every system.
fn plain(name: &str, limit: usize) -> String {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain = name.chars().map(|c| if allowed(c) { c } else { '_' });
    plain.take(limit).collect()
}

/// The undo file of a database in standby: always the same one, so that the next restore finds it.
pub(super) fn undo_file(database: &str, server: &Identity) -> Option<ServerPath> {
    let folder = server.data_path.as_deref()?.trim_end_matches(['/', '\\']);
    let separator = server.platform.separator();
    let name = plain(database, 100);
    ServerPath::new(format!("{folder}{separator}{name}.vab-standby")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::before::Platform;

    fn server(platform: Platform, data: &str, log: Option<&str>) -> Identity {
        Identity {
            version: String::new(),
            edition: String::new(),
            server: String::new(),
            platform,
            login: String::new(),
            sysadmin: true,
            data_path: Some(data.to_owned()),
            log_path: log.map(str::to_owned),
        }
    }

    fn file(logical: &str, physical: &str, kind: Kind) -> ListedFile {
        ListedFile {
            logical: logical.to_owned(),
            physical: physical.to_owned(),
            kind,
        }
    }

    fn paths(moves: &[FileMove]) -> Vec<&str> {
        moves.iter().map(|moved| moved.to.as_str()).collect()
    }

    #[test]
    fn new_files_go_to_the_servers_folders_and_each_has_its_own_name() {
        let listed = [
            file("Sales", r"C:\old\Sales.mdf", Kind::Data),
            file("more/1", r"C:\old\Sales2.ndf", Kind::Data),
            file("more?1", "C:\\old\\odd", Kind::Data),
            file("Sales_log", r"C:\old\Sales_log.ldf", Kind::Log),
            file("blobs", r"C:\old\blobs", Kind::Folder),
        ];
        let linux = server(Platform::Linux, "/var/opt/mssql/data/", None);
        assert_eq!(
            paths(&moves("Copy", &listed, &[], &linux)),
            [
                "/var/opt/mssql/data/Copy_Sales.mdf",
                "/var/opt/mssql/data/Copy_more_1.ndf",
                "/var/opt/mssql/data/Copy_more_1_2.ndf",
                "/var/opt/mssql/data/Copy_Sales_log.ldf",
                "/var/opt/mssql/data/Copy_blobs",
            ]
        );
        let windows = server(Platform::Windows, "D:\\data\\", Some("L:\\log\\"));
        let to = moves("Co:py", &listed, &[], &windows);
        assert_eq!(to.first().unwrap().to, r"D:\data\Co_py_Sales.mdf");
        assert_eq!(to.get(3).unwrap().to, r"L:\log\Co_py_Sales_log.ldf");
    }

    #[test]
    fn files_of_the_database_that_is_overwritten_stay_where_they_are() {
        let listed = [
            file("Sales", r"C:\old\Sales.mdf", Kind::Data),
            file("Sales_log", r"C:\old\Sales_log.ldf", Kind::Log),
        ];
        let present = [("Sales".to_owned(), "/fast/s.mdf".to_owned())];
        let linux = server(Platform::Linux, "/data", None);
        assert_eq!(
            paths(&moves("Sales", &listed, &present, &linux)),
            ["/fast/s.mdf", "/data/Sales_Sales_log.ldf"]
        );
    }

    #[test]
    fn names_that_differ_only_where_a_path_cannot_still_differ() {
        let listed = [file("a", "a", Kind::Data), file("A", "A", Kind::Data)];
        let linux = server(Platform::Linux, "/d", None);
        let to = moves("x", &listed, &[], &linux);
        assert_eq!(paths(&to), ["/d/x_a.ndf", "/d/x_A_2.ndf"]);
    }
}
