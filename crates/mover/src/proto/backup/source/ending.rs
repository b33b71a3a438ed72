//! How a session comes to its end at the source: a commit, an abort, a failure.

use std::time::Duration;

use super::stream::SourceStream;
use super::{Event, Source};
use crate::proto::control::Control;
use crate::proto::failure::Failure;
use crate::proto::moment::Moment;

/// How long an abort waits for the target to say that it is done.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Phase {
    Streaming,
    Committing { facts: Vec<u8>, sent: bool },
    Aborting { reason: String, until: Moment },
    Over,
}

impl Source {
    /// Ends the session; ends in [`Event::Failed`].
    pub fn abort(&mut self, now: Moment, reason: &str) {
        if matches!(self.phase, Phase::Over | Phase::Aborting { .. }) {
            return;
        }
        self.streams.iter_mut().for_each(SourceStream::clear);
        if self.session.is_none() {
            self.fail(Failure::BySource {
                reason: reason.to_owned(),
            });
            return;
        }
        if self.link.is_up() {
            self.link.say(Control::abort(reason));
        }
        self.phase = Phase::Aborting {
            reason: reason.to_owned(),
            until: now.after(ABORT_LIMIT),
        };
    }

    pub(super) fn committed(&mut self, receipt: Vec<u8>) {
        self.events.push_back(Event::Committed { receipt });
        self.phase = Phase::Over;
        self.link.up();
        self.link.say_last(Control::Close);
    }

    pub(super) fn give_up(&mut self, now: Moment) {
        let outage = self.link.outage(now);
        let cause = self.link.take_cause();
        let failure = match &mut self.phase {
            _ if self.commit_sent => Failure::CommitInDoubt { outage, cause },
            Phase::Aborting { reason, .. } => Failure::BySource {
                reason: std::mem::take(reason),
            },
            _ => Failure::GaveUp { outage, cause },
        };
        self.fail(failure);
    }

    pub(super) fn finish_abort(&mut self) {
        if let Phase::Aborting { reason, .. } = &mut self.phase {
            let reason = std::mem::take(reason);
            self.fail(Failure::BySource { reason });
        }
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.streams.iter_mut().for_each(SourceStream::clear);
        self.phase = Phase::Over;
        if self.link.failed(&failure) {
            self.events.push_back(Event::Disconnect);
        }
        self.events.push_back(Event::Failed(failure));
    }
}
