use std::time::Duration;

use crate::proto::liveness::LivenessConfig;

/// Settings of the target of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// When the source counts as gone.
    pub liveness: LivenessConfig,
    /// Payload bytes of one session that may be on their way or unwritten. Every stream has an
    /// equal share, and may go over it by a block. Default 16 MiB.
    pub window: u64,
    /// Written bytes of one stream after which they are made durable unasked. The share of the
    /// source's memory, if smaller, counts. Default 64 MiB.
    pub sync_bytes: u64,
    /// Age at which written bytes are made durable unasked. Default 2 s.
    pub sync_age: Duration,
    /// The longest a session waits for its source; the source may ask for less. Default 1 h.
    pub patience: Duration,
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self {
            liveness: LivenessConfig::default(),
            window: 16 * 1024 * 1024,
            sync_bytes: 64 * 1024 * 1024,
            sync_age: Duration::from_secs(2),
            patience: Duration::from_secs(60 * 60),
        }
    }
}

/// What the source said of itself when it began or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes the source can keep until they are durable; 0 if it keeps none.
    pub retain: u64,
    /// How long it tries to come back; zero if it does not.
    pub patience: Duration,
}
