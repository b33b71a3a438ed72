//! How an engine finds a set and connects to it.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::Deadline;
use crate::code::Features;
use crate::engine::OpenSetRequest;
use crate::error::{ConfigError, EngineError};
use crate::name::DeviceName;
use crate::pipe::directory::Directory;
use crate::pipe::hello::{Answer, Hello};
use crate::pipe::memory::{Memory, Part, Side};
use crate::pipe::message;
use crate::pipe::session::Session;
use crate::pipe::sys::{self, Socket};

/// How long to sleep before looking again whether a set was created.
const PAUSE: Duration = Duration::from_millis(5);

/// Connects to the set that the request names, and all its devices.
pub(super) fn meet(
    directory: &Directory,
    request: &OpenSetRequest,
    timeout: Duration,
) -> Result<(Session, Features, Vec<Part>), EngineError> {
    let deadline = Deadline::after(Some(timeout));
    let Some(name) = request.device_names.first() else {
        return Err(ConfigError::DeviceCount { got: 0 }.into());
    };
    // Without memory of its own, data goes through the sockets.
    let memory = directory
        .memory
        .then(|| Memory::create(request.shape()).ok())
        .flatten();
    let visit = Visit {
        directory,
        memory: memory.as_ref(),
        request,
        name,
        timeout,
        deadline,
    };
    loop {
        match visit.connect_all() {
            Ok(met) => {
                let memory = memory.filter(|_| met.shares_memory);
                let parts = memory.map(|memory| memory.into_parts(Side::Engine));
                return Ok((met.session, met.features, parts.unwrap_or_default()));
            }
            Err(Missed::Error(error)) => return Err(error),
            Err(Missed::NobodyHome) => {}
        }
        if deadline.left() == Some(Duration::ZERO) {
            return Err(visit.nobody());
        }
        thread::sleep(PAUSE.min(deadline.left().unwrap_or(PAUSE)));
    }
}

struct Visit<'a> {
    directory: &'a Directory,
    memory: Option<&'a Memory>,
    request: &'a OpenSetRequest,
    name: &'a DeviceName,
    timeout: Duration,
    deadline: Deadline,
}

/// What a visit to a client at home gives.
struct Met {
    session: Session,
    features: Features,
    shares_memory: bool,
}

/// Why there is no session yet.
enum Missed {
    /// Worth another try until the time is over.
    NobodyHome,
    Error(EngineError),
}

impl Visit<'_> {
    fn connect_all(&self) -> Result<Met, Missed> {
        let hello = Hello::Set(self.request.clone(), self.memory.is_some());
        let (control, answer) = self.connect(&hello)?;
        let Answer::Welcome {
            token,
            features,
            memory: shares_memory,
        } = answer
        else {
            return Err(self.refused(answer));
        };
        match self.memory {
            Some(memory) if shares_memory => memory
                .send(&control, self.deadline)
                .map_err(|error| missed("sending the memory", error))?,
            _ if shares_memory => return Err(self.refused(Answer::Malformed)),
            _ => {}
        }
        let mut devices = Vec::with_capacity(self.request.device_names.len());
        for index in 0..self.request.device_names.len() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            let (socket, answer) = self.connect(&Hello::Device { token, index })?;
            if !answer.has(&token) {
                return Err(self.refused(answer));
            }
            devices.push(socket);
        }
        let session = Session::new(control, devices);
        Ok(Met {
            session,
            features,
            shares_memory,
        })
    }

    fn connect(&self, hello: &Hello) -> Result<(Arc<Socket>, Answer), Missed> {
        let socket = sys::connect(self.directory.path(), self.name, self.deadline)
            .map_err(|error| missed("connecting", error))?;
        match self.directory.stranger(&socket) {
            Ok(None) => {}
            Ok(Some(user)) => {
                let (name, user) = (self.name.clone(), user.to_string());
                return Err(Missed::Error(EngineError::Stranger { name, user }));
            }
            Err(error) => return Err(missed("asking who the client is", error)),
        }
        message::send(&socket, &hello.encode(), self.deadline)
            .map_err(|error| missed("sending the request", error))?;
        let answer = message::receive(&socket, self.deadline)
            .map_err(|error| missed("waiting for the answer", error))?;
        match Answer::decode(&answer) {
            Some(answer) => Ok((Arc::new(socket), answer)),
            None => Err(Missed::Error(EngineError::Protocol {
                reason: "its answer is not one of this protocol".into(),
            })),
        }
    }

    fn refused(&self, answer: Answer) -> Missed {
        Missed::Error(answer.into_error(self.name.clone(), self.request, self.timeout))
    }

    fn nobody(&self) -> EngineError {
        EngineError::NoSuchSet {
            name: self.name.clone(),
            waited: self.timeout,
        }
    }
}

/// No connection, one to the dead, or a client that is just going: all mean that nobody is home.
fn missed(action: &'static str, error: io::Error) -> Missed {
    use io::ErrorKind::{
        BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, TimedOut, UnexpectedEof,
    };
    match error.kind() {
        NotFound | ConnectionRefused | ConnectionReset | BrokenPipe | UnexpectedEof | TimedOut => {
            Missed::NobodyHome
        }
        _ => Missed::Error(EngineError::Io {
            action,
            error: Arc::new(error),
        }),
    }
}
