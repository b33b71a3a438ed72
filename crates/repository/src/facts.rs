//! What is known about a backup, as the chain has it and as the files have it.

use uuid::Uuid;
use vab_chain::{
    BackupKind, BackupSet, BackupSetId, DatabaseId, DifferentialBase, FamilyId, ForkId, Lsn,
    ServerTime, SetFlags,
};
use vab_format::block::Codecs;
use vab_format::session::{self, Base, LogPosition, SessionRecord, SetFacts, SetKind, SetMarks};
use vab_format::{DecodeError, EncodeError};

/// What is known about a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large kind"
)]
pub enum Facts {
    /// Everything that the engine recorded.
    Known(BackupSet),
    /// A container that could not be looked into, as a compressed native backup is: its LSNs are
    /// not known, so it can be given back but not planned with.
    Opaque {
        /// Its kind, when somebody said so.
        kind: Option<BackupKind>,
    },
}

impl Facts {
    /// Full, differential or log; `None` when not known.
    pub fn kind(&self) -> Option<BackupKind> {
        match self {
            Self::Known(set) => Some(set.kind),
            Self::Opaque { kind } => *kind,
        }
    }

    /// What the engine recorded; `None` when that is not known.
    pub fn known(&self) -> Option<&BackupSet> {
        match self {
            Self::Known(set) => Some(set),
            Self::Opaque { .. } => None,
        }
    }
}

/// What a commit adds to a session's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// What is known about the backup.
    pub facts: Facts,
    /// The names of the files that the streams were read from, one for each stream in their
    /// order; empty when they came from an engine.
    pub names: Vec<String>,
}

impl SessionFacts {
    /// The facts as bytes, to travel with a commit. [`SessionFacts::decode`] reads them.
    ///
    /// # Errors
    /// When a name is longer than the format allows.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let identity = Identity {
            id: Uuid::nil(),
            job: String::new(),
            database: self
                .facts
                .known()
                .map(|set| set.database.clone())
                .unwrap_or_default(),
            copy_only: self.facts.known().is_some_and(|set| set.copy_only),
            started: 0,
            committed: 0,
            encrypted: false,
            codecs: Codecs::default(),
        };
        self.record(identity, Vec::new()).encode()
    }

    /// Reads what [`SessionFacts::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are not what it writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let record = SessionRecord::decode(bytes)?;
        Ok(Self {
            facts: facts_of(&record),
            names: record.names,
        })
    }

    pub(crate) fn record(
        &self,
        identity: Identity,
        streams: Vec<vab_format::stream::StreamEnd>,
    ) -> SessionRecord {
        SessionRecord {
            id: identity.id,
            job: identity.job,
            database: identity.database,
            server: self
                .facts
                .known()
                .map(|set| set.server.clone())
                .unwrap_or_default(),
            started: identity.started,
            committed: identity.committed,
            copy_only: identity.copy_only,
            encrypted: identity.encrypted,
            codecs: identity.codecs,
            facts: match &self.facts {
                Facts::Known(set) => session::Facts::Known(stored(set)),
                Facts::Opaque { kind } => session::Facts::Opaque {
                    kind: kind.map(stored_kind),
                },
            },
            streams,
            names: self.names.clone(),
        }
    }
}

/// What a session record says beside the facts.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: Uuid,
    pub(crate) job: String,
    pub(crate) database: String,
    pub(crate) copy_only: bool,
    pub(crate) started: i64,
    pub(crate) committed: i64,
    pub(crate) encrypted: bool,
    pub(crate) codecs: Codecs,
}

/// The facts in a session record.
pub(crate) fn facts_of(record: &SessionRecord) -> Facts {
    match &record.facts {
        session::Facts::Known(facts) => Facts::Known(set(record, facts)),
        session::Facts::Opaque { kind } => Facts::Opaque {
            kind: kind.and_then(kind_of),
        },
    }
}

fn set(record: &SessionRecord, facts: &SetFacts) -> BackupSet {
    let mut set = BackupSet::new(
        BackupSetId(facts.set_id),
        record.database.clone(),
        kind_of(facts.kind).unwrap_or(BackupKind::Full),
        lsn(facts.first_lsn)..lsn(facts.last_lsn),
        ServerTime::from_micros(facts.started),
        ServerTime::from_micros(facts.finished),
    );
    set.server.clone_from(&record.server);
    set.copy_only = record.copy_only;
    set.checkpoint_lsn = lsn(facts.checkpoint_lsn);
    set.database_backup_lsn = lsn(facts.database_backup_lsn);
    set.differential_base = facts.differential_base.map(|base| DifferentialBase {
        id: base.id.map(BackupSetId),
        lsn: lsn(base.lsn),
    });
    set.first_fork = facts.first_fork.map(ForkId);
    set.last_fork = facts.last_fork.map(ForkId);
    set.fork_point = facts.fork_point.map(lsn);
    set.database_id = facts.database_id.map(DatabaseId);
    set.family_id = facts.family_id.map(FamilyId);
    set.flags = flags(facts.marks);
    set.utc_offset = facts.utc_offset;
    set.stripes = facts.stripes;
    set
}

