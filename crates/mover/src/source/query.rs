use tokio::io::AsyncWriteExt;

use super::dial::Dialer;
use super::error::QueryError;
use crate::net::{Halves, read_frame, write_frame};
use crate::pool::Pool;
use crate::proto::control::{Control, MAX_ANSWER, MAX_OPAQUE};
use crate::proto::frame::{Frame, Limits};
use crate::{Refusal, RefusalKind};

/// Asks one question over a connection of its own.
pub(super) async fn query(dialer: &Dialer, request: Vec<u8>) -> Result<Vec<u8>, QueryError> {
    if request.len() > MAX_OPAQUE {
        let message = format!(
            "the question has {} bytes; at most {MAX_OPAQUE} can travel",
            request.len()
        );
        return Err(Refusal::new(RefusalKind::Invalid, message).into());
    }
    let (mut halves, _) = dialer.dial().await?;
    let limit = dialer.options.query_limit;
    match tokio::time::timeout(limit, ask(&mut halves, request)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(QueryError::TimedOut { limit }),
    }
}

async fn ask(halves: &mut Halves, request: Vec<u8>) -> Result<Vec<u8>, QueryError> {
    let lost = |cause: String| QueryError::Lost { cause };
    write_frame(&mut halves.writer, Control::Query { request }.into())
        .await
        .map_err(|error| lost(error.to_string()))?;
    let flushed = halves.writer.flush().await;
    flushed.map_err(|error| lost(error.to_string()))?;
    let pool = Pool::new(0);
    let mut answer = Vec::new();
    loop {
        let frame = read_frame(&mut halves.reader, Limits::CONTROL, &pool, &|| ())
            .await
            .map_err(|error| lost(error.to_string()))?;
        match frame {
            Frame::Control(Control::Answer { part, last }) => {
                if answer.len().saturating_add(part.len()) > MAX_ANSWER {
                    return Err(lost(
                        "the answer is longer than any answer may be".to_owned(),
                    ));
                }
                answer.extend_from_slice(&part);
                if last {
                    return Ok(answer);
                }
            }
            Frame::Control(Control::Refused { kind, message }) => {
                return Err(Refusal {
                    kind: RefusalKind::from_number(kind),
                    message,
                }
                .into());
            }
            other => {
                return Err(lost(format!(
                    "{} came where the answer was due",
                    other.name()
                )));
            }
        }
    }
}
