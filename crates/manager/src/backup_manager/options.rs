use std::num::NonZeroU16;

use vab_mover::target::{Exposure, Security, Slots, TargetOptions};
use vab_mover::{Rate, Throttle};

/// How to serve.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServeOptions {
    /// How those who connect are made sure of. Plain by default.
    pub security: Security,
    /// Listen beyond loopback although nothing on the wire is encrypted or authenticated.
    pub allow_plain_network: bool,
    /// Streams of all backups at a time; without a limit by default. Restores need no slot.
    pub slots: Option<NonZeroU16>,
    /// The bandwidth of all sessions together.
    pub limit: Option<Throttle>,
    /// The bandwidth of each session.
    pub session_limit: Option<Rate>,
}

impl ServeOptions {
    pub(super) fn for_target(self) -> TargetOptions {
        let exposure = match &self.security {
            Security::Plain if self.allow_plain_network => Exposure::AnyoneOnTheNetwork,
            Security::Plain => Exposure::Loopback,
            _ => Exposure::Encrypted,
        };
        TargetOptions {
            exposure,
            security: self.security,
            slots: self.slots.map_or_else(Slots::unlimited, Slots::new),
            shared_limit: self.limit,
            session_limit: self.session_limit,
            ..TargetOptions::default()
        }
    }
}
