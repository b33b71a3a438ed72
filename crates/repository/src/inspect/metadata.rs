//! `.VASM` and `.VACM`.

use vab_chain::UtcTime;
use vab_format::session::SessionRecord;
use vab_format::vacm::Vacm;
use vab_format::vasm::Vasm;

use super::{FileKind, InspectOptions, Inspection, RecordLine, header_fields};
use crate::catalog::METADATA_LIMIT;
use crate::facts::{Facts, facts_of};
use crate::storage::{Storage, StorageError, StoragePath};

pub(super) fn inspect(
    storage: &dyn Storage,
    path: &StoragePath,
    options: InspectOptions,
    inspection: &mut Inspection,
) -> Result<(), StorageError> {
    let bytes = storage.read(path, METADATA_LIMIT)?.unwrap_or_default();
    let wrong = if inspection.kind == FileKind::FileMetadata {
        Vasm::decode(&bytes).map(|vasm| file(&vasm, options, inspection))
    } else {
        Vacm::decode(&bytes).map(|vacm| job(&vacm, options, inspection))
    };
    if let Err(error) = wrong {
        inspection.problem(0, error.to_string());
    }
    Ok(())
}

fn file(vasm: &Vasm, options: InspectOptions, inspection: &mut Inspection) {
    header_fields(&vasm.header, inspection);
    inspection.field("committed length", vasm.committed_length());
    inspection.field("sessions", vasm.sessions.len());
    for session in &vasm.sessions {
        inspection.record(
            options.records,
            RecordLine {
                offset: session.commit_offset,
                length: session.commit_length,
                kind: "session".to_owned(),
                text: session_text(&session.record),
            },
        );
    }
}

fn job(vacm: &Vacm, options: InspectOptions, inspection: &mut Inspection) {
    inspection.field("job", &vacm.job);
    inspection.field("job id", vacm.job_id);
    inspection.field("files", vacm.files.len());
    for file in &vacm.files {
        inspection.record(
            options.records,
            RecordLine {
                offset: 0,
                length: file.committed_length,
                kind: "file".to_owned(),
                text: format!(
                    "{}, database {}, created {}, {} sessions, id {}",
                    file.name,
                    file.database,
                    UtcTime::from_micros(file.created),
                    file.sessions,
                    file.file,
                ),
            },
        );
    }
}

/// A session in one line.
pub(super) fn session_text(record: &SessionRecord) -> String {
    let facts = match facts_of(record) {
        Facts::Known(set) => {
            let copy_only = if set.copy_only { " copy-only" } else { "" };
            format!(
                "{}{copy_only} LSN {} to {}",
                set.kind, set.first_lsn, set.last_lsn
            )
        }
        Facts::Opaque { kind: Some(kind) } => format!("{kind}, LSNs not known"),
        Facts::Opaque { kind: None } => "kind and LSNs not known".to_owned(),
    };
    format!(
        "{} {}, {facts}, {} streams, {} bytes ({} stored), committed {}",
        record.id,
        record.database,
        record.streams.len(),
        record.bytes(),
        record.stored_bytes(),
        UtcTime::from_micros(record.committed),
    )
}
