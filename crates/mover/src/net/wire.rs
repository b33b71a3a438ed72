use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use vab_format::block::BlockHeader;
use zeroize::Zeroizing;

use super::pace::{Paced, Throttles};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::proto::control::ControlError;
use crate::proto::frame::{Frame, FrameError, FrameHeader, FrameKind, Limits};
use crate::proto::{Agreement, Features, Hello, HelloError};
use crate::{Block, Payload};

/// The two directions of a connection.
pub(crate) struct Halves {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Halves {
    /// The halves of `stream`, which keep to `limits`.
    pub(crate) fn of<S>(stream: S, limits: &Throttles, clock: Clock) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        if limits.is_empty() {
            Self {
                reader: Box::new(reader),
                writer: Box::new(writer),
            }
        } else {
            Self {
                reader: Box::new(Paced::new(reader, limits.clone(), clock)),
                writer: Box::new(Paced::new(writer, limits.clone(), clock)),
            }
        }
    }

    /// Closes in a way that lets the other side read what was sent.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.writer.shutdown().await?;
        drain(&mut self.reader).await;
        Ok(())
    }
}

/// Bytes that are still unread would turn a close into a reset, which can overtake what was sent.
pub(super) async fn drain(reader: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1024];
    let unread = async { while matches!(reader.read(&mut rest).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_secs(2), unread).await;
}

/// Why a connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error("the other side sent bytes that are no frames: {0}")]
    Frame(#[from] FrameError),
}

/// What two peers said of themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) agreement: Agreement,
    /// What the other side can do or asks for.
    pub(crate) theirs: Features,
}

/// Says hello and hears the other side's.
pub(crate) async fn greet(halves: &mut Halves, ours: Hello) -> Result<Greeting, LinkError> {
    let said = async {
        halves.writer.write_all(&ours.encode()).await?;
        halves.writer.flush().await
    }
    .await;
    match hear(halves).await {
        Ok(theirs) => {
            said?;
            Ok(Greeting {
                agreement: ours.agree(&theirs)?,
                theirs: theirs.features,
            })
        }
        // A side that closes may have said why before: that is worth more than a broken pipe.
        Err(LinkError::Closed) => Err(said.err().map_or(LinkError::Closed, LinkError::from)),
        Err(error) => Err(error),
    }
}

async fn hear(halves: &mut Halves) -> Result<Hello, LinkError> {
    let mut bytes = [0; Hello::LENGTH];
    // The magic alone tells another program apart; it may be waiting for us after fewer bytes.
    let (magic, rest) = bytes.split_at_mut(8);
    read_exact(&mut halves.reader, magic).await?;
    if let Some(other) = magic.first_chunk::<8>().and_then(Hello::what_else) {
        return Err(other.into());
    }
    read_exact(&mut halves.reader, rest).await?;
    Ok(Hello::decode(&bytes)?)
}

async fn read_exact<R: AsyncRead + Unpin>(
    reader: &mut R,
    bytes: &mut [u8],
) -> Result<(), LinkError> {
    match reader.read_exact(bytes).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(LinkError::Closed),
        Err(error) => Err(error.into()),
    }
}

/// Reads a frame; the payload of a block goes straight into a buffer of the pool. `heard` is
/// called whenever bytes came.
pub(crate) async fn read_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    limits: Limits,
    pool: &Arc<Pool>,
    heard: &(dyn Fn() + Sync),
) -> Result<Frame, LinkError> {
    let mut header = [0; FrameHeader::LENGTH];
    read_exact(reader, &mut header).await?;
    heard();
    let header = FrameHeader::decode(&header, limits)?;
    let length = header.length;
    match header.kind {
        FrameKind::Control => {
            // It may hold a token.
            let mut body = Zeroizing::new(Vec::new());
            read_into(reader, &mut body, length, heard).await?;
            Ok(Frame::Control(header.control(&body)?))
        }
        FrameKind::Block => {
            let mut block = [0; BlockHeader::LENGTH];
            read_exact(reader, &mut block).await?;
            let block = header.block(&block)?;
            let capacity = usize::try_from(block.stored_length).map_err(|_| too_long(length))?;
            let mut buffer = pool.take(capacity);
            read_into(reader, buffer.growing(), block.stored_length, heard).await?;
            Ok(Frame::Block(Block {
                header: block,
                payload: Payload::received(buffer),
            }))
        }
    }
}

/// Reads exactly `length` bytes. Memory grows with what came, not with what was announced, but
/// for the room that is there already.
async fn read_into<R: AsyncRead + Unpin>(
    reader: &mut R,
    bytes: &mut Vec<u8>,
    length: u32,
    heard: &(dyn Fn() + Sync),
) -> Result<(), LinkError> {
    let mut limited = reader.take(u64::from(length));
    while limited.limit() > 0 {
        if limited.read_buf(bytes).await? == 0 {
            return Err(LinkError::Closed);
        }
        heard();
    }
    Ok(())
}

const fn too_long(length: u32) -> FrameError {
    FrameError::TooLong {
        length,
        limit: crate::proto::frame::MAX_PAYLOAD,
    }
}

/// Writes a frame, header and payload in one go where the system can.
pub(crate) async fn write_frame<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: Frame,
) -> Result<(), LinkError> {
    let (head, payload) = frame.encode()?;
    let mut bytes = Buf::chain(head.as_slice(), payload);
    writer.write_all_buf(&mut bytes).await?;
    Ok(())
}

impl From<ControlError> for LinkError {
    fn from(error: ControlError) -> Self {
        Self::Frame(error.into())
    }
}
