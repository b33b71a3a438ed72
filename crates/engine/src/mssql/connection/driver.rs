//! The driver: `tiberius`, on a thread of its own for every connection.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::{Either, select};
use socket2::{SockRef, TcpKeepalive};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, QueryItem, SqlBrowser, error::Error};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use zeroize::Zeroizing;

use super::listener::{Heard, Listener};
use super::row::{self, Row};
use super::{Connect, ConnectError, Connection, ExecuteError, Info, ServerError};
use crate::cancel::Cancel;
use crate::mssql::address::{Address, Encryption, Trust};
use crate::mssql::statement::Statement;

/// How long it may take to reach the server and to log in, each.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a cancelled statement may take to end before the connection is dropped, which ends it
/// too.
const ATTENTION: Duration = Duration::from_secs(10);
/// A statement may run for hours without a word; a dead server is noticed by this.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How often a login may be sent on to another server.
const ROUTINGS: usize = 3;
/// The most rows of an answer.
const MAX_ROWS: usize = 100_000;
const PASSWORD: &str = "VAB_MSSQL_PASSWORD";

type Link = Client<Compat<TcpStream>>;

/// Who logs in.
#[derive(Clone)]
pub enum Login {
    /// A login of SQL Server.
    Server {
        /// Its name.
        user: String,
        /// Its password; overwritten in memory when no longer needed.
        password: Zeroizing<String>,
    },
    /// The account of this process, on Windows.
    Integrated,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

impl Login {
    /// The login that an address names, with the password of the environment variable
    /// `VAB_MSSQL_PASSWORD`.
    ///
    /// # Errors
    /// When there is no password, or the account of the process cannot log in from this system.
    pub fn from_environment(address: &Address) -> Result<Self, ConnectError> {
        match &address.user {
            Some(user) => match std::env::var(PASSWORD) {
                Ok(password) => Ok(Self::Server {
                    user: user.clone(),
                    password: Zeroizing::new(password),
                }),
                Err(_) => Err(ConnectError::NoPassword {
                    login: user.clone(),
                }),
            },
            None if cfg!(windows) => Ok(Self::Integrated),
            None => Err(ConnectError::NoIntegratedLogin),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Server { user, .. } => format!("the login {user}"),
            Self::Integrated => "the account of this process".to_owned(),
        }
    }

    fn method(&self) -> Result<AuthMethod, ConnectError> {
        match self {
            Self::Server { user, password } => Ok(AuthMethod::sql_server(user, password.as_str())),
            #[cfg(windows)]
            Self::Integrated => Ok(AuthMethod::Integrated),
            #[cfg(not(windows))]
            Self::Integrated => Err(ConnectError::NoIntegratedLogin),
        }
    }
}

/// Connects to a server with `tiberius`.
#[derive(Clone, Debug)]
pub struct Driver {
    address: Address,
    login: Login,
}

impl Driver {
    /// A driver for this server and login.
    pub fn new(address: Address, login: Login) -> Self {
        Self { address, login }
    }

    fn config(&self) -> Result<Config, ConnectError> {
        let mut config = Config::new();
        config.host(&self.address.host);
        if let Some(port) = self.address.port {
            config.port(port);
        } else if let Some(instance) = &self.address.instance {
            config.instance_name(instance);
        }
        config.application_name("vab");
        config.encryption(match self.address.encryption {
            Encryption::Required => EncryptionLevel::Required,
            Encryption::Strict => EncryptionLevel::Strict,
            Encryption::LoginOnly => EncryptionLevel::Off,
            Encryption::Off => EncryptionLevel::NotSupported,
        });
        match &self.address.trust {
            Trust::System => {}
            Trust::File(file) => config.trust_cert_ca(file.display()),
            Trust::Any => config.trust_cert(),
        }
        if let Some(name) = &self.address.certificate_name {
            config.hostname_in_certificate(name);
        }
        config.authentication(self.login.method()?);
        config.handshake_timeout(Some(CONNECT));
        config.command_timeout(None);
        Ok(config)
    }

    async fn log_in(&self) -> Result<Link, ConnectError> {
        let mut config = self.config()?;
        for _ in 0..ROUTINGS {
            let stream = self.reach(&config).await?;
            match Box::pin(Client::connect(config.clone(), stream.compat_write())).await {
                Ok(client) => return Ok(client),
                Err(Error::Routing { host, port }) => {
                    config = self.config()?;
                    config.host(host);
                    config.port(port);
                }
                Err(error) => return Err(self.refused(error)),
            }
        }
        Err(ConnectError::Protocol {
            address: self.address.to_string(),
            reason: "it sends the login from server to server".to_owned(),
        })
    }

