//! Hears what the driver notes in its log.
//!
//! The driver reads the server's informational messages and hands on none of them; it notes the
//! text of each as an event of `tracing`, and the number and text of each error. They are heard on
//! the connection's own thread, where a subscriber of this module stands before everybody else's.
//! `tests/mssql` holds the driver to it: a version that notes them elsewhere fails there.

use std::fmt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use super::{Follow, Info};

/// Where the driver notes what it reads.
const TOKENS: &str = "tiberius::tds::stream::token";

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    Info(Info),
    Error(Follow),
}

type Tell = Box<dyn Fn(Heard) + Send>;

/// The one who hears; clones are the same.
#[derive(Clone)]
pub(super) struct Listener {
    tell: Arc<Mutex<Option<Tell>>>,
    /// Everything else goes there.
    others: Dispatch,
    level: LevelFilter,
}

impl Listener {
    /// One that passes on to whoever listens on this thread now.
    pub(super) fn new() -> Self {
        Self {
            tell: Arc::default(),
            others: tracing::dispatcher::get_default(Clone::clone),
            level: LevelFilter::current().max(LevelFilter::DEBUG),
        }
    }

    /// Tells `sender` from now on.
    pub(super) fn tell<T: Send + 'static>(
        &self,
        sender: Sender<T>,
        wrap: impl Fn(Heard) -> T + Send + 'static,
    ) {
        *self.told() = Some(Box::new(move |heard| {
            // Nobody may be left to hear it.
            let _ = sender.send(wrap(heard));
        }));
    }

    /// Tells nobody any more.
    pub(super) fn hush(&self) {
        *self.told() = None;
    }

    /// The driver's warnings repeat with every connection what is said once, and its errors are
    /// handed on.
    fn passes_on(&self, metadata: &Metadata<'_>) -> bool {
        let loud = metadata.target().starts_with("tiberius") && *metadata.level() <= Level::WARN;
        !loud && self.others.enabled(metadata)
    }

    fn told(&self) -> MutexGuard<'_, Option<Tell>> {
        self.tell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_token(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && metadata.target() == TOKENS
        && (*metadata.level() == Level::DEBUG || *metadata.level() == Level::ERROR)
}

impl Subscriber for Listener {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_token(metadata) || self.passes_on(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        if !is_token(metadata) {
            if self.passes_on(metadata) {
                self.others.event(event);
            }
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let heard = if *metadata.level() == Level::ERROR {
            Heard::Error(Follow {
                number: words.code,
                message: words.message,
            })
        } else {
            Heard::Info(Info::new(words.message))
        };
        if let Some(tell) = self.told().as_ref() {
            tell(heard);
        }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.others.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.others.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.others.record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.others.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.others.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.others.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.others.try_close(span)
    }
}

/// The fields of an event that are wanted.
#[derive(Default)]
struct Words {
    message: String,
    code: Option<u32>,
}

impl Visit for Words {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "code" {
            self.code = u32::try_from(value).ok();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
