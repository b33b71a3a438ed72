//! What the C++ methods of the stand-in library call.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use vab_vdi::{
    Command, CompletionCode, Configuration, Device, DeviceName, Direction, Event, Features,
    OpenSet, SetConfig, Transport, VdCode, Waited,
};

use super::{Server, Set};

#[repr(C)]
pub(crate) struct Table {
    context: *const Server,
    set_new: extern "C" fn(*const Server) -> *mut Set,
    set_drop: unsafe extern "C" fn(*mut Set),
    create: unsafe extern "C" fn(*const Set, *const c_char, *mut Config) -> c_int,
    configuration: unsafe extern "C" fn(*const Set, i64, *mut Config) -> c_int,
    open_device: unsafe extern "C" fn(*const Set, *const c_char, *mut *mut Opened) -> c_int,
    close: unsafe extern "C" fn(*const Set) -> c_int,
    abort: unsafe extern "C" fn(*const Set) -> c_int,
    command: unsafe extern "C" fn(*mut Opened, i64, *mut RawCommand, *mut *mut c_void) -> c_int,
    complete: unsafe extern "C" fn(*mut Opened, *mut c_void, c_int, u64) -> c_int,
    device_drop: unsafe extern "C" fn(*mut Opened),
    open_in_secondary: unsafe extern "C" fn(*const Set, *const c_char) -> c_int,
}

/// The functions, for the library.
pub(super) fn table(server: &Server) -> Table {
    Table {
        context: server,
        set_new,
        set_drop,
        create,
        configuration,
        open_device,
        close,
        abort,
        command,
        complete,
        device_drop,
        open_in_secondary,
    }
}

/// The commands are of the device beside them, and are dropped before it.
struct Opened {
    server: *const Server,
    held: Vec<*mut Command<'static>>,
    device: *mut Device,
}

/// The layout of `VDConfig`: what is not named here is zero.
#[repr(C)]
struct Config {
    device_count: u32,
    features: u32,
    others: [u32; 5],
    block_size: u32,
    max_io_depth: u32,
    max_transfer_size: u32,
    buffer_area_size: u32,
}

impl Config {
    fn answer(&mut self, agreed: &Configuration) {
        self.features = agreed.features.bits();
        self.block_size = agreed.geometry.block_size();
        self.max_transfer_size = agreed.geometry.max_transfer();
        self.max_io_depth = agreed.depth;
        self.buffer_area_size = agreed.buffer_area.try_into().unwrap();
        assert_eq!(
            agreed.direction == Direction::Backup,
            self.features & 0x1_0000 != 0
        );
    }
}

/// The layout of `VDC_Command`.
#[repr(C)]
struct RawCommand {
    code: i32,
    size: i32,
    position: i64,
    buffer: *mut u8,
}

const DONE: c_int = 0;

pub(super) fn give(code: VdCode) -> c_int {
    code.0.cast_signed()
}

/// What a C++ object points to.
unsafe fn at<'a, T>(pointer: *const T) -> &'a T {
    // SAFETY: the stand-in library keeps what `set_new` and `open_device` gave, until it drops it.
    unsafe { &*pointer }
}

