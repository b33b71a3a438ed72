//! Which backups a database can have at all.
//!
//! Whether a backup would also connect to those that are there is another question; the chain
//! answers it (`vab_chain::Chain::next_backup`).

use std::fmt;

use vab_chain::BackupKind;

use crate::engine::{DatabaseInfo, DatabaseState, RecoveryModel};

/// A kind of backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct LegalKind {
    /// Full, differential or log.
    pub kind: BackupKind,
    /// Outside the chain of the database.
    pub copy_only: bool,
}

/// Why a kind of backup is not for a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Illegal {
    /// `tempdb` is made anew at every start of the server.
    #[error("tempdb is made anew at every start of the server and is never backed up")]
    Temporary,
    /// The database cannot be used.
    #[error("it is {state}; only a database that is online can be backed up")]
    NotOnline {
        /// How it stands.
        state: DatabaseState,
    },
    /// Of `master` there are full backups only.
    #[error("of master there are full backups only")]
    MasterFullOnly,
    /// Nothing changes in a read-only database.
    #[error("it is read-only: its full backup is all there can be")]
    ReadOnly,
    /// The simple recovery model keeps no log.
    #[error("in the simple recovery model the log cannot be backed up")]
    SimpleRecovery,
    /// A secondary replica gives copy-only fulls and ordinary logs.
    #[error(
        "it is a secondary replica: of those there are copy-only full backups and ordinary log backups only"
    )]
    SecondaryReplica,
    /// A differential never changes the chain; there is nothing to leave alone.
    #[error("a differential cannot be copy-only")]
    CopyOnlyDifferential,
}

/// The kinds in the order in which people name them.
const KINDS: [LegalKind; 5] = [
    LegalKind::new(BackupKind::Full, false),
    LegalKind::new(BackupKind::Differential, false),
    LegalKind::new(BackupKind::Log, false),
    LegalKind::new(BackupKind::Full, true),
    LegalKind::new(BackupKind::Log, true),
];

impl LegalKind {
    /// A kind.
    pub const fn new(kind: BackupKind, copy_only: bool) -> Self {
        Self { kind, copy_only }
    }
}

impl DatabaseInfo {
    /// Every kind of backup that is legal for the database as it stands.
    ///
    /// ```
    /// use vab_engine::{DatabaseInfo, DatabaseState, RecoveryModel};
    ///
    /// let master = DatabaseInfo::new("master", DatabaseState::Online, RecoveryModel::Simple);
    /// let kinds: Vec<_> = master.legal_kinds().iter().map(ToString::to_string).collect();
    /// assert_eq!(kinds, ["full", "full copy-only"]);
    /// ```
    pub fn legal_kinds(&self) -> Vec<LegalKind> {
        let legal = |wanted: &LegalKind| self.check_legal(wanted.kind, wanted.copy_only).is_ok();
        KINDS.into_iter().filter(legal).collect()
    }

