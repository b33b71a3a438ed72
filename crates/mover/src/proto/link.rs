use std::collections::VecDeque;
use std::time::Duration;

use super::control::Control;
use super::failure::Failure;
use super::frame::Frame;
use super::liveness::{Due, Liveness, LivenessConfig};
use super::moment::Moment;
use super::redial::{Redial, ResumePolicy};

/// Settings of the source of a backup or a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceConfig {
    /// When the target counts as gone.
    pub liveness: LivenessConfig,
    /// How to come back.
    pub resume: ResumePolicy,
    /// Start of the random numbers that spread the tries to come back.
    pub seed: u64,
}

/// The source's way to the target: one connection after the other, what is to be said over the
/// present one, and when to try again or to give up.
#[derive(Debug)]
pub(super) struct Link {
    liveness: LivenessConfig,
    state: State,
    redial: Redial,
    /// What the last try met.
    cause: String,
    control: VecDeque<Control>,
}

#[derive(Debug)]
enum State {
    Waiting { until: Moment },
    Connecting,
    Opening(Liveness),
    Up(Liveness),
    Closed,
}

/// What has come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    Nothing,
    /// Open a connection.
    Dial,
    /// The target has been silent for too long.
    Silent,
    /// The target did not come back in time.
    GiveUp,
}

impl Link {
    /// A connection is being opened.
    pub(super) fn new(config: SourceConfig) -> Self {
        Self {
            liveness: config.liveness,
            state: State::Connecting,
            redial: Redial::new(config.resume, config.seed),
            cause: String::new(),
            control: VecDeque::new(),
        }
    }

    pub(super) const fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting)
    }

    /// There is a connection, and the first request is not answered.
    pub(super) const fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_))
    }

    /// There is a connection, and the first request was answered.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_opening() || self.is_up()
    }

    /// Whether a broken connection is followed by another.
    pub(super) const fn redials(&self) -> bool {
        self.redial.enabled()
    }

    /// A connection is open and greeted; `opening` is the first request on it.
    pub(super) fn connected(&mut self, now: Moment, opening: Control) {
        self.control.clear();
        self.control.push_back(opening);
        self.state = State::Opening(Liveness::new(self.liveness, now));
    }

    /// A connection could not be opened.
    pub(super) fn connect_failed(&mut self, now: Moment, cause: &str) {
        if self.is_connecting() {
            cause.clone_into(&mut self.cause);
            self.state = State::Waiting {
                until: self.redial.lost(now),
            };
        }
    }

    /// The connection is of no use any more; whether there will be another.
    #[must_use]
    pub(super) fn lost(&mut self, now: Moment, cause: &str) -> bool {
        cause.clone_into(&mut self.cause);
        self.control.clear();
        if !self.redials() {
            return false;
        }
        self.state = State::Waiting {
            until: self.redial.lost(now),
        };
        true
    }

    /// The first request was answered.
    pub(super) fn up(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Opening(liveness) => State::Up(liveness),
            other => other,
        };
    }

    /// The session goes on; says how long it was interrupted.
    pub(super) fn recovered(&mut self, now: Moment) -> Duration {
        let outage = self.outage(now);
        self.redial.recovered();
        outage
    }

    /// How long the target has been away.
    pub(super) fn outage(&self, now: Moment) -> Duration {
        self.redial.outage(now)
    }

    /// What the last try met.
    pub(super) fn take_cause(&mut self) -> String {
        std::mem::take(&mut self.cause)
    }

    /// The session failed. A target that broke the protocol, or has lost what it had, is told;
    /// others know already, or cannot be reached, and then the connection is to be closed: true.
    #[must_use]
    pub(super) fn failed(&mut self, failure: &Failure) -> bool {
        self.control.clear();
        let told = match failure {
            Failure::Violation(violation) => Some(violation.to_string()),
            Failure::Behind { .. } => Some(failure.to_string()),
            _ => None,
        };
        if let (Some(reason), State::Up(_)) = (told, &self.state) {
            self.control.push_back(Control::abort(&reason));
            return false;
        }
        self.state = State::Closed;
        true
    }

    /// What is to be said first.
    pub(super) fn first(&mut self) -> Option<&mut Control> {
        self.control.front_mut()
    }

    /// Bytes came from the target.
    pub(super) fn heard(&mut self, now: Moment) {
        if let State::Opening(liveness) | State::Up(liveness) = &mut self.state {
            liveness.heard(now);
        }
    }

    /// Says this over the present connection.
    pub(super) fn say(&mut self, control: Control) {
        self.control.push_back(control);
    }

    /// Says this over the present connection, if the target answered on it, and nothing else.
    pub(super) fn say_last(&mut self, control: Control) {
        self.control.clear();
        if self.is_up() {
            self.control.push_back(control);
        }
    }

    /// The next control frame to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Frame> {
        if !self.wants_transmit() {
            return None;
        }
        self.control.pop_front().map(Frame::from)
    }

    pub(super) fn wants_transmit(&self) -> bool {
        self.is_open() && !self.control.is_empty()
    }

    /// When to call [`Self::wake`].
    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        let state = match &self.state {
            State::Waiting { until } => Some(*until),
            State::Opening(liveness) | State::Up(liveness) => Some(liveness.timeout()),
            State::Connecting | State::Closed => None,
        };
        [state, self.redial.gives_up()].into_iter().flatten().min()
    }

    /// Time has passed.
    #[must_use]
    pub(super) fn wake(&mut self, now: Moment) -> Wake {
        if self.redial.gives_up().is_some_and(|limit| now >= limit) {
            return Wake::GiveUp;
        }
        match &mut self.state {
            State::Waiting { until } if now >= *until => {
                self.state = State::Connecting;
                Wake::Dial
            }
            State::Opening(liveness) | State::Up(liveness) => match liveness.due(now) {
                Due::Nothing => Wake::Nothing,
                Due::Ping(nonce) => {
                    self.control.push_back(Control::Ping { nonce });
                    Wake::Nothing
                }
                Due::Broken => Wake::Silent,
            },
            State::Waiting { .. } | State::Connecting | State::Closed => Wake::Nothing,
        }
    }
}
