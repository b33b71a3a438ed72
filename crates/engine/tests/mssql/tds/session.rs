//! A server that listens, lets logins in, and hands every batch to a handler.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::packet::{self, ANSWER, ATTENTION, BATCH, LOGIN, PRELOGIN, Wire};
use super::token::{self, End};

pub(crate) const USER: &str = "backup";
pub(crate) const PASSWORD: &str = "Pass'wörd 1;";

/// Makes a secure stream of a plain one.
pub(crate) trait Secure: Send + Sync {
    /// After the introduction, wrapped in packets; the login comes through it.
    fn wrapped(&self, wire: TcpStream) -> io::Result<Box<dyn Wire>>;
    /// Before everything.
    fn first(&self, wire: TcpStream) -> io::Result<Box<dyn Wire>>;
}

/// Answers the batches of a session.
pub(crate) trait Handler: Send + Sync + 'static {
    fn batch(&self, session: &mut Session, text: &str) -> io::Result<()>;
}

impl<F: Fn(&mut Session, &str) -> io::Result<()> + Send + Sync + 'static> Handler for F {
    fn batch(&self, session: &mut Session, text: &str) -> io::Result<()> {
        self(session, text)
    }
}

/// Listens on a free port of this machine until the process ends.
pub(crate) fn listen(secure: Option<Arc<dyn Secure>>, handler: Arc<dyn Handler>) -> SocketAddr {
    listen_on(IpAddr::from([127, 0, 0, 1]), secure, handler)
}

/// Listens on a free port of this address.
pub(crate) fn listen_on(
    host: IpAddr,
    secure: Option<Arc<dyn Secure>>,
    handler: Arc<dyn Handler>,
) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for wire in listener.incoming() {
            let (secure, handler) = (secure.clone(), Arc::clone(&handler));
            thread::spawn(move || serve(wire?, secure.as_deref(), handler.as_ref()));
        }
    });
    address
}

fn serve(wire: TcpStream, secure: Option<&dyn Secure>, handler: &dyn Handler) -> io::Result<()> {
    wire.set_nodelay(true)?;
    let mut first = [0];
    wire.peek(&mut first)?;
    // A client that is strict begins with TLS.
    let strict = first == [0x16];
    let mut after = None;
    let wire: Box<dyn Wire> = match secure {
        Some(secure) if strict => {
            let mut wire = secure.first(wire)?;
            introduction(&mut wire, false)?;
            wire
        }
        secure => {
            let mut wire = wire;
            let agreed = introduction(&mut wire, secure.is_some())?;
            if agreed == Agreed::ForLogin {
                after = Some(Box::new(wire.try_clone()?) as Box<dyn Wire>);
            }
            match secure {
                Some(secure) if agreed != Agreed::Never => secure.wrapped(wire)?,
                _ => Box::new(wire),
            }
        }
    };
    let mut session = Session { wire, after };
    if !session.login()? {
        return Ok(());
    }
    loop {
        let (kind, message) = packet::read(&mut session.wire)?;
        match kind {
            BATCH => handler.batch(&mut session, &batch(&message))?,
            // It came after the end of what it was to end.
            ATTENTION => session.end(End::Cancelled)?,
            other => panic!("a packet of kind {other}"),
        }
    }
}

/// The text behind the headers.
fn batch(message: &[u8]) -> String {
    let headers = u32::from_le_bytes(message[..4].try_into().unwrap());
    utf16(&message[usize::try_from(headers).unwrap()..])
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

/// What is encrypted.
#[derive(Clone, Copy, PartialEq)]
enum Agreed {
    Always,
    ForLogin,
    Never,
}

/// Answers the introduction as the client wants it, where that can be.
fn introduction(wire: &mut dyn Wire, can: bool) -> io::Result<Agreed> {
    let (kind, asked) = packet::read(wire)?;
    assert_eq!(kind, PRELOGIN);
    let mut options = asked.as_slice();
    let mut encryption = 2;
    while let [option, high, low, _, _, rest @ ..] = options {
        if *option == 0xff {
            break;
        }
        if *option == 1 {
            encryption = asked[usize::from(u16::from_be_bytes([*high, *low]))];
        }
        options = rest;
    }
    let (answer, agreed) = match encryption {
        0 if can => (0, Agreed::ForLogin),
        1 | 3 if can => (1, Agreed::Always),
        _ => (2, Agreed::Never),
    };
    // Version, encryption, instance, and no more than one result at a time.
    let options: [(u8, &[u8]); 4] = [
        (0, &[16, 0, 0x10, 0x27, 0, 0]),
        (1, &[answer]),
        (2, &[0]),
        (4, &[0]),
    ];
    let mut at = u16::try_from(options.len() * 5 + 1).unwrap();
    let (mut head, mut body) = (Vec::new(), Vec::<u8>::new());
    for (option, value) in options {
        let length = u16::try_from(value.len()).unwrap();
        head.push(option);
        head.extend(at.to_be_bytes());
        head.extend(length.to_be_bytes());
        body.extend(value);
        at += length;
    }
    head.push(0xff);
    head.extend(body);
    packet::write(wire, ANSWER, &head, true)?;
    Ok(agreed)
}

/// A client that is logged in.
pub(crate) struct Session {
    wire: Box<dyn Wire>,
    /// Where it goes on after the login.
    after: Option<Box<dyn Wire>>,
}

impl Session {
    fn login(&mut self) -> io::Result<bool> {
        let (kind, login) = packet::read(&mut self.wire)?;
        assert_eq!(kind, LOGIN);
        if let Some(after) = self.after.take() {
            self.wire = after;
        }
        let field = |at: usize| {
            let number = |at: usize| usize::from(u16::from_le_bytes([login[at], login[at + 1]]));
            login[number(at)..number(at) + 2 * number(at + 2)].to_vec()
        };
        let user = utf16(&field(40));
        let password: Vec<u8> = field(44)
            .iter()
            .map(|b| (b ^ 0xa5).rotate_left(4))
            .collect();
        if (user.as_str(), utf16(&password).as_str()) != (USER, PASSWORD) {
            let text = format!("Login failed for user '{user}'.");
            self.send(&token::error(18456, 8, &text))?;
            self.end(End::Badly)?;
            return Ok(false);
        }
        // The version that the client asked for.
        let version = u32::from_le_bytes(login[4..8].try_into().unwrap());
        let size = packet::SIZE.to_string();
        self.send(&token::changed(1, "master", "master"))?;
        self.send(&token::info(5701, "Changed database context to 'master'."))?;
        self.send(&token::login_ack(version))?;
        self.send(&token::changed(4, &size, &size))?;
        self.end(End::Well)?;
        Ok(true)
    }

    /// Sends tokens at once, as a packet of an answer that is not over.
    pub(crate) fn send(&mut self, tokens: &[u8]) -> io::Result<()> {
        packet::write(&mut self.wire, ANSWER, tokens, false)
    }

    /// Ends the answer.
    pub(crate) fn end(&mut self, end: End) -> io::Result<()> {
        packet::write(&mut self.wire, ANSWER, &token::done(end), true)
    }

    /// Whether the client asks to stop, within this time.
    pub(crate) fn attention(&mut self, limit: Duration) -> io::Result<bool> {
        match packet::read_within(&mut self.wire, limit)? {
            Some((ATTENTION, _)) => Ok(true),
            Some((kind, _)) => panic!("a packet of kind {kind} while a statement runs"),
            None => Ok(false),
        }
    }
}

impl Wire for Box<dyn Wire> {
    fn patience(&self, limit: Option<Duration>) -> io::Result<()> {
        self.as_ref().patience(limit)
    }
}
