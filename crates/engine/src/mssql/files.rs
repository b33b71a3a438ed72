//! Where the files of a restored database go.

use std::collections::{HashMap, HashSet};

use super::before::Identity;
use super::connection::{Row, RowError};
use super::statement::{Illegal, Name, Query, ServerPath, Statement};
use crate::error::EngineError;
use crate::placement::Placement;
use crate::refusal::Refusal;
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

/// What is known before a backup is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The name to restore to.
    pub(super) database: &'a str,
    /// What somebody has said.
    pub(super) placement: &'a Placement,
}

impl Asked<'_> {
    /// Where each file goes: where somebody said; else into the folder that somebody named; else,
    /// where the database has a file of that name already, over that one; else into the server's
    /// default folder, under a name made of the database's and the file's.
    pub(super) fn moves(
        self,
        listed: &[ListedFile],
        present: &[(String, String)],
        server: &Identity,
    ) -> Result<Vec<FileMove>, EngineError> {
        let asked = self.asked(listed)?;
        let mut taken: HashSet<String> = HashSet::new();
        taken.extend(asked.values().map(|to| to.to_lowercase()));
        let mut moves = Vec::with_capacity(listed.len());
        for file in listed {
            let logical = file.logical.as_str();
            let now = present.iter().find(|(name, _)| name == logical);
            let now = now.filter(|_| self.folder(file.kind).is_none());
            let to = match (asked.get(logical), now) {
                (Some(to), _) => (*to).to_owned(),
                (None, Some((_, physical))) => physical.clone(),
                (None, None) => self.place(file, server, &taken),
            };
            taken.insert(to.to_lowercase());
            moves.push(FileMove {
                logical: file.logical.clone(),
                to,
            });
        }
        Ok(moves)
    }

    /// The files that somebody has named, by the names that the backup has for them.
    fn asked<'l>(&self, listed: &'l [ListedFile]) -> Result<HashMap<&'l str, &str>, EngineError> {
        let mut asked = HashMap::new();
        for FileMove { logical, to } in &self.placement.moves {
            let exact = listed.iter().find(|file| file.logical == *logical);
            let file = exact.or_else(|| {
                let same =
                    |file: &&ListedFile| file.logical.to_lowercase() == logical.to_lowercase();
                let mut alike = listed.iter().filter(same);
                alike.next().filter(|_| alike.next().is_none())
            });
            let Some(file) = file else {
                let names: Vec<_> = listed.iter().map(|file| file.logical.as_str()).collect();
                return Err(Refusal::NoSuchFile {
                    file: logical.clone(),
                    there: names.join(", "),
                }
                .into());
            };
            if asked.insert(file.logical.as_str(), to.as_str()).is_some() {
                return Err(Illegal::MovedTwice {
                    file: logical.clone(),
                }
                .into());
            }
        }
        Ok(asked)
    }

    /// The folder that somebody named for files of this kind.
    fn folder(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Log => self.placement.log_folder.as_deref(),
            Kind::Data | Kind::Folder => self.placement.data_folder.as_deref(),
        }
    }

    fn place(self, file: &ListedFile, server: &Identity, taken: &HashSet<String>) -> String {
        let separator = server.platform.separator();
        let default = match file.kind {
            Kind::Log => server.log_path.as_deref().or(server.data_path.as_deref()),
            Kind::Data | Kind::Folder => server.data_path.as_deref(),
        };
        let Some(folder) = self.folder(file.kind).or(default) else {
            return file.physical.clone();
        };
        let folder = folder.trim_end_matches(['/', '\\']);
        let base = format!("{}_{}", plain(self.database, 60), plain(&file.logical, 60));
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

    fn moves(
        database: &str,
        listed: &[ListedFile],
        present: &[(String, String)],
        server: &Identity,
    ) -> Vec<FileMove> {
        placed(database, &Placement::default(), listed, present, server).unwrap()
    }

    fn placed(
        database: &str,
        placement: &Placement,
        listed: &[ListedFile],
        present: &[(String, String)],
        server: &Identity,
    ) -> Result<Vec<FileMove>, EngineError> {
        let asked = Asked {
            database,
            placement,
        };
        asked.moves(listed, present, server)
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

    fn three() -> [ListedFile; 3] {
        [
            file("Sales", r"C:\old\Sales.mdf", Kind::Data),
            file("More", r"C:\old\More.ndf", Kind::Data),
            file("Sales_log", r"C:\old\Sales_log.ldf", Kind::Log),
        ]
    }

    fn to(logical: &str, to: &str) -> FileMove {
        FileMove {
            logical: logical.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn what_somebody_says_goes_before_what_is_there() {
        let present = [
            ("Sales".to_owned(), "/fast/s.mdf".to_owned()),
            ("More".to_owned(), "/fast/m.ndf".to_owned()),
        ];
        let linux = server(Platform::Linux, "/data", None);
        let placement = Placement {
            moves: vec![to("sales_LOG", "/else/x.ldf")],
            data_folder: Some("/new/".to_owned()),
            log_folder: None,
        };
        let found = placed("Copy", &placement, &three(), &present, &linux).unwrap();
        assert_eq!(
            paths(&found),
            ["/new/Copy_Sales.mdf", "/new/Copy_More.ndf", "/else/x.ldf"]
        );
        let placement = Placement {
            moves: vec![to("Sales", "/data/Copy_More.ndf")],
            ..Placement::default()
        };
        let found = placed("Copy", &placement, &three(), &[], &linux).unwrap();
        assert_eq!(
            paths(&found),
            [
                "/data/Copy_More.ndf",
                "/data/Copy_More_2.ndf",
                "/data/Copy_Sales_log.ldf"
            ]
        );
    }

    #[test]
    fn a_file_that_the_backup_does_not_have_is_named_with_those_it_has() {
        let linux = server(Platform::Linux, "/data", None);
        let refused = |moves| {
            let placement = Placement {
                moves,
                ..Placement::default()
            };
            placed("Copy", &placement, &three(), &[], &linux).unwrap_err()
        };
        let error = refused(vec![to("Sale", "/x")]);
        assert!(matches!(&error, EngineError::Refused(refusal) if refusal.number() == 3234));
        assert!(
            error.to_string().contains("Sales, More, Sales_log"),
            "{error}"
        );
        let twice = refused(vec![to("Sales", "/x"), to("sales", "/y")]);
        let EngineError::Io { error, .. } = twice else {
            panic!("{twice:?}");
        };
        assert!(error.to_string().contains("moved twice"), "{error}");
    }
}
