use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::wire::{Halves, LinkError, read_frame, write_frame};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::proto::Moment;
use crate::proto::frame::{Frame, Limits};

/// Frames between the reader or writer and the state machine; payloads are bounded by credits.
const QUEUE: usize = 4;
/// How long a closing connection waits for its last frames to leave and for the other side.
const GOODBYE: Duration = Duration::from_secs(2);

/// A greeted connection, read and written by a task each. Dropping it closes it at once.
pub(crate) struct Link {
    incoming: mpsc::Receiver<LinkEvent>,
    outgoing: Option<mpsc::Sender<Frame>>,
    heard: Arc<AtomicU64>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

pub(crate) enum LinkEvent {
    Frame(Frame),
    /// The last event.
    Broken(LinkError),
}

impl Link {
    pub(crate) fn start(halves: Halves, limits: Limits, pool: Arc<Pool>, clock: Clock) -> Self {
        let Halves {
            mut reader,
            mut writer,
        } = halves;
        let (events, incoming) = mpsc::channel(QUEUE);
        let (outgoing, mut frames) = mpsc::channel::<Frame>(QUEUE);
        let heard = Arc::new(AtomicU64::new(micros(clock.now())));
        let reader = tokio::spawn({
            let (events, heard) = (events.clone(), Arc::clone(&heard));
            async move {
                let hear = move || heard.store(micros(clock.now()), Ordering::Relaxed);
                loop {
                    let event = match read_frame(&mut reader, limits, &pool, &hear).await {
                        Ok(frame) => LinkEvent::Frame(frame),
                        Err(error) => LinkEvent::Broken(error),
                    };
                    let last = matches!(event, LinkEvent::Broken(_));
                    if events.send(event).await.is_err() || last {
                        return;
                    }
                }
            }
        });
        let writer = tokio::spawn(async move {
            let outcome = async {
                while let Some(frame) = frames.recv().await {
                    write_frame(&mut writer, frame).await?;
                    if frames.is_empty() {
                        writer.flush().await?;
                    }
                }
                writer.shutdown().await?;
                Ok::<_, LinkError>(())
            };
            if let Err(error) = outcome.await {
                let _ = events.send(LinkEvent::Broken(error)).await;
            }
        });
        Self {
            incoming,
            outgoing: Some(outgoing),
            heard,
            reader,
            writer,
        }
    }

    /// Both directions, to be waited for together.
    pub(crate) fn parts(&mut self) -> (Incoming<'_>, Outgoing<'_>) {
        (
            Incoming(&mut self.incoming),
            Outgoing(self.outgoing.as_ref()),
        )
    }

    /// When bytes came last.
    pub(crate) fn heard(&self) -> Moment {
        Moment::from_start(Duration::from_micros(self.heard.load(Ordering::Relaxed)))
    }

    /// Sends what is queued, then closes in a way that lets the other side read it.
    pub(crate) async fn finish(mut self, last: impl IntoIterator<Item = Frame>) {
        let goodbye = async {
            if let Some(outgoing) = self.outgoing.take() {
                for frame in last {
                    if outgoing.send(frame).await.is_err() {
                        break;
                    }
                }
            }
            let _ = (&mut self.writer).await;
            // Bytes that are still unread would turn the close into a reset, which can overtake
            // what was sent.
            while let Some(LinkEvent::Frame(_)) = self.incoming.recv().await {}
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
}

/// What comes over a link, if there is one.
pub(crate) struct Incoming<'a>(&'a mut mpsc::Receiver<LinkEvent>);

/// The way out over a link, if there is one.
pub(crate) struct Outgoing<'a>(Option<&'a mpsc::Sender<Frame>>);

impl Incoming<'_> {
    /// The next thing that came; for ever pending without a link. Cancel safe.
    pub(crate) async fn next(from: Option<Self>) -> LinkEvent {
        match from {
            Some(Self(incoming)) => incoming
                .recv()
                .await
                .unwrap_or(LinkEvent::Broken(LinkError::Closed)),
            None => std::future::pending().await,
        }
    }
}

impl<'a> Outgoing<'a> {
    /// Room for a frame; for ever pending without a link, or once its writer is gone: that break
    /// is an event. Cancel safe.
    pub(crate) async fn room(to: Option<Self>) -> mpsc::Permit<'a, Frame> {
        if let Some(Self(Some(outgoing))) = to
            && let Ok(permit) = outgoing.reserve().await
        {
            return permit;
        }
        std::future::pending().await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

fn micros(moment: Moment) -> u64 {
    u64::try_from(moment.elapsed().as_micros()).unwrap_or(u64::MAX)
}
