//! The repository's errors as the mover carries them to the other side.

use vab_mover::{Refusal, RefusalKind, StoreError};
use vab_repository::with_causes;
use vab_repository::{BeginError, CommitError, ReadError, TakeUpError, WriteError};

pub(super) fn begin(error: &BeginError) -> Refusal {
    let kind = match error {
        BeginError::Streams { .. } | BeginError::Name { .. } => RefusalKind::Invalid,
        error if error.is_full() => RefusalKind::Full,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, with_causes(error))
}

pub(super) fn take_up(error: &TakeUpError) -> Refusal {
    let kind = match error {
        // Given up, so neither open nor committed.
        TakeUpError::Unknown { .. }
        | TakeUpError::Damaged { .. }
        | TakeUpError::NotDurable { .. } => RefusalKind::UnknownSession,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, with_causes(error))
}

pub(super) fn read(error: &ReadError) -> Refusal {
    let kind = match error {
        ReadError::NoSuchPoint { .. } => RefusalKind::NotFound,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, with_causes(error))
}

pub(super) fn write(error: &WriteError) -> StoreError {
    let message = with_causes(error);
    if error.is_full() {
        StoreError::Full { message }
    } else {
        StoreError::Failed { message }
    }
}

pub(super) fn commit(error: &CommitError) -> StoreError {
    let message = with_causes(error);
    if error.is_full() {
        StoreError::Full { message }
    } else {
        StoreError::Failed { message }
    }
}

pub(super) fn damaged(error: &ReadError) -> StoreError {
    StoreError::Damaged {
        message: with_causes(error),
    }
}