fn limit(milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

extern "C" fn set_new(server: *const Server) -> *mut Set {
    Box::into_raw(Box::new(Set {
        server,
        is_secondary: AtomicBool::new(false),
        part: Mutex::default(),
    }))
}

unsafe extern "C" fn open_in_secondary(set: *const Set, name: *const c_char) -> c_int {
    // SAFETY: the library hands on what the back end gave.
    let (set, name) = unsafe { (at(set), CStr::from_ptr(name).to_str().unwrap()) };
    // SAFETY: the server lives as long as the stand-in.
    let server = unsafe { at(set.server) };
    if let Some(code) = server.forced("open_in_secondary") {
        return code;
    }
    let Some(part) = server
        .parts
        .lock()
        .unwrap()
        .get(name)
        .and_then(Weak::upgrade)
    else {
        return give(VdCode::NOT_OPEN);
    };
    *set.part.lock().unwrap() = part;
    set.is_secondary.store(true, Ordering::Release);
    DONE
}

unsafe extern "C" fn set_drop(set: *mut Set) {
    // SAFETY: `set_new` gave it, and it is dropped once.
    drop(unsafe { Box::from_raw(set) });
}

unsafe extern "C" fn create(set: *const Set, name: *const c_char, config: *mut Config) -> c_int {
    // SAFETY: the library hands on what the back end gave.
    let (set, name, config) = unsafe { (at(set), CStr::from_ptr(name), at(config)) };
    // SAFETY: the server lives as long as the stand-in.
    let server = unsafe { at(set.server) };
    if let Some(code) = server.forced("create") {
        return code;
    }
    let part = set.part();
    let name = DeviceName::new(name.to_str().unwrap()).unwrap();
    let mut wanted = SetConfig::new(&name, config.device_count.try_into().unwrap()).unwrap();
    if !Features::from_bits(config.features).contains(Features::REQUEST_COMPLETE) {
        wanted = wanted.without_complete();
    }
    match server.hub.create(wanted) {
        Ok(created) => {
            *part.abort.lock().unwrap() = Some(created.abort_handle());
            part.state.lock().unwrap().created = Some(created);
            let mut parts = server.parts.lock().unwrap();
            parts.insert(name.as_str().to_owned(), Arc::downgrade(&part));
            DONE
        }
        Err(_) => give(VdCode::BUSY),
    }
}

unsafe extern "C" fn configuration(set: *const Set, limit: i64, config: *mut Config) -> c_int {
    // SAFETY: the library hands on what the back end gave.
    let (set, config) = unsafe { (at(set), &mut *config) };
    // SAFETY: the server lives as long as the stand-in.
    if let Some(code) = unsafe { at(set.server) }.forced("configuration") {
        return code;
    }
    let part = set.part();
    if set.is_secondary() {
        let Some(agreed) = part.state.lock().unwrap().agreed else {
            return give(VdCode::TIMEOUT);
        };
        config.answer(&agreed);
        return DONE;
    }
    let Some(created) = part.state.lock().unwrap().created.take() else {
        return give(VdCode::PROTOCOL);
    };
    match created.wait(self::limit(limit).unwrap_or(Duration::MAX)) {
        Ok(Waited::NotYet(created)) => {
            part.state.lock().unwrap().created = Some(created);
            give(VdCode::TIMEOUT)
        }
        Ok(Waited::Ready(configured)) => {
            let agreed = *configured.configuration();
            config.answer(&agreed);
            let mut state = part.state.lock().unwrap();
            (state.agreed, state.configured) = (Some(agreed), Some(configured));
            DONE
        }
        Err(_) => give(VdCode::ABORT),
    }
}

unsafe extern "C" fn open_device(
    set: *const Set,
    name: *const c_char,
    opened: *mut *mut Opened,
) -> c_int {
    // SAFETY: the library hands on what the back end gave.
    let (set, name) = unsafe { (at(set), CStr::from_ptr(name).to_str().unwrap()) };
    // SAFETY: the server lives as long as the stand-in.
    if let Some(code) = unsafe { at(set.server) }.forced("open_device") {
        return code;
    }
    let part = set.part();
    let mut state = part.state.lock().unwrap();
    if let Some(configured) = state.configured.take() {
        match configured.open() {
            Ok((open, devices)) => (state.open, state.devices) = (Some(open), devices),
            Err(_) => return give(VdCode::ABORT),
        }
    }
    let found = state
        .devices
        .iter()
        .position(|device| device.name().as_str() == name);
    let Some(index) = found else {
        return give(VdCode::INVALID);
    };
    let (server, held) = (set.server, Vec::new());
    let device = Box::into_raw(Box::new(state.devices.swap_remove(index)));
    let made = Box::into_raw(Box::new(Opened {
        server,
        held,
        device,
    }));
    // SAFETY: the result is the caller's.
    unsafe { opened.write(made) };
    DONE
}

unsafe extern "C" fn close(set: *const Set) -> c_int {
    // SAFETY: the library hands on what it keeps.
    let set = unsafe { at(set) };
    // SAFETY: the server lives as long as the stand-in.
    if let Some(code) = unsafe { at(set.server) }.forced("close") {
        return code;
    }
    if set.is_secondary() {
        return DONE;
    }
    let part = set.part();
    let mut state = part.state.lock().unwrap();
    drop((state.created.take(), state.configured.take()));
    match state.open.take().map(OpenSet::close) {
        Some(Err(vab_vdi::CloseError::NotEnded { .. })) => give(VdCode::OPEN),
        _ => DONE,
    }
}

unsafe extern "C" fn abort(set: *const Set) -> c_int {
    // SAFETY: the library hands on what it keeps.
    if let Some(abort) = unsafe { at(set) }.part().abort.lock().unwrap().as_ref() {
        abort.abort();
    }
    DONE
}

unsafe extern "C" fn command(
    opened: *mut Opened,
    limit: i64,
    raw: *mut RawCommand,
    handle: *mut *mut c_void,
) -> c_int {
    // SAFETY: the library hands on what it keeps, and one thread has the device.
    let (opened, raw) = unsafe { (&mut *opened, &mut *raw) };
    // SAFETY: the server lives as long as the stand-in.
    let server = unsafe { at(opened.server) };
    if let Some(code) = server.forced("command") {
        return code;
    }
    if let Some((code, size)) = server.odd.lock().unwrap().pop_front() {
        (raw.code, raw.size) = (code, size);
        // SAFETY: the result is the caller's.
        unsafe { handle.write(std::ptr::null_mut()) };
        return DONE;
    }
    // SAFETY: the device stays in its box, and its commands are dropped before it.
    let device: &'static Device = unsafe { &*opened.device };
    let mut command = match device.next_command(self::limit(limit)) {
        Ok(Event::Command(command)) => command,
        Ok(Event::TimedOut) => return give(VdCode::TIMEOUT),
        Ok(Event::Ended) => return give(VdCode::CLOSE),
        Err(_) => return give(VdCode::ABORT),
    };
    let (code, data): (i32, &mut [u8]) = match &mut command {
        Command::Read(read) => (1, read.buffer()),
        Command::Write(write) => {
            let data = write.data();
            // SAFETY: the back end only reads it, as the interface's clients do at a backup.
            (2, unsafe {
                std::slice::from_raw_parts_mut(data.as_ptr().cast_mut(), data.len())
            })
        }
        Command::Flush(_) => (12, &mut []),
        Command::Complete(_) => (19, &mut []),
    };
    raw.code = code;
    raw.size = data.len().try_into().unwrap();
    raw.buffer = data.as_mut_ptr();
    let held = Box::into_raw(Box::new(command));
    opened.held.push(held);
    // SAFETY: the result is the caller's.
    unsafe { *handle = held.cast() };
    DONE
}

unsafe extern "C" fn complete(
    opened: *mut Opened,
    handle: *mut c_void,
    code: c_int,
    bytes: u64,
) -> c_int {
    // SAFETY: the library hands on what it keeps, and one thread has the device.
    let opened = unsafe { &mut *opened };
    // SAFETY: the server lives as long as the stand-in.
    let server = unsafe { at(opened.server) };
    if handle.is_null() {
        let code = CompletionCode(code.cast_unsigned());
        server.odd_completed.lock().unwrap().push(code);
        return DONE;
    }
    let index = opened
        .held
        .iter()
        .position(|held| held.cast() == handle)
        .unwrap();
    // SAFETY: `command` gave it, and it was in the list until now.
    let command = unsafe { *Box::from_raw(opened.held.swap_remove(index)) };
    if let Some(code) = server.forced("complete") {
        return code;
    }
    let code = CompletionCode(code.cast_unsigned());
    let bytes = usize::try_from(bytes).unwrap();
    let result = match (command, code) {
        (Command::Write(write), CompletionCode::SUCCESS) => {
            assert_eq!(bytes, write.data().len());
            write.complete()
        }
        (Command::Read(read), CompletionCode::SUCCESS) => read.complete(bytes),
        (Command::Read(read), CompletionCode::HANDLE_EOF) => read.complete_end_of_data(bytes),
        (Command::Flush(flush), CompletionCode::SUCCESS) => flush.complete(),
        (Command::Complete(complete), CompletionCode::SUCCESS) => complete.complete(),
        (Command::Write(write), code) => write.fail(code),
        (Command::Read(read), code) => read.fail(code),
        (Command::Flush(flush), code) => flush.fail(code),
        (Command::Complete(complete), code) => complete.fail(code),
    };
    result.map_or(give(VdCode::ABORT), |()| DONE)
}

unsafe extern "C" fn device_drop(opened: *mut Opened) {
    // SAFETY: `open_device` gave it, and it is dropped once.
    let mut opened = unsafe { Box::from_raw(opened) };
    for held in opened.held.drain(..) {
        // SAFETY: it is in the list, so it was not completed.
        drop(unsafe { Box::from_raw(held) });
    }
    // SAFETY: `open_device` put it there, and its commands are gone.
    drop(unsafe { Box::from_raw(opened.device) });
}