    /// Whether a kind of backup is legal for the database as it stands.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check_legal(&self, kind: BackupKind, copy_only: bool) -> Result<(), Illegal> {
        if self.is_named("tempdb") {
            return Err(Illegal::Temporary);
        }
        if self.state != DatabaseState::Online {
            return Err(Illegal::NotOnline { state: self.state });
        }
        if kind == BackupKind::Differential && copy_only {
            return Err(Illegal::CopyOnlyDifferential);
        }
        if kind != BackupKind::Full {
            self.check_increment(kind)?;
        }
        let secondary = self.replica.is_some_and(|replica| replica.secondary);
        let given = match kind {
            BackupKind::Full => copy_only,
            BackupKind::Differential => false,
            BackupKind::Log => !copy_only,
        };
        if secondary && !given {
            return Err(Illegal::SecondaryReplica);
        }
        Ok(())
    }

    fn check_increment(&self, kind: BackupKind) -> Result<(), Illegal> {
        if self.is_named("master") {
            return Err(Illegal::MasterFullOnly);
        }
        if kind == BackupKind::Log && self.recovery_model == RecoveryModel::Simple {
            return Err(Illegal::SimpleRecovery);
        }
        if self.read_only {
            return Err(Illegal::ReadOnly);
        }
        Ok(())
    }

    /// The names of system databases are the same in any case.
    fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl fmt::Display for LegalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let copy_only = if self.copy_only { " copy-only" } else { "" };
        write!(f, "{}{copy_only}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Replica;

    fn database(name: &str, model: RecoveryModel) -> DatabaseInfo {
        DatabaseInfo::new(name, DatabaseState::Online, model)
    }

    fn kinds(info: &DatabaseInfo) -> String {
        let kinds: Vec<_> = info
            .legal_kinds()
            .iter()
            .map(LegalKind::to_string)
            .collect();
        kinds.join(", ")
    }

    #[test]
    fn a_database_in_full_recovery_has_every_kind() {
        for model in [RecoveryModel::Full, RecoveryModel::BulkLogged] {
            assert_eq!(
                kinds(&database("Sales", model)),
                "full, diff, log, full copy-only, log copy-only"
            );
        }
    }

    #[test]
    fn in_simple_recovery_there_is_no_log_backup() {
        let simple = database("Sales", RecoveryModel::Simple);
        assert_eq!(kinds(&simple), "full, diff, full copy-only");
        let refused = simple.check_legal(BackupKind::Log, false);
        assert_eq!(refused, Err(Illegal::SimpleRecovery));
    }

    #[test]
    fn tempdb_has_none() {
        let tempdb = database("TempDB", RecoveryModel::Simple);
        assert_eq!(kinds(&tempdb), "");
        let refused = tempdb.check_legal(BackupKind::Full, false);
        assert_eq!(refused, Err(Illegal::Temporary));
    }

    #[test]
    fn master_has_full_backups_only() {
        let master = database("master", RecoveryModel::Simple);
        assert_eq!(kinds(&master), "full, full copy-only");
        let refused = master.check_legal(BackupKind::Differential, false);
        assert_eq!(refused, Err(Illegal::MasterFullOnly));
        let model = database("model", RecoveryModel::Full);
        assert_eq!(model.legal_kinds().len(), 5);
    }

    #[test]
    fn a_read_only_database_has_full_backups_only() {
        let mut archive = database("Archive", RecoveryModel::Full);
        archive.read_only = true;
        assert_eq!(kinds(&archive), "full, full copy-only");
    }

    #[test]
    fn a_database_that_is_not_online_has_none() {
        for state in [
            DatabaseState::Restoring,
            DatabaseState::Standby,
            DatabaseState::Suspect,
            DatabaseState::Recovering,
            DatabaseState::RecoveryPending,
            DatabaseState::Emergency,
            DatabaseState::Offline,
        ] {
            let info = DatabaseInfo::new("Sales", state, RecoveryModel::Full);
            assert_eq!(kinds(&info), "");
            let refused = info.check_legal(BackupKind::Full, false);
            assert_eq!(refused, Err(Illegal::NotOnline { state }));
        }
    }

    #[test]
    fn a_secondary_replica_gives_copy_only_fulls_and_ordinary_logs() {
        let mut info = database("Sales", RecoveryModel::Full);
        info.replica = Some(Replica {
            secondary: true,
            preferred: true,
        });
        assert_eq!(kinds(&info), "log, full copy-only");
        info.replica = Some(Replica {
            secondary: false,
            preferred: false,
        });
        assert_eq!(info.legal_kinds().len(), 5);
    }

    #[test]
    fn a_copy_only_differential_is_a_contradiction() {
        let refused =
            database("Sales", RecoveryModel::Full).check_legal(BackupKind::Differential, true);
        assert_eq!(refused, Err(Illegal::CopyOnlyDifferential));
    }
}
