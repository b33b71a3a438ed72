//! Which kinds of backup a database can have.

use vab_chain::BackupKind;

use crate::engine::{DatabaseInfo, DatabaseState, RecoveryModel, Role};

/// Why a database cannot have a backup of this kind now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inadmissible {
    /// It is not online.
    #[error("the database {database} is {state}; only an online database can be backed up")]
    NotOnline {
        /// Its name.
        database: String,
        /// How it stands.
        state: DatabaseState,
    },
    /// It is made anew at every start of the server.
    #[error("{database} is never backed up: the server makes it anew when it starts")]
    Temporary {
        /// Its name.
        database: String,
    },
    /// `master` has full backups only.
    #[error("the database {database} can only have full backups, not a {kind} backup")]
    FullOnly {
        /// Its name.
        database: String,
        /// What was wanted.
        kind: BackupKind,
    },
    /// The simple model keeps no log.
    #[error("the database {database} has the SIMPLE recovery model: it has no log backups")]
    NoLog {
        /// Its name.
        database: String,
    },
    /// A database that cannot be written cannot note what a backup did.
    #[error(
        "the database {database} is read-only: it can have full backups only, not a {kind} backup"
    )]
    ReadOnly {
        /// Its name.
        database: String,
        /// What was wanted.
        kind: BackupKind,
    },
    /// Secondary replicas cannot have differentials.
    #[error(
        "the database {database} is a secondary replica here, which cannot have differentials; take it at the primary"
    )]
    DifferentialOnSecondary {
        /// Its name.
        database: String,
    },
    /// Secondary replicas can have copy-only fulls only.
    #[error(
        "the database {database} is a secondary replica here: a full backup of it has to be copy-only, or taken at the primary"
    )]
    FullOnSecondary {
        /// Its name.
        database: String,
    },
    /// Secondary replicas can have no copy-only logs.
    #[error(
        "the database {database} is a secondary replica here, which can have no copy-only log backups; take an ordinary one"
    )]
    CopyOnlyLogOnSecondary {
        /// Its name.
        database: String,
    },
}

impl Inadmissible {
    /// Whether a run over all databases passes such a one over with a note, as opposed to a
    /// mistake in what was asked.
    pub const fn is_skipped(&self) -> bool {
        !matches!(self, Self::CopyOnlyLogOnSecondary { .. })
    }
}

impl DatabaseInfo {
    /// Whether the database can have a backup of this kind now.
    ///
    /// The rules are those of SQL Server's documentation of `BACKUP` and of backups on secondary
    /// replicas. Whether such a backup could be *restored* is the chain guard's question.
    ///
    /// # Errors
    /// When the server would refuse; the error names the rule.
    pub fn admits(&self, kind: BackupKind, copy_only: bool) -> Result<(), Inadmissible> {
        let database = || self.name.clone();
        let is = |name| self.name.eq_ignore_ascii_case(name);
        if is("tempdb") {
            return Err(Inadmissible::Temporary {
                database: database(),
            });
        }
        let secondary = self
            .availability
            .is_some_and(|group| group.role != Role::Primary);
        if self.state != DatabaseState::Online {
            return Err(Inadmissible::NotOnline {
                database: database(),
                state: self.state,
            });
        }
        if is("master") && kind != BackupKind::Full {
            return Err(Inadmissible::FullOnly {
                database: database(),
                kind,
            });
        }
        if kind == BackupKind::Log && self.recovery_model == RecoveryModel::Simple {
            return Err(Inadmissible::NoLog {
                database: database(),
            });
        }
        match kind {
            BackupKind::Differential if secondary => Err(Inadmissible::DifferentialOnSecondary {
                database: database(),
            }),
            BackupKind::Full if secondary && !copy_only => Err(Inadmissible::FullOnSecondary {
                database: database(),
            }),
            BackupKind::Log if secondary && copy_only => {
                Err(Inadmissible::CopyOnlyLogOnSecondary {
                    database: database(),
                })
            }
            // A secondary is read-only by its role, not by its setting.
            BackupKind::Differential | BackupKind::Log if self.read_only && !secondary => {
                Err(Inadmissible::ReadOnly {
                    database: database(),
                    kind,
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Availability;

    fn database(name: &str) -> DatabaseInfo {
        DatabaseInfo::new(name, DatabaseState::Online, RecoveryModel::Full)
    }

    /// The kinds that are admitted: `d` full, `c` copy-only full, `i` differential, `l` log,
    /// `k` copy-only log.
    fn admitted(info: &DatabaseInfo) -> String {
        [
            ('d', BackupKind::Full, false),
            ('c', BackupKind::Full, true),
            ('i', BackupKind::Differential, false),
            ('l', BackupKind::Log, false),
            ('k', BackupKind::Log, true),
        ]
        .into_iter()
        .filter(|(_, kind, copy_only)| info.admits(*kind, *copy_only).is_ok())
        .map(|(letter, ..)| letter)
        .collect()
    }

    #[test]
    fn each_model_and_system_database_has_its_kinds() {
        assert_eq!(admitted(&database("Sales")), "dcilk");
        let mut simple = database("Sales");
        simple.recovery_model = RecoveryModel::Simple;
        assert_eq!(admitted(&simple), "dci");
        simple.recovery_model = RecoveryModel::BulkLogged;
        assert_eq!(admitted(&simple), "dcilk");
        assert_eq!(admitted(&database("Master")), "dc");
        assert_eq!(admitted(&database("model")), "dcilk");
        assert_eq!(admitted(&database("TEMPDB")), "");
    }

    #[test]
    fn a_read_only_database_has_fulls() {
        let mut info = database("Archive");
        info.read_only = true;
        assert_eq!(admitted(&info), "dc");
    }

    #[test]
    fn replicas_have_what_their_role_allows() {
        let mut info = database("Sales");
        let mut admitted_as = |role| {
            info.availability = Some(Availability {
                role,
                preferred: true,
            });
            admitted(&info)
        };
        assert_eq!(admitted_as(Role::Primary), "dcilk");
        assert_eq!(admitted_as(Role::Secondary), "cl");
        assert_eq!(admitted_as(Role::Resolving), "cl");
    }

    #[test]
    fn what_is_not_online_is_skipped() {
        for state in [
            DatabaseState::Restoring,
            DatabaseState::Standby,
            DatabaseState::Suspect,
            DatabaseState::Offline,
            DatabaseState::Recovering,
            DatabaseState::RecoveryPending,
            DatabaseState::Emergency,
        ] {
            let mut info = database("Sales");
            info.state = state;
            assert_eq!(admitted(&info), "", "{state}");
            let why = info.admits(BackupKind::Full, false).unwrap_err();
            assert!(why.is_skipped() && why.to_string().contains(&state.to_string()));
        }
    }
}
