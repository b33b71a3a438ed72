//! Entries for fuzzers: any input must end without a panic and within bounded memory.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engines::EngineAddress;
use crate::message::{
    self, BeginBackup, Holds, MessageError, OpenRestore, PointsPage, Query, SlotsAnswer,
};

/// What the other manager may send, and how people name engines.
///
/// # Panics
/// When a promise is broken.
pub fn messages(bytes: &[u8]) {
    both_ways::<BeginBackup>(bytes);
    both_ways::<OpenRestore>(bytes);
    both_ways::<Query>(bytes);
    both_ways::<SlotsAnswer>(bytes);
    both_ways::<PointsPage>(bytes);
    both_ways::<Holds>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<EngineAddress>();
    }
}

fn both_ways<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(message) = message::decode::<T>(bytes, "message") {
        let again: Result<T, MessageError> = message::decode(&message::encode(&message), "message");
        assert!(again.is_ok(), "what was read cannot be read again");
    }
}
