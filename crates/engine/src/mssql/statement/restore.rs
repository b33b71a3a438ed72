//! `RESTORE DATABASE` and `RESTORE LOG`.

use std::collections::HashSet;
use std::num::NonZeroU32;

use vab_chain::{BackupKind, Lsn, ServerTime};
use vab_vdi::{DeviceName, Geometry};

use super::moment::constant;
use super::names::string;
use super::text::{Devices, Writer, is_master, not_tempdb};
use super::{Illegal, Name, ServerPath, Statement};
use crate::request::StopEdge;

/// Somebody has said that a database of this name may be overwritten (`REPLACE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceConsent(Name);

impl ReplaceConsent {
    /// The database may be overwritten, whatever it is.
    pub fn to_overwrite(database: Name) -> Self {
        Self(database)
    }
}

/// Where a file of the database goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMove {
    /// Its logical name.
    pub logical: Name,
    /// Its new path on the server.
    pub to: ServerPath,
}

/// The state that a restore leaves the database in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// `NORECOVERY`.
    #[default]
    NoRecovery,
    /// `RECOVERY`.
    Recovery,
    /// `STANDBY`; what is rolled back goes to this file.
    Standby(ServerPath),
}

/// Where to stop rolling forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `STOPAT`.
    Time(ServerTime),
    /// `STOPATMARK` or `STOPBEFOREMARK` with the name of a marked transaction; of logs only.
    Mark {
        /// The name.
        name: Name,
        /// The first such mark at or after this moment (`AFTER`).
        after: Option<ServerTime>,
        /// Whether the marked transaction is applied.
        edge: StopEdge,
    },
    /// `STOPATMARK` or `STOPBEFOREMARK` with an LSN.
    Lsn {
        /// The log record.
        lsn: Lsn,
        /// Whether it is applied.
        edge: StopEdge,
    },
}

impl Stop {
    fn option(&self, kind: BackupKind) -> Result<String, Illegal> {
        let word = |edge| match edge {
            StopEdge::At => "STOPATMARK",
            StopEdge::Before => "STOPBEFOREMARK",
        };
        match self {
            Self::Time(time) => Ok(format!("STOPAT = {}", string(&constant(*time)?))),
            Self::Lsn { lsn, edge } => Ok(format!("{} = N'lsn:{lsn}'", word(*edge))),
            Self::Mark { name, .. } if kind != BackupKind::Log => {
                let _ = name;
                Err(Illegal::MarkOnlyLog { kind })
            }
            Self::Mark { name, .. } if is_lsn(name.as_str()) => Err(Illegal::MarkIsLsn {
                name: name.to_string(),
            }),
            Self::Mark { name, after, edge } => {
                let mark = format!("{} = {}", word(*edge), name.string());
                match after {
                    None => Ok(mark),
                    Some(after) => Ok(format!("{mark} AFTER {}", string(&constant(*after)?))),
                }
            }
        }
    }
}

fn is_lsn(mark: &str) -> bool {
    mark.get(..4)
        .is_some_and(|begin| begin.eq_ignore_ascii_case("lsn:"))
}

/// One restore from virtual devices. Set the public fields after [`Restore::new`].
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of one statement"
)]
#[non_exhaustive]
pub struct Restore {
    /// The name to restore to.
    pub database: Name,
    /// What the set is.
    pub kind: BackupKind,
    /// The devices, one for each stripe of the set.
    pub devices: Vec<DeviceName>,
    /// Overwrite a database of this name (`REPLACE`); only with a full.
    pub replace: Option<ReplaceConsent>,
    /// Where files go (`MOVE`); others go where they were.
    pub moves: Vec<FileMove>,
    /// The state to leave the database in.
    pub after: After,
    /// Where to stop.
    pub stop: Option<Stop>,
    /// `CHECKSUM` (refused by the server if the set has none) or, by default, as the set has it.
    pub checksum: bool,
    /// `CONTINUE_AFTER_ERROR`.
    pub continue_after_error: bool,
    /// `KEEP_CDC`.
    pub keep_cdc: bool,
    /// `KEEP_REPLICATION`.
    pub keep_replication: bool,
    /// `BLOCKSIZE`, which must be that of the backup, and `MAXTRANSFERSIZE`.
    pub geometry: Geometry,
    /// `BUFFERCOUNT`; `None` leaves it to the server.
    pub buffers: Option<NonZeroU32>,
    /// `STATS`: how often progress is told, in percent of 1 to 100.
    pub stats: Option<u8>,
}

