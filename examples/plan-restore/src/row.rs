//! One row: the columns of `RESTORE HEADERONLY` or of `msdb.dbo.backupset`, in any case, with or
//! without underscores.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use uuid::Uuid;
use vab_chain::{BackupKind, BackupSet, DifferentialBase, Lsn, ServerTime};

use crate::cell::{self, Cell};

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("it has no {column} column; a restore cannot be planned without it")]
    Missing { column: &'static str },
    #[error("its {column} `{value}` is not {expected}")]
    Value {
        column: &'static str,
        value: String,
        expected: &'static str,
    },
}

/// A row, with column names in lower case and without underscores.
#[derive(Debug)]
pub(crate) struct Row(BTreeMap<String, Cell>);

impl Row {
    pub(crate) fn new(columns: BTreeMap<String, Box<RawValue>>) -> Self {
        let key = |name: String| name.replace(['_', ' '], "").to_ascii_lowercase();
        Self(
            columns
                .into_iter()
                .filter_map(|(name, value)| Some((key(name), Cell::read(&value)?)))
                .collect(),
        )
    }

    fn cell(&self, names: &[&str]) -> Option<&Cell> {
        names.iter().find_map(|name| self.0.get(*name))
    }

    fn text(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name).and_then(Cell::text))
    }

    fn flag(&self, names: &[&str]) -> bool {
        self.cell(names).and_then(Cell::flag).unwrap_or(false)
    }

    /// All zeros stands for "none".
    fn id(&self, names: &[&str]) -> Option<Uuid> {
        let text = self.text(names)?.trim_matches(['{', '}']);
        Uuid::parse_str(text).ok().filter(|id| !id.is_nil())
    }

    fn lsn(&self, column: &'static str, names: &[&str]) -> Result<Option<Lsn>, RowError> {
        let Some(text) = self.text(names) else {
            return Ok(None);
        };
        cell::lsn(text).map(Some).ok_or_else(|| RowError::Value {
            column,
            value: text.to_owned(),
            expected: "an LSN",
        })
    }

    fn needed_lsn(&self, column: &'static str, names: &[&str]) -> Result<Lsn, RowError> {
        self.lsn(column, names)?.ok_or(RowError::Missing { column })
    }

    fn time(&self, column: &'static str, names: &[&str]) -> Result<Option<ServerTime>, RowError> {
        let Some(text) = self.text(names) else {
            return Ok(None);
        };
        cell::time(text).map(Some).map_err(|_| RowError::Value {
            column,
            value: text.to_owned(),
            expected: "a time",
        })
    }

    /// The set's own identity, where the row has it.
    pub(crate) fn set_id(&self) -> Option<Uuid> {
        self.id(&["backupsetguid", "backupsetuuid", "backupsetid"])
    }

    /// The files of this row; several where it is written as a list.
    pub(crate) fn files(&self) -> Vec<String> {
        let names = ["backuppath", "fullname", "path", "physicaldevicename"];
        self.cell(&names).map(Cell::list).unwrap_or_default()
    }

    /// Which set of the file it is, counted from 1.
    pub(crate) fn position(&self) -> Option<u32> {
        self.text(&["position"])?.parse().ok()
    }

    /// Whether a date is written in the form that says UTC.
    pub(crate) fn has_utc_dates(&self) -> bool {
        let names = ["backupfinishdate", "backupstartdate", "end", "start"];
        self.text(&names)
            .is_some_and(|text| text.starts_with("/Date("))
    }

    /// Full, differential or log; `None` for file, partial and other backups.
    pub(crate) fn kind(&self) -> Result<Option<BackupKind>, RowError> {
        let column = "BackupType";
        let names = ["backuptype", "type", "backuptypedescription"];
        let text = self.text(&names).ok_or(RowError::Missing { column })?;
        let known = match text.to_ascii_lowercase().as_str() {
            "1" | "d" | "full" | "database" => Some(BackupKind::Full),
            "5" | "i" | "diff" | "differential" | "database differential" => {
                Some(BackupKind::Differential)
            }
            "2" | "l" | "log" | "transaction log" => Some(BackupKind::Log),
            "4" | "6" | "7" | "8" | "f" | "g" | "p" | "q" => None,
            text if text.contains("file") || text.contains("partial") => None,
            _ => {
                return Err(RowError::Value {
                    column,
                    value: text.to_owned(),
                    expected: "a backup type",
                });
            }
        };
        Ok(known)
    }

    /// The backup set, under the identity `id`.
    pub(crate) fn set(&self, id: Uuid, kind: BackupKind) -> Result<BackupSet, RowError> {
        let first = self.needed_lsn("FirstLSN", &["firstlsn"])?;
        let last = self.needed_lsn("LastLSN", &["lastlsn"])?;
        let started = self.time("BackupStartDate", &["backupstartdate", "start"])?;
        let finished = self.time("BackupFinishDate", &["backupfinishdate", "end"])?;
        let finished = finished.or(started).ok_or(RowError::Missing {
            column: "BackupFinishDate",
        })?;
        let name = self.text(&["databasename", "database"]).unwrap_or_default();
        let started = started.unwrap_or(finished);
        let mut set = BackupSet::new(id.into(), name, kind, first..last, started, finished);
        self.text(&["servername", "sqlinstance"])
            .unwrap_or_default()
            .clone_into(&mut set.server);
        set.copy_only = self.flag(&["iscopyonly"]);
        set.checkpoint_lsn = self
            .lsn("CheckpointLSN", &["checkpointlsn"])?
            .unwrap_or(first);
        set.database_backup_lsn = self
            .lsn("DatabaseBackupLSN", &["databasebackuplsn"])?
            .unwrap_or(Lsn::ZERO);
        let base_lsn = self.lsn("DifferentialBaseLSN", &["differentialbaselsn"])?;
        let base_id = self.id(&["differentialbaseguid"]);
        set.differential_base = (kind == BackupKind::Differential).then(|| DifferentialBase {
            id: base_id.map(Into::into),
            lsn: base_lsn.unwrap_or(set.database_backup_lsn),
        });
        let last_fork = [
            "recoveryforkid",
            "lastrecoveryforkguid",
            "lastrecoveryforkid",
        ];
        set.last_fork = self.id(&last_fork).map(Into::into);
        set.first_fork = self
            .id(&["firstrecoveryforkid", "firstrecoveryforkguid"])
            .map(Into::into);
        set.fork_point = self.lsn("ForkPointLSN", &["forkpointlsn"])?;
        set.family_id = self.id(&["familyguid"]).map(Into::into);
        set.database_id = self.id(&["databaseguid", "bindingid"]).map(Into::into);
        set.flags.begins_log_chain = self.flag(&["beginslogchain"]);
        set.flags.bulk_logged = self.flag(&["hasbulkloggeddata"]);
        set.flags.tail = self.flag(&["isforceoffline"]);
        set.flags.damaged = self.flag(&["isdamaged"]);
        set.flags.incomplete_metadata = self.flag(&["hasincompletemetadata"]);
        set.flags.checksums = self.flag(&["hasbackupchecksums"]);
        Ok(set)
    }
}