    async fn reach(&self, config: &Config) -> Result<TcpStream, ConnectError> {
        let asked = self.address.instance.as_ref();
        let asked = asked.filter(|_| self.address.port.is_none());
        let unreachable = |reason: String| ConnectError::Unreachable {
            address: self.address.to_string(),
            reason: match asked {
                None => reason,
                Some(instance) => format!(
                    "{reason}; SQL Server Browser was asked for its port at UDP 1434, which is not \
                     needed with HOST:PORT/{instance}"
                ),
            },
        };
        let named = asked.is_some();
        let reached = async {
            if named {
                TcpStream::connect_named(config)
                    .await
                    .map_err(|error| error.to_string())
            } else {
                TcpStream::connect(config.get_addr())
                    .await
                    .map_err(|error| error.to_string())
            }
        };
        let stream = timeout(CONNECT, reached)
            .await
            .map_err(|_| unreachable(format!("no answer within {} seconds", CONNECT.as_secs())))?
            .map_err(unreachable)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 3);
        let socket = SockRef::from(&stream);
        // A socket that cannot have these works as well.
        let _ = socket.set_tcp_keepalive(&keepalive);
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn refused(&self, error: Error) -> ConnectError {
        let address = self.address.to_string();
        match error {
            Error::Server(error) => ConnectError::Login {
                address,
                login: self.login.name(),
                error: ServerError::new(
                    error.code(),
                    error.state(),
                    error.class(),
                    error.message(),
                ),
            },
            Error::Tls(reason) => ConnectError::Tls {
                address,
                // The driver goes on with advice about its own functions.
                reason: reason
                    .split(" To connect anyway")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            },
            other => ConnectError::Protocol {
                address,
                reason: other.to_string(),
            },
        }
    }
}

impl Connect for Driver {
    fn connect(&self) -> Result<Box<dyn Connection>, ConnectError> {
        let driver = self.clone();
        let (orders, taken) = mpsc::channel();
        let (ready, said) = mpsc::sync_channel(1);
        let gone = |reason: &str| ConnectError::Thread {
            reason: reason.to_owned(),
        };
        let listener = Listener::new();
        thread::Builder::new()
            .name("vab-mssql".to_owned())
            .spawn(move || {
                let begun = Session::begin(&driver, listener);
                match begun {
                    Err(error) => drop(ready.send(Err(error))),
                    Ok(session) => {
                        if ready.send(Ok(())).is_ok() {
                            session.serve(&taken);
                        }
                    }
                }
            })
            .map_err(|error| gone(&error.to_string()))?;
        said.recv().map_err(|_| gone("it died"))??;
        Ok(Box::new(Handle { orders }))
    }
}

/// The caller's side of a connection.
struct Handle {
    orders: Sender<Order>,
}

/// A statement for the connection's thread.
struct Order {
    text: String,
    limit: Option<Duration>,
    cancelled: Arc<Notify>,
    tell: Sender<Told>,
}

/// What the thread tells while it works on an order.
enum Told {
    Heard(Heard),
    Ended(Result<Vec<Row>, ExecuteError>),
}

impl Connection for Handle {
    fn execute(
        &mut self,
        statement: &Statement,
        limit: Option<Duration>,
        cancel: &Cancel,
        told: &mut dyn FnMut(&Info),
    ) -> Result<Vec<Row>, ExecuteError> {
        let closed = || ExecuteError::Lost {
            reason: "it was closed before".to_owned(),
        };
        let cancelled = Arc::new(Notify::new());
        let notify = Arc::clone(&cancelled);
        cancel.on_cancel(move || notify.notify_one());
        let (tell, events) = mpsc::channel();
        let order = Order {
            text: statement.to_string(),
            limit,
            cancelled,
            tell,
        };
        self.orders.send(order).map_err(|_| closed())?;
        let mut errors = Vec::new();
        loop {
            match events.recv().map_err(|_| closed())? {
                Told::Heard(Heard::Info(info)) => told(&info),
                Told::Heard(Heard::Error(error)) => errors.push(error),
                Told::Ended(Err(ExecuteError::Server(mut error))) => {
                    // The first of them is the error itself.
                    error.followed_by = errors.into_iter().skip(1).collect();
                    return Err(ExecuteError::Server(error));
                }
                Told::Ended(result) => return result,
            }
        }
    }
}

/// The thread's side of a connection.
struct Session {
    runtime: Runtime,
    client: Link,
    listener: Listener,
    _heard: tracing::dispatcher::DefaultGuard,
}

impl Session {
    fn begin(driver: &Driver, listener: Listener) -> Result<Self, ConnectError> {
        let heard = tracing::dispatcher::set_default(&listener.clone().into());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ConnectError::Thread {
                reason: error.to_string(),
            })?;
        let client = runtime.block_on(driver.log_in())?;
        let mut session = Self {
            runtime,
            client,
            listener,
            _heard: heard,
        };
        // Messages in one language, whatever the login's is.
        let english = "SET LANGUAGE us_english".to_owned();
        let lost = |reason| ConnectError::Protocol {
            address: driver.address.to_string(),
            reason,
        };
        session
            .run(english, Some(CONNECT), &Notify::new())
            .map_err(|error| lost(error.to_string()))?;
        Ok(session)
    }

