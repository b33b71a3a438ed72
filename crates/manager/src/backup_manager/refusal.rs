//! The repository's errors as the mover carries them to the other side.

use std::error::Error;

use vab_mover::{Refusal, RefusalKind, StoreError};
use vab_repository::{BeginError, CommitError, ReadError, TakeUpError, WriteError};

pub(super) fn begin(error: &BeginError) -> Refusal {
    let kind = match error {
        BeginError::Streams { .. } | BeginError::Name { .. } => RefusalKind::Invalid,
        error if error.is_full() => RefusalKind::Full,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, words(error))
}

pub(super) fn take_up(error: &TakeUpError) -> Refusal {
    let kind = match error {
        // Given up, so neither open nor committed.
        TakeUpError::Unknown { .. }
        | TakeUpError::Damaged { .. }
        | TakeUpError::NotDurable { .. } => RefusalKind::UnknownSession,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, words(error))
}

pub(super) fn read(error: &ReadError) -> Refusal {
    let kind = match error {
        ReadError::NoSuchPoint { .. } => RefusalKind::NotFound,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, words(error))
}

pub(super) fn write(error: &WriteError) -> StoreError {
    let message = words(error);
    if error.is_full() {
        StoreError::Full { message }
    } else {
        StoreError::Failed { message }
    }
}

pub(super) fn commit(error: &CommitError) -> StoreError {
    let message = words(error);
    if error.is_full() {
        StoreError::Full { message }
    } else {
        StoreError::Failed { message }
    }
}

pub(super) fn damaged(error: &ReadError) -> StoreError {
    StoreError::Damaged {
        message: words(error),
    }
}

/// An error with its causes: only text travels.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
