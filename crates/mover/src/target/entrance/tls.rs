use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::{Guest, Stranger, control};
use crate::clock::Clock;
use crate::net::{Allowance, Guarded, Halves, LinkError, Throttles, accept, greet, write_frame};
use crate::proto::control::{Control, text};
use crate::proto::{Features, Hello};
use crate::security::{PeerIdentity, ServerTls};
use crate::{Refusal, RefusalKind};

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

pub(super) async fn open(
    tls: &ServerTls,
    stream: TcpStream,
    limits: &Throttles,
    allowance: Allowance,
    clock: Clock,
) -> Result<Guest, Stranger> {
    // Looked at before anything of TLS is made: a peer that says nothing costs a socket.
    let mut first = [0; 1];
    let mut seen = ReadBuf::new(&mut first);
    std::future::poll_fn(|cx| stream.poll_peek(cx, &mut seen))
        .await
        .map_err(LinkError::from)?;
    match seen.filled() {
        [] => return Err(LinkError::Closed.into()),
        [HANDSHAKE] => {}
        _ => {
            let stream = Guarded::new(stream, allowance);
            return Err(plain(Halves::of(stream, limits, clock)).await);
        }
    }
    let (stream, identity) =
        accept(tls, Guarded::new(stream, allowance.clone()), allowance).await?;
    let mut halves = Halves::of(stream, limits, clock);
    let mut ours = Hello::ours();
    if tls.token.is_some() {
        ours.features = ours.features.and(Features::TOKEN);
    }
    let greeting = greet(&mut halves, ours).await?;
    if let Some(known) = &tls.token {
        if !greeting.theirs.contains(Features::TOKEN) {
            refuse(&mut halves, NO_TOKEN).await;
            return Err(Stranger::NoToken);
        }
        match control(&mut halves).await? {
            Control::Token { token } if known.is_of(&token) => {}
            Control::Token { .. } => {
                refuse(&mut halves, WRONG_TOKEN).await;
                return Err(Stranger::WrongToken);
            }
            _ => {
                refuse(&mut halves, NO_TOKEN).await;
                return Err(Stranger::NoToken);
            }
        }
        write_frame(&mut halves.writer, Control::Welcome.into()).await?;
        halves.writer.flush().await.map_err(LinkError::from)?;
    }
    let request = control(&mut halves).await?;
    Ok(Guest {
        halves,
        agreement: greeting.agreement,
        peer: identity.unwrap_or(PeerIdentity::Token),
        request,
    })
}

const NO_TOKEN: &str = "this target wants a token; give the source the one of the target";
const WRONG_TOKEN: &str =
    "the token is not the one of this target; give the source the one of the target";
const WANTS_TLS: &str =
    "this target wants TLS; say whom to trust: its authority, or its fingerprint";

/// Tells a peer that greets in the clear what it lacks; to another program nothing is said.
async fn plain(mut halves: Halves) -> Stranger {
    let mut ours = Hello::ours();
    ours.features = Features::TLS;
    match greet(&mut halves, ours).await {
        Ok(_) => {
            refuse(&mut halves, WANTS_TLS).await;
            Stranger::Plain
        }
        Err(error) => error.into(),
    }
}

async fn refuse(halves: &mut Halves, message: &str) {
    let refusal = Refusal::new(RefusalKind::Forbidden, message);
    let refused = Control::Refused {
        kind: refusal.kind.number(),
        message: text(&refusal.message),
    };
    if write_frame(&mut halves.writer, refused.into())
        .await
        .is_ok()
    {
        let _ = halves.close().await;
    }
}