fn stored(set: &BackupSet) -> SetFacts {
    SetFacts {
        set_id: set.id.0,
        kind: stored_kind(set.kind),
        first_lsn: position(set.first_lsn),
        last_lsn: position(set.last_lsn),
        checkpoint_lsn: position(set.checkpoint_lsn),
        database_backup_lsn: position(set.database_backup_lsn),
        differential_base: set.differential_base.map(|base| Base {
            id: base.id.map(|id| id.0),
            lsn: position(base.lsn),
        }),
        first_fork: set.first_fork.map(|id| id.0),
        last_fork: set.last_fork.map(|id| id.0),
        fork_point: set.fork_point.map(position),
        database_id: set.database_id.map(|id| id.0),
        family_id: set.family_id.map(|id| id.0),
        marks: marks(set.flags),
        started: set.started.as_micros(),
        finished: set.finished.as_micros(),
        utc_offset: set.utc_offset,
        stripes: set.stripes,
    }
}

const fn stored_kind(kind: BackupKind) -> SetKind {
    match kind {
        BackupKind::Full => SetKind::Full,
        BackupKind::Differential => SetKind::Differential,
        BackupKind::Log => SetKind::Log,
    }
}

const fn kind_of(kind: SetKind) -> Option<BackupKind> {
    match kind {
        SetKind::Full => Some(BackupKind::Full),
        SetKind::Differential => Some(BackupKind::Differential),
        SetKind::Log => Some(BackupKind::Log),
        _ => None,
    }
}

const fn position(lsn: Lsn) -> LogPosition {
    LogPosition {
        vlf: lsn.vlf(),
        block: lsn.block(),
        slot: lsn.slot(),
    }
}

const fn lsn(position: LogPosition) -> Lsn {
    Lsn::new(position.vlf, position.block, position.slot)
}

const fn marks(flags: SetFlags) -> SetMarks {
    SetMarks {
        begins_log_chain: flags.begins_log_chain,
        bulk_logged: flags.bulk_logged,
        tail: flags.tail,
        damaged: flags.damaged,
        incomplete_metadata: flags.incomplete_metadata,
        checksums: flags.checksums,
    }
}

fn flags(marks: SetMarks) -> SetFlags {
    let mut flags = SetFlags::default();
    flags.begins_log_chain = marks.begins_log_chain;
    flags.bulk_logged = marks.bulk_logged;
    flags.tail = marks.tail;
    flags.damaged = marks.damaged;
    flags.incomplete_metadata = marks.incomplete_metadata;
    flags.checksums = marks.checksums;
    flags
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = BackupKind> {
        prop_oneof![
            Just(BackupKind::Full),
            Just(BackupKind::Differential),
            Just(BackupKind::Log)
        ]
    }

    fn lsns() -> impl Strategy<Value = Lsn> {
        any::<(u32, u32, u16)>().prop_map(|(vlf, block, slot)| Lsn::new(vlf, block, slot))
    }

    fn uuids() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    prop_compose! {
        fn sets()(
            id in uuids(), names in any::<(String, String)>(), kind in kinds(),
            lsns in prop::array::uniform4(lsns()), fork_point in prop::option::of(lsns()),
            base in prop::option::of((prop::option::of(uuids()), lsns())),
            ids in prop::array::uniform4(prop::option::of(uuids())),
            flags in any::<[bool; 7]>(), times in any::<(i64, i64, Option<i16>)>(), stripes in 1..=64_u16,
        ) -> BackupSet {
            let [first, last, checkpoint, database] = lsns;
            let short = |name: &str| name.chars().take(100).collect::<String>();
            let mut set = BackupSet::new(
                BackupSetId(id), short(&names.0), kind, first..last,
                ServerTime::from_micros(times.0), ServerTime::from_micros(times.1),
            );
            set.server = short(&names.1);
            set.checkpoint_lsn = checkpoint;
            set.database_backup_lsn = database;
            set.fork_point = fork_point;
            set.differential_base =
                base.map(|(id, lsn)| DifferentialBase { id: id.map(BackupSetId), lsn });
            set.first_fork = ids[0].map(ForkId);
            set.last_fork = ids[1].map(ForkId);
            set.database_id = ids[2].map(DatabaseId);
            set.family_id = ids[3].map(FamilyId);
            set.copy_only = flags[0];
            set.flags.begins_log_chain = flags[1];
            set.flags.bulk_logged = flags[2];
            set.flags.tail = flags[3];
            set.flags.damaged = flags[4];
            set.flags.incomplete_metadata = flags[5];
            set.flags.checksums = flags[6];
            set.utc_offset = times.2;
            set.stripes = stripes;
            set
        }
    }

    proptest! {
        #[test]
        fn every_fact_of_a_set_survives(set in sets(), names in prop::collection::vec("[a-z]{0,9}", 0..5)) {
            let facts = SessionFacts { facts: Facts::Known(set), names };
            let bytes = facts.encode().unwrap();
            prop_assert_eq!(SessionFacts::decode(&bytes).unwrap(), facts);
        }
    }

    #[test]
    fn an_opaque_container_stays_opaque() {
        for kind in [None, Some(BackupKind::Log)] {
            let facts = SessionFacts {
                facts: Facts::Opaque { kind },
                names: vec!["x.bak".into()],
            };
            assert_eq!(
                SessionFacts::decode(&facts.encode().unwrap()).unwrap(),
                facts
            );
        }
    }
}