    /// Works on orders until nobody gives any more, or the connection is of no use any more.
    fn serve(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            self.listener.tell(order.tell.clone(), Told::Heard);
            let result = self.run(order.text, order.limit, &order.cancelled);
            self.listener.hush();
            let usable = matches!(result, Ok(_) | Err(ExecuteError::Server(_)));
            let heard = order.tell.send(Told::Ended(result));
            if !usable || heard.is_err() {
                return;
            }
        }
        let Self {
            runtime, client, ..
        } = self;
        // The server sees the end of the connection either way.
        let _ = runtime.block_on(async { timeout(ATTENTION, client.close()).await });
    }

    fn run(
        &mut self,
        text: String,
        limit: Option<Duration>,
        cancelled: &Notify,
    ) -> Result<Vec<Row>, ExecuteError> {
        let Self {
            runtime, client, ..
        } = self;
        runtime.block_on(async {
            let ended = {
                let work = pin!(rows(client, text));
                let stop = pin!(stop(limit, cancelled));
                match select(work, stop).await {
                    Either::Left((result, _)) => return result,
                    Either::Right((why, _)) => why,
                }
            };
            // Whatever comes of it, the connection is closed afterwards.
            let _ = timeout(ATTENTION, client.cancel_query()).await;
            Err(ended)
        })
    }
}

/// Waits until the statement is to end before its time.
async fn stop(limit: Option<Duration>, cancelled: &Notify) -> ExecuteError {
    let cancelled = pin!(cancelled.notified());
    let Some(limit) = limit else {
        cancelled.await;
        return ExecuteError::Cancelled;
    };
    match select(cancelled, pin!(sleep(limit))).await {
        Either::Left(_) => ExecuteError::Cancelled,
        Either::Right(_) => ExecuteError::TimedOut { limit },
    }
}

/// The rows of the first result.
async fn rows(client: &mut Link, text: String) -> Result<Vec<Row>, ExecuteError> {
    let mut answer = client.simple_query(text).await.map_err(failed)?;
    let mut rows = Vec::new();
    let mut columns: Arc<[String]> = Arc::default();
    while let Some(item) = answer.try_next().await.map_err(failed)? {
        match item {
            QueryItem::Metadata(metadata) if metadata.result_index() == 0 => {
                columns = metadata
                    .columns()
                    .iter()
                    .map(|column| column.name().to_owned())
                    .collect();
            }
            QueryItem::Row(row) if row.result_index() == 0 => {
                if rows.len() >= MAX_ROWS {
                    return Err(ExecuteError::TooMany { limit: MAX_ROWS });
                }
                let values = row.cells().map(|(_, data)| row::value(data)).collect();
                rows.push(Row::new(Arc::clone(&columns), values));
            }
            QueryItem::Metadata(_) | QueryItem::Row(_) => {}
        }
    }
    Ok(rows)
}

fn failed(error: Error) -> ExecuteError {
    match error {
        Error::Server(error) => ExecuteError::Server(ServerError::new(
            error.code(),
            error.state(),
            error.class(),
            error.message(),
        )),
        other => ExecuteError::Lost {
            reason: other.to_string(),
        },
    }
}
