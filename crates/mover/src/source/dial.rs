use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::error::ConnectError;
use super::options::{Security, SourceOptions};
use crate::clock::Clock;
use crate::net::{Greeting, Halves, Link, LinkError, Throttles, greet};
use crate::proto::{Agreement, Features, Hello};
#[cfg(feature = "tls")]
use crate::security::TlsProblem;

/// Opens connections to one target.
#[derive(Debug)]
pub(super) struct Dialer {
    pub(super) address: String,
    pub(super) options: SourceOptions,
}

impl Dialer {
    /// Opens a connection and greets.
    pub(super) async fn dial(&self) -> Result<(Halves, Agreement), ConnectError> {
        let limit: Duration = self.options.connect_limit;
        match tokio::time::timeout(limit, self.try_dial()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::TimedOut {
                address: self.address.clone(),
                limit,
            }),
        }
    }

    async fn try_dial(&self) -> Result<(Halves, Agreement), ConnectError> {
        let address = || self.address.clone();
        let stream = TcpStream::connect(&self.address).await.map_err(|source| {
            ConnectError::Unreachable {
                address: address(),
                source,
            }
        })?;
        // Small control messages must not wait for more.
        let _ = stream.set_nodelay(true);
        let options = &self.options;
        let limits = Throttles::of(options.session_limit, options.shared_limit.as_ref());
        let clock = Clock::start();
        match &options.security {
            Security::Plain => {
                let mut halves = Halves::of(stream, &limits, clock);
                let greeting = self.greet(&mut halves, Hello::ours()).await?;
                if greeting.theirs.contains(Features::TLS) {
                    return Err(ConnectError::WantsTls { address: address() });
                }
                // It would travel in the clear.
                if greeting.theirs.contains(Features::TOKEN) {
                    return Err(ConnectError::WantsToken { address: address() });
                }
                Ok((halves, greeting.agreement))
            }
            #[cfg(feature = "tls")]
            Security::Tls(tls) => {
                let stream = crate::net::connect(tls, &self.address, stream).await;
                let stream = stream.map_err(|problem| self.problem(problem))?;
                let mut halves = Halves::of(stream, &limits, clock);
                let agreement = self.show(tls, &mut halves).await?;
                Ok((halves, agreement))
            }
        }
    }

    async fn greet(&self, halves: &mut Halves, ours: Hello) -> Result<Greeting, ConnectError> {
        greet(halves, ours)
            .await
            .map_err(|error| self.failed(error))
    }

    /// Greets inside TLS, and shows the token if the target asks for it.
    #[cfg(feature = "tls")]
    async fn show(
        &self,
        tls: &crate::security::ClientTls,
        halves: &mut Halves,
    ) -> Result<Agreement, ConnectError> {
        use tokio::io::AsyncWriteExt;

        use crate::net::{read_frame, write_frame};
        use crate::pool::Pool;
        use crate::proto::control::Control;
        use crate::proto::frame::{Frame, Limits};
        use crate::{Refusal, RefusalKind};

        let address = || self.address.clone();
        let mut ours = Hello::ours();
        if tls.token.is_some() {
            ours.features = ours.features.and(Features::TOKEN);
        }
        let Greeting { agreement, theirs } = self.greet(halves, ours).await?;
        if !theirs.contains(Features::TOKEN) {
            return Ok(agreement);
        }
        let Some(token) = &tls.token else {
            return Err(ConnectError::WantsToken { address: address() });
        };
        let shown = async {
            let token = token.secret().clone();
            write_frame(&mut halves.writer, Control::Token { token }.into()).await?;
            halves.writer.flush().await?;
            read_frame(&mut halves.reader, Limits::CONTROL, &Pool::new(0), &|| ()).await
        };
        match shown.await.map_err(|error| self.failed(error))? {
            Frame::Control(Control::Welcome) => Ok(agreement),
            Frame::Control(Control::Refused { kind, message }) => Err(ConnectError::NotLetIn {
                address: address(),
                refusal: Refusal {
                    kind: RefusalKind::from_number(kind),
                    message,
                },
            }),
            other => Err(ConnectError::Closed {
                address: address(),
                cause: format!(
                    "{} came where the answer to the token was due",
                    other.name()
                ),
            }),
        }
    }

    fn failed(&self, error: LinkError) -> ConnectError {
        let address = self.address.clone();
        match error {
            LinkError::Hello(source) => ConnectError::Hello { address, source },
            #[cfg(feature = "tls")]
            LinkError::Io(error) if TlsProblem::seen_in(&error).is_some() => {
                self.problem(TlsProblem::of_handshake(&error))
            }
            error => ConnectError::Closed {
                address,
                cause: error.to_string(),
            },
        }
    }

    #[cfg(feature = "tls")]
    fn problem(&self, source: TlsProblem) -> ConnectError {
        let address = self.address.clone();
        match source {
            TlsProblem::NoTls => ConnectError::NoTls { address },
            TlsProblem::Broken { cause } => ConnectError::Closed { address, cause },
            source => ConnectError::Tls { address, source },
        }
    }
}

/// A try to come back that runs beside the session.
#[derive(Default)]
pub(super) struct Redial(Option<oneshot::Receiver<Result<Link, String>>>);

impl Redial {
    /// Begins a try; one that was running counts no longer.
    pub(super) fn begin(
        &mut self,
        dialer: &Arc<Dialer>,
        start: impl FnOnce(Halves) -> Link + Send + 'static,
    ) {
        let (done, answer) = oneshot::channel();
        let dialer = Arc::clone(dialer);
        tokio::spawn(async move {
            let outcome = dialer.dial().await;
            let outcome = outcome.map(|(halves, _)| start(halves));
            let _ = done.send(outcome.map_err(|error| error.to_string()));
        });
        self.0 = Some(answer);
    }

    /// How the try ended; for ever pending without one. Cancel safe.
    pub(super) async fn outcome(&mut self) -> Result<Link, String> {
        let Some(answer) = &mut self.0 else {
            return std::future::pending().await;
        };
        let outcome = answer
            .await
            .unwrap_or_else(|_| Err("the try was dropped".to_owned()));
        self.0 = None;
        outcome
    }
}
