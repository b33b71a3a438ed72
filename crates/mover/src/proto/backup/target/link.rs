use crate::proto::liveness::{Due, Liveness, LivenessConfig};
use crate::proto::moment::Moment;

/// What a session at the target is attached to.
#[derive(Debug)]
pub(super) enum Link {
    Up(Liveness),
    /// Attached, but blocks of an earlier connection are still being written.
    Draining(Liveness),
    Parked {
        since: Moment,
    },
}

impl Link {
    pub(super) const fn begun(config: LivenessConfig, now: Moment) -> Self {
        Self::Up(Liveness::new(config, now))
    }

    pub(super) const fn attached(config: LivenessConfig, now: Moment) -> Self {
        Self::Draining(Liveness::new(config, now))
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    pub(super) const fn is_draining(&self) -> bool {
        matches!(self, Self::Draining(_))
    }

    pub(super) const fn is_parked(&self) -> bool {
        matches!(self, Self::Parked { .. })
    }

    /// The blocks of the earlier connection are written.
    pub(super) fn drained(&mut self) {
        let gone = Self::Parked {
            since: Moment::START,
        };
        *self = match std::mem::replace(self, gone) {
            Self::Draining(liveness) => Self::Up(liveness),
            other => other,
        };
    }

    /// Bytes came from the source.
    pub(super) fn heard(&mut self, now: Moment) {
        if let Self::Up(liveness) | Self::Draining(liveness) = self {
            liveness.heard(now);
        }
    }

    /// When to ask the source whether it is there, or to give the connection up.
    pub(super) fn timeout(&self) -> Option<Moment> {
        match self {
            Self::Up(liveness) | Self::Draining(liveness) => Some(liveness.timeout()),
            Self::Parked { .. } => None,
        }
    }

    pub(super) fn due(&mut self, now: Moment) -> Due {
        match self {
            Self::Up(liveness) | Self::Draining(liveness) => liveness.due(now),
            Self::Parked { .. } => Due::Nothing,
        }
    }

    /// Since when nobody is attached.
    pub(super) const fn parked_since(&self) -> Option<Moment> {
        match self {
            Self::Parked { since } => Some(*since),
            Self::Up(_) | Self::Draining(_) => None,
        }
    }
}
