use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};

thread_local! {
    static HERE: RefCell<Option<Text>> = const { RefCell::new(None) };
}

static SUBSCRIBED: Once = Once::new();

/// What is logged on this thread while this lives. The subscriber is that of the process: one per
/// test would miss what another test's thread met first.
pub(crate) struct Log(Text);

type Text = Arc<Mutex<Vec<u8>>>;

impl Log {
    pub(crate) fn start() -> Self {
        SUBSCRIBED.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::DEBUG)
                .with_ansi(false)
                .with_writer(|| Here)
                .init();
        });
        let text = Text::default();
        HERE.set(Some(Arc::clone(&text)));
        Self(text)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn has(&self, words: &str) -> bool {
        self.text().lines().any(|line| line.contains(words))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

/// Writes where this thread's log is, if it has one.
struct Here;

impl Write for Here {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HERE.with_borrow(|text| {
            if let Some(text) = text {
                text.lock().unwrap().extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
