//! Progress bars on standard error, one per transfer that runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use vab_manager::{Happening, Observer};

const KNOWN: &str = "{prefix:28!} {bar:30} {bytes:>11} of {total_bytes:<11} {bytes_per_sec}";
const UNKNOWN: &str = "{prefix:28!} {spinner} {bytes:>11} {bytes_per_sec}";

/// The bars of one run of the program. They show only on a terminal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bars(MultiProgress);

impl Bars {
    /// An observer for one operation at a time; clone the bars for more beside it.
    pub(crate) fn observer(&self) -> Observer {
        let bars = self.0.clone();
        let running: Arc<Mutex<Option<ProgressBar>>> = Arc::default();
        Observer::new(move |happening| {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            match happening {
                Happening::Begins { title, bytes } => {
                    *running = Some(bars.add(bar(title, bytes)));
                }
                Happening::Moved { bytes } => {
                    if let Some(bar) = running.as_ref() {
                        bar.set_position(bytes);
                    }
                }
                Happening::Ends => {
                    if let Some(bar) = running.take() {
                        bar.finish();
                    }
                }
                _ => {}
            }
        })
    }

    /// Lets something be written to the terminal between the bars.
    pub(crate) fn pause<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    /// Takes the finished bars off the screen's bookkeeping and ends their line.
    pub(crate) fn clear(&self) {
        // A terminal that cannot be written to shows no bars; nothing is lost.
        let _unwritable = self.0.clear();
    }
}

fn bar(title: String, bytes: Option<u64>) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::new_spinner(),
    };
    let template = if bytes.is_some() { KNOWN } else { UNKNOWN };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(title);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
