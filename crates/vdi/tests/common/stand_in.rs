//! A stand-in for SQL Server's client library, with a hub behind it as the server.
//!
//! The calls go: the `linux` back end, the mangled C++ methods of a library that is compiled here,
//! the functions of `calls`, a set of a [`Hub`]. So all that engines of this crate can do is
//! done to the back end through the real calling convention.

#![expect(unsafe_code, reason = "the other side of a C++ interface")]

mod calls;

use std::collections::{HashMap, VecDeque};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use libloading::Library as Dynamic;
#[cfg(windows)]
use vab_vdi::DeviceName;
use vab_vdi::memory::Hub;
use vab_vdi::{
    AbortHandle, CompletionCode, Configuration, ConfiguredSet, CreatedSet, Device, OpenSet,
    Transport, VdCode,
};

pub(crate) use self::calls::Table;
use self::calls::table;
use super::Both;
#[cfg(target_os = "linux")]
pub(crate) use super::stand_in_linux::StandInLibrary;
#[cfg(windows)]
pub(crate) use super::stand_in_windows::StandInLibrary;

/// The stand-in library, and a server of its own behind it.
pub(crate) struct StandIn {
    server: Box<Server>,
    library: StandInLibrary,
}

#[derive(Default)]
pub(crate) struct Server {
    hub: Hub,
    /// What the next calls of a function give instead of doing something.
    forced: Mutex<HashMap<&'static str, VecDeque<VdCode>>>,
    /// Commands that no engine of this crate sends: code and size. They have no buffer.
    odd: Mutex<VecDeque<(i32, i32)>>,
    /// How they were completed.
    odd_completed: Mutex<Vec<CompletionCode>>,
    /// The sets by name.
    parts: Mutex<HashMap<String, Weak<Part>>>,
}

/// An object of the library: of the process that created a set, or of a secondary one.
struct Set {
    server: *const Server,
    is_secondary: AtomicBool,
    /// The set behind it.
    part: Mutex<Arc<Part>>,
}

/// What all objects of one set share.
#[derive(Default)]
struct Part {
    state: Mutex<State>,
    abort: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct State {
    /// Once the server is there.
    agreed: Option<Configuration>,
    created: Option<CreatedSet>,
    configured: Option<ConfiguredSet>,
    open: Option<OpenSet>,
    devices: Vec<Device>,
}

impl StandIn {
    /// A stand-in with a server of its own; `None`, in words, when there is no library for it.
    pub(crate) fn new() -> Option<Arc<Self>> {
        let library = StandInLibrary::find()?;
        let server = Box::<Server>::default();
        library.install(&table(&server));
        Some(Arc::new(Self { server, library }))
    }

    /// The back end under test.
    pub(crate) fn load(&self) -> impl Transport + 'static {
        self.library
            .load((&raw const *self.server).expose_provenance())
    }

    /// The back end in a secondary process, for a set of that name.
    #[cfg(windows)]
    pub(crate) fn secondary(&self, set: &DeviceName) -> impl Transport + 'static {
        let server = (&raw const *self.server).expose_provenance();
        self.library.secondary(server, set)
    }

    /// Both sides of it.
    pub(crate) fn both(self: Arc<Self>) -> Both {
        Both {
            client: Arc::new(self.load()),
            engine: Arc::new(self.server.hub.clone()),
            tells_who_is_lost: false,
            _keep: self,
        }
    }

    /// The next call of the function gives this code.
    pub(crate) fn force(&self, function: &'static str, code: VdCode) {
        self.server
            .forced
            .lock()
            .unwrap()
            .entry(function)
            .or_default()
            .push_back(code);
    }

    /// The next command is this one, without a buffer.
    pub(crate) fn send_odd(&self, code: i32, size: i32) {
        self.server.odd.lock().unwrap().push_back((code, size));
    }

    /// How the odd commands were completed.
    pub(crate) fn odd_completed(&self) -> Vec<CompletionCode> {
        self.server.odd_completed.lock().unwrap().clone()
    }

    /// Calls that broke the interface's rules.
    pub(crate) fn misuse(&self) -> c_int {
        let library: &Dynamic = self.library.dynamic();
        // SAFETY: the function takes nothing and gives a number.
        unsafe {
            let misuse = library.get::<unsafe extern "C" fn() -> c_int>("vab_stand_in_misuse");
            misuse.unwrap()()
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        assert!(
            std::thread::panicking() || self.misuse() == 0,
            "rules were broken"
        );
    }
}

impl Server {
    fn forced(&self, function: &'static str) -> Option<c_int> {
        let mut forced = self.forced.lock().unwrap();
        forced.get_mut(function)?.pop_front().map(calls::give)
    }
}

impl Set {
    fn part(&self) -> Arc<Part> {
        Arc::clone(&self.part.lock().unwrap())
    }

    fn is_secondary(&self) -> bool {
        self.is_secondary.load(Ordering::Acquire)
    }
}