impl Restore {
    /// A restore that leaves the database restoring, with progress at every 5 percent.
    pub fn new(database: Name, kind: BackupKind, devices: Vec<DeviceName>) -> Self {
        Self {
            database,
            kind,
            devices,
            replace: None,
            moves: Vec::new(),
            after: After::default(),
            stop: None,
            checksum: false,
            continue_after_error: false,
            keep_cdc: false,
            keep_replication: false,
            geometry: Geometry::default(),
            buffers: None,
            stats: Some(5),
        }
    }

    /// The statement.
    ///
    /// # Errors
    /// When the options do not go together.
    pub fn statement(&self) -> Result<Statement, Illegal> {
        self.check()?;
        let mut text = Writer::new(match self.kind {
            BackupKind::Log => "RESTORE LOG ",
            BackupKind::Full | BackupKind::Differential => "RESTORE DATABASE ",
        });
        text.put(self.database.bracketed());
        text.put(" FROM ");
        text.put(Devices::of(&self.devices)?);
        text.option(after(&self.after));
        text.option_if(self.replace.is_some(), "REPLACE");
        for FileMove { logical, to } in &self.moves {
            text.option(format_args!("MOVE {} TO {}", logical.string(), to.string()));
        }
        if let Some(stop) = &self.stop {
            text.option(stop.option(self.kind)?);
        }
        text.option_if(self.keep_cdc, "KEEP_CDC");
        text.option_if(self.keep_replication, "KEEP_REPLICATION");
        text.option_if(self.checksum, "CHECKSUM");
        text.option_if(self.continue_after_error, "CONTINUE_AFTER_ERROR");
        text.sizes(self.geometry, self.buffers);
        text.stats(self.stats)?;
        Ok(text.done())
    }

    fn check(&self) -> Result<(), Illegal> {
        not_tempdb(&self.database)?;
        if let Some(ReplaceConsent(consented)) = &self.replace {
            if self.kind != BackupKind::Full {
                return Err(Illegal::ReplaceOnlyFull { kind: self.kind });
            }
            if consented != &self.database {
                return Err(Illegal::OtherConsent {
                    database: self.database.to_string(),
                    consented: consented.to_string(),
                });
            }
        }
        if self.after == After::NoRecovery {
            let option = [
                ("KEEP_CDC", self.keep_cdc),
                ("KEEP_REPLICATION", self.keep_replication),
            ];
            if let Some((option, _)) = option.into_iter().find(|(_, wanted)| *wanted) {
                return Err(Illegal::NeedsRecovery { option });
            }
        }
        if is_master(&self.database) {
            let what = if self.kind != BackupKind::Full {
                Some("a differential or log")
            } else if self.after != After::Recovery {
                Some("NORECOVERY or STANDBY")
            } else {
                self.stop.as_ref().map(|_| "a stop")
            };
            if let Some(what) = what {
                return Err(Illegal::Master { what });
            }
        }
        self.check_moves()
    }

    fn check_moves(&self) -> Result<(), Illegal> {
        let (mut files, mut paths) = (HashSet::new(), HashSet::new());
        for FileMove { logical, to } in &self.moves {
            if !files.insert(logical.as_str()) {
                return Err(Illegal::MovedTwice {
                    file: logical.to_string(),
                });
            }
            if !paths.insert(to.as_str()) {
                return Err(Illegal::SamePath {
                    path: to.as_str().to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn after(after: &After) -> String {
    match after {
        After::NoRecovery => "NORECOVERY".to_owned(),
        After::Recovery => "RECOVERY".to_owned(),
        After::Standby(undo) => format!("STANDBY = {}", undo.string()),
    }
}

/// Ends a sequence of restores without a backup.
#[derive(Clone, Debug)]
pub struct Recover {
    /// The database.
    pub database: Name,
    /// [`After::Recovery`] or [`After::Standby`]; the server takes `NORECOVERY` too, and does
    /// nothing.
    pub after: After,
}

impl Recover {
    /// The statement.
    ///
    /// # Errors
    /// When it is about `tempdb`.
    pub fn statement(&self) -> Result<Statement, Illegal> {
        not_tempdb(&self.database)?;
        let mut text = Writer::new("RESTORE DATABASE ");
        text.put(self.database.bracketed());
        text.option(after(&self.after));
        Ok(text.done())
    }
}
