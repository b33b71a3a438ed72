use std::time::Duration;

use super::moment::Moment;

/// When to ask whether the peer is there, and when to give a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessConfig {
    /// Silence of the peer after which it is asked. Default 5 s.
    pub heartbeat: Duration,
    /// Silence of the peer after which the connection counts as broken. Default 30 s.
    pub idle_limit: Duration,
}

impl Default for LivenessConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            idle_limit: Duration::from_secs(30),
        }
    }
}

/// Watches one connection.
#[derive(Debug)]
pub(crate) struct Liveness {
    config: LivenessConfig,
    heard: Moment,
    asked: Option<Moment>,
    nonce: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send a ping with this nonce.
    Ping(u64),
    /// The connection is broken.
    Broken,
}

impl Liveness {
    pub(crate) const fn new(config: LivenessConfig, now: Moment) -> Self {
        Self {
            config,
            heard: now,
            asked: None,
            nonce: 0,
        }
    }

    /// Bytes came from the peer.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.heard = self.heard.max(now);
        self.asked = None;
    }

    pub(crate) fn timeout(&self) -> Moment {
        let broken = self.heard.after(self.config.idle_limit);
        self.next_ping().min(broken)
    }

    pub(crate) fn due(&mut self, now: Moment) -> Due {
        // A clock that was put back must not make a dead peer look alive for as long.
        self.heard = self.heard.min(now);
        self.asked = self.asked.map(|asked| asked.min(now));
        if now >= self.heard.after(self.config.idle_limit) {
            return Due::Broken;
        }
        if now >= self.next_ping() {
            self.asked = Some(now);
            self.nonce = self.nonce.wrapping_add(1);
            return Due::Ping(self.nonce);
        }
        Due::Nothing
    }

    fn next_ping(&self) -> Moment {
        self.asked
            .unwrap_or(self.heard)
            .after(self.config.heartbeat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up() {
        let mut liveness = Liveness::new(LivenessConfig::default(), at(0));
        assert_eq!(liveness.due(at(4)), Due::Nothing);
        assert_eq!(liveness.timeout(), at(5));
        assert_eq!(liveness.due(at(5)), Due::Ping(1));
        assert_eq!(liveness.due(at(5)), Due::Nothing);
        assert_eq!(liveness.due(at(10)), Due::Ping(2));
        assert_eq!(liveness.due(at(30)), Due::Broken);
    }

    #[test]
    fn a_clock_that_is_put_back_does_not_keep_a_dead_peer_alive() {
        let mut liveness = Liveness::new(LivenessConfig::default(), at(4000));
        assert_eq!(liveness.due(at(400)), Due::Nothing);
        assert_eq!(liveness.due(at(405)), Due::Ping(1));
        assert_eq!(liveness.due(at(430)), Due::Broken);
    }

    #[test]
    fn any_byte_of_the_peer_counts() {
        let mut liveness = Liveness::new(LivenessConfig::default(), at(0));
        liveness.heard(at(29));
        assert_eq!(liveness.due(at(30)), Due::Nothing);
        assert_eq!(liveness.timeout(), at(34));
    }
}
