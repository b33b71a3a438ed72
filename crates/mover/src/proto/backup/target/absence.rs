//! How a session at the target goes on while its source is away, and when it comes back.

use std::time::Duration;

use super::link::Link;
use super::stream::TargetStream;
use super::{Phase, Target, Terms};
use crate::proto::control::Control;
use crate::proto::moment::Moment;

impl Target {
    /// The source came back over a new connection. An older one, if there still is one, counts
    /// no longer: the driver closes it and hands over no more of its frames.
    pub fn attach(&mut self, now: Moment, terms: Terms) {
        self.terms = terms;
        self.confirmed = true;
        self.control.clear();
        self.link = Link::attached(self.config.liveness, now);
        self.drained();
    }

    /// The connection broke, or brought bytes that are no frames.
    pub fn disconnected(&mut self, now: Moment, cause: &str) {
        if self.is_parked() {
            return;
        }
        self.control.clear();
        self.link = Link::Parked { since: now };
        let stays = !self.terms.patience.is_zero();
        match self.phase {
            Phase::Open if !stays => {
                self.fail(format!("the connection to the source was lost: {cause}"));
            }
            Phase::Committed { .. } if !stays => self.over(),
            _ => {}
        }
    }

    /// Answers a source that came back, once the blocks of its earlier connection are written.
    pub(super) fn drained(&mut self) {
        if !self.link.is_draining() {
            return;
        }
        let answer = match &self.phase {
            Phase::Open | Phase::Committing => {
                if !self.streams.iter().all(TargetStream::drained) {
                    return;
                }
                Control::Resumed {
                    streams: self.streams.iter().map(TargetStream::state).collect(),
                    window: self.window(),
                }
            }
            Phase::Committed { receipt } => Control::Committed {
                receipt: receipt.clone(),
            },
            Phase::Aborting { .. } | Phase::Over => return,
        };
        self.open_windows();
        self.control.push_back(answer);
        self.link.drained();
        self.tell_durable();
    }

    pub(super) fn open_windows(&mut self) {
        let window = self.window();
        self.streams
            .iter_mut()
            .for_each(|stream| stream.open(window));
    }

    /// When a source that is away is no longer waited for.
    pub(super) fn gone_for_good(&self) -> Option<Moment> {
        self.link
            .parked_since()
            .map(|since| since.after(self.patience()))
    }

    fn patience(&self) -> Duration {
        if !self.confirmed {
            return self
                .config
                .liveness
                .idle_limit
                .saturating_mul(2)
                .min(self.config.patience);
        }
        // The source notices a cut later than the target, at worst by the idle limit.
        self.terms
            .patience
            .saturating_add(self.config.liveness.idle_limit)
            .saturating_add(self.config.liveness.heartbeat)
            .min(self.config.patience)
    }

    /// The share of one stream.
    pub(super) fn window(&self) -> u64 {
        self.streams.share(self.config.window)
    }
}
