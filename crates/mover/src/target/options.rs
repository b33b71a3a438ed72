use std::time::Duration;

use super::desk::Desk;
use super::slots::Slots;
use crate::net::Throttle;
use crate::proto::Rate;
use crate::proto::backup::TargetConfig;
#[cfg(feature = "tls")]
use crate::security::ServerTls;

/// How a target makes sure of its sources, and keeps what travels to itself.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Security {
    /// Not at all: [`Exposure`] says who can reach it.
    #[default]
    Plain,
    /// TLS 1.3. Whoever greets without it is told so and refused.
    #[cfg(feature = "tls")]
    Tls(ServerTls),
}

/// Who may reach a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Programs of this machine only.
    #[default]
    Loopback,
    /// Everyone who can reach the address. Backups travel in the clear, and nobody is asked who
    /// he is.
    AnyoneOnTheNetwork,
    /// Everyone who can reach the address, over TLS: a target without [`Security::Tls`] does not
    /// serve such a listener.
    Encrypted,
}

/// Settings of a target mover.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// Who may reach the listener.
    pub exposure: Exposure,
    /// How sources are made sure of.
    pub security: Security,
    /// Windows, heartbeats, syncs and patience of every session.
    pub session: TargetConfig,
    /// Time from the connection to the first request, with all that is proven before it.
    /// Default 10 s.
    pub opening_limit: Duration,
    /// Connections at a time whose first request has not come; when there are more, the one that
    /// has waited longest is closed. Default 128.
    pub max_unknown: usize,
    /// Bytes that are taken from a peer before it is known, 256 KiB by default. A hello, a chain
    /// of certificates and a request are far smaller.
    pub max_unknown_bytes: u64,
    /// Connections at a time; more are closed at once. Default 512.
    pub max_connections: usize,
    /// Threads of one backup session that check and write blocks. Default 4.
    pub writers: usize,
    /// Blocks of all backup sessions that are checked and written at a time; the sessions take
    /// turns by the bytes they have written. Default: the cores of the machine, 4 at least.
    pub parallel_writes: usize,
    /// Streams of all backups at a time; without a limit by default. A restore needs no slot.
    pub slots: Slots,
    /// How long a backup waits for its slots before it is told to come back later. Default 5 s;
    /// less than the idle limit of the sources.
    pub slot_wait: Duration,
    /// Where its sessions can be seen and ended.
    pub desk: Desk,
    /// Bytes per second of one session, in both directions together.
    pub session_limit: Option<Rate>,
    /// A limit that is shared with all who have a clone of it.
    pub shared_limit: Option<Throttle>,
    /// How long sessions may go on when the target is told to stop. Default 10 s.
    pub shutdown_limit: Duration,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            exposure: Exposure::Loopback,
            security: Security::Plain,
            session: TargetConfig::default(),
            opening_limit: Duration::from_secs(10),
            max_unknown: 128,
            max_unknown_bytes: 256 * 1024,
            max_connections: 512,
            writers: 4,
            parallel_writes: cores().max(4),
            slots: Slots::unlimited(),
            slot_wait: Duration::from_secs(5),
            desk: Desk::new(),
            session_limit: None,
            shared_limit: None,
            shutdown_limit: Duration::from_secs(10),
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
