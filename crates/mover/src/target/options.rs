use std::time::Duration;

use crate::proto::backup::TargetConfig;

/// Who may reach a listener that does not encrypt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Programs of this machine only.
    #[default]
    Loopback,
    /// Everyone who can reach the address. Backups travel in the clear, and nobody is asked who
    /// he is.
    AnyoneOnTheNetwork,
}

/// Settings of a target mover.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// Who may reach the listener.
    pub exposure: Exposure,
    /// Windows, heartbeats, syncs and patience of every session.
    pub session: TargetConfig,
    /// Time from the connection to the first request. Default 10 s.
    pub opening_limit: Duration,
    /// Connections at a time; more are closed at once. Default 512.
    pub max_connections: usize,
    /// Threads of one backup session that check and write blocks. Default 4.
    pub writers: usize,
    /// How long sessions may go on when the target is told to stop. Default 10 s.
    pub shutdown_limit: Duration,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            exposure: Exposure::Loopback,
            session: TargetConfig::default(),
            opening_limit: Duration::from_secs(10),
            max_connections: 512,
            writers: 4,
            shutdown_limit: Duration::from_secs(10),
        }
    }
}
