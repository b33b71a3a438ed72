//! How a client finds out who knocks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::ClientSet;
use crate::clock::Deadline;
use crate::configuration::Configuration;
use crate::engine::OpenSetRequest;
use crate::pipe::hello::{Answer, Hello};
use crate::pipe::memory::{Memory, Part, Side};
use crate::pipe::message;
use crate::pipe::session::Session;
use crate::pipe::sys::{Listener, Socket};
use crate::pipe::token::random;
use crate::sync::lock;

/// The wait for an engine and its connections.
pub(super) struct Greeting<'a> {
    set: &'a ClientSet,
    listener: &'a Listener,
}

/// What a met engine makes. The parts are in the order of the set's devices.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) session: Session,
    pub(super) configuration: Configuration,
    pub(super) parts: Vec<Part>,
}

impl<'a> Greeting<'a> {
    pub(super) fn new(set: &'a ClientSet, listener: &'a Listener) -> Self {
        Self { set, listener }
    }

    /// Waits for an engine. Whoever is not trusted, talks nonsense or leaves too early is let go,
    /// and the wait goes on.
    pub(super) fn wait(&self, deadline: Deadline) -> io::Result<Option<Met>> {
        loop {
            let Some(socket) = self.accept(deadline)? else {
                return Ok(None);
            };
            if let Ok(Some(met)) = self.meet(&socket, self.patience()) {
                return Ok(Some(met));
            }
            lock(&self.set.greeted).clear();
            if deadline.left() == Some(Duration::ZERO) {
                return Ok(None);
            }
        }
    }

    /// How long a connection may take from now on.
    fn patience(&self) -> Deadline {
        Deadline::after(Some(self.set.directory.handshake))
    }

    /// The next trusted connection; `None` when none came in time or the set was aborted.
    fn accept(&self, deadline: Deadline) -> io::Result<Option<Arc<Socket>>> {
        loop {
            let Some(socket) = self.listener.accept(&self.set.wake, deadline)? else {
                return Ok(None);
            };
            let socket = Arc::new(socket);
            if matches!(self.set.directory.stranger(&socket), Ok(None)) {
                lock(&self.set.greeted).push(Arc::clone(&socket));
                // The abort may have looked at the list before.
                return Ok((!self.set.is_aborted()).then_some(socket));
            }
            if deadline.left() == Some(Duration::ZERO) {
                return Ok(None);
            }
        }
    }

    /// Talks with whoever connected first.
    fn meet(&self, control: &Arc<Socket>, patience: Deadline) -> io::Result<Option<Met>> {
        let said = message::receive(control, patience)?;
        let Some(Hello::Set(request, offered)) = Hello::decode(&said) else {
            message::send(control, &Answer::Malformed.encode(), patience)?;
            return Ok(None);
        };
        if request.device_names.first() != self.set.device_names.first() {
            message::send(control, &Answer::OtherSet.encode(), patience)?;
            return Ok(None);
        }
        let positions = match request.positions(&self.set.device_names) {
            Ok(positions) => positions,
            Err(error) => {
                let answer = Answer::refusal(&error, &request);
                message::send(control, &answer.encode(), patience)?;
                return Ok(None);
            }
        };
        let welcome = Answer::Welcome {
            token: random(),
            features: self.set.features,
            memory: offered && self.set.directory.memory && Memory::can_receive(control),
        };
        message::send(control, &welcome.encode(), patience)?;
        let parts = Self::parts(control, &welcome, &positions, &request, patience)?;
        let found = self.gather(control, &welcome, &positions)?;
        let configuration = request.configuration(self.set.features);
        Ok(found.map(|session| Met {
            session,
            configuration,
            parts,
        }))
    }

    /// The memory that the engine sends, if that was agreed on.
    fn parts(
        control: &Socket,
        welcome: &Answer,
        positions: &[usize],
        request: &OpenSetRequest,
        patience: Deadline,
    ) -> io::Result<Vec<Part>> {
        if !matches!(welcome, Answer::Welcome { memory: true, .. }) {
            return Ok(Vec::new());
        }
        let memory = Memory::receive(control, request.shape(), patience)?;
        let parts = memory.into_parts(Side::Client);
        let mut parts: Vec<_> = positions.iter().zip(parts).collect();
        parts.sort_by_key(|(position, _)| **position);
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    /// Waits until the engine has connected all devices.
    fn gather(
        &self,
        control: &Arc<Socket>,
        welcome: &Answer,
        positions: &[usize],
    ) -> io::Result<Option<Session>> {
        let mut devices: Vec<Option<Arc<Socket>>> = vec![None; positions.len()];
        while devices.iter().any(Option::is_none) {
            // Each connection has the whole limit: there can be many.
            let patience = self.patience();
            let Some(socket) = self.accept(patience)? else {
                return Ok(None);
            };
            // Whoever says nothing or nonsense is let go; the engine may still be on its way.
            let Ok(said) = message::receive(&socket, patience) else {
                continue;
            };
            let position = match Hello::decode(&said) {
                Some(Hello::Device { token, index }) if welcome.has(&token) => {
                    positions.get(usize::from(index)).copied()
                }
                // Another engine wants the set.
                Some(_) => None,
                None => continue,
            };
            match position.and_then(|position| devices.get_mut(position)) {
                Some(slot @ None) => {
                    message::send(&socket, &welcome.encode(), patience)?;
                    *slot = Some(socket);
                }
                // That it does not hear the answer is its own affair.
                _ => drop(message::send(&socket, &Answer::Busy.encode(), patience)),
            }
        }
        let devices = devices.into_iter().flatten().collect();
        Ok(Some(Session::new(Arc::clone(control), devices)))
    }
}
