//! What can go wrong, per operation.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::code::{CommandCode, CompletionCode, VdCode};
use crate::name::DeviceName;

/// A name that no device can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no character in it.
    #[error("a device name needs at least one character")]
    Empty,
    /// It is too long.
    #[error("a device name has at most 127 characters, this one has {chars}")]
    TooLong {
        /// Characters in the name.
        chars: usize,
    },
    /// A character that no name can have.
    #[error("a device name cannot have the character {character:?}; a GUID is a good name")]
    Character {
        /// The first such character.
        character: char,
    },
}

/// Sizes that no set can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// The block size.
    #[error("the block size is a power of two from 512 to 65536 bytes, not {got}")]
    BlockSize {
        /// The refused size, in bytes.
        got: u32,
    },
    /// The greatest transfer.
    #[error("the greatest transfer is a multiple of 65536 bytes up to 4194304, not {got}")]
    MaxTransfer {
        /// The refused size, in bytes.
        got: u32,
    },
}

/// A set that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The number of devices.
    #[error("a set has 1 to 64 devices, not {got}")]
    DeviceCount {
        /// The refused number.
        got: usize,
    },
    /// Two devices of one name.
    #[error("two devices of the set have the name {name:?}; names must differ in more than case")]
    DuplicateName {
        /// The name, in lower case.
        name: String,
    },
    /// A number made a name too long.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Why a set was not created.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// A set of this name exists.
    #[error("a device set named {name:?} exists already; every set needs its own name", name = name.as_str())]
    NameTaken {
        /// The name of the set.
        name: DeviceName,
    },
    /// The interface refused.
    #[error("the device set could not be created: {code}")]
    Native {
        /// The interface's result.
        code: VdCode,
    },
    /// The back end is not there or not usable.
    #[error("virtual devices cannot be used here: {reason}")]
    Unavailable {
        /// What is missing and what to do.
        reason: String,
    },
    /// The system refused.
    #[error("the device set could not be created: {action} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
}

/// Why the wait for the engine ended badly. That it did not come yet is no error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The set was aborted.
    #[error("the device set was aborted before the engine came")]
    Aborted,
    /// The engine came and went.
    #[error("the engine went away while it configured the devices; its log says why")]
    EngineLost,
    /// The engine's configuration cannot be used.
    #[error("the engine's configuration cannot be used: {reason}")]
    Configuration {
        /// What is wrong with it.
        reason: String,
    },
    /// The interface refused.
    #[error("waiting for the engine failed: {code}")]
    Native {
        /// The interface's result.
        code: VdCode,
    },
    /// The system refused.
    #[error("waiting for the engine failed: {action} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
}

/// Why the devices were not opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The set was aborted.
    #[error("the device set was aborted before its devices were opened")]
    Aborted,
    /// The engine went away.
    #[error("the engine went away before the devices were opened; its log says why")]
    EngineLost,
    /// The interface refused.
    #[error("device {name} could not be opened: {code}")]
    Native {
        /// The device.
        name: DeviceName,
        /// The interface's result.
        code: VdCode,
    },
    /// The system refused.
    #[error("device {name} could not be opened")]
    Io {
        /// The device.
        name: DeviceName,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
}

/// Why a set did not end normally.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// Some devices had not ended; the set was aborted.
    #[error("the set was closed while {open} of {devices} devices had not ended; it was aborted")]
    NotEnded {
        /// Devices that had not ended normally.
        open: usize,
        /// Devices of the set.
        devices: usize,
    },
    /// The set had been aborted, or a device had failed.
    #[error("the operation did not end normally: {open} of {devices} devices were cut off")]
    Abnormal {
        /// Devices that had not ended normally.
        open: usize,
        /// Devices of the set.
        devices: usize,
    },
    /// The interface refused.
    #[error("closing the device set failed: {code}")]
    Native {
        /// The interface's result.
        code: VdCode,
    },
}

/// Why a device of a client is dead.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The set was aborted, by either side.
    #[error("the operation was aborted; if it was not aborted here, the engine's log says why")]
    Aborted,
    /// The engine is gone without having closed the device.
    #[error("the engine went away before it closed the device; its log says why")]
    EngineLost,
    /// The engine broke a rule of the interface.
    #[error("the engine broke the rules of the device: {reason}; the operation was aborted")]
    Protocol {
        /// The rule.
        reason: String,
    },
    /// More bytes were reported than the command had room for.
    #[error("a read of {size} bytes cannot be completed with {bytes} bytes")]
    TooManyBytes {
        /// The command's size, in bytes.
        size: usize,
        /// The reported number of bytes.
        bytes: usize,
    },
    /// The interface refused.
    #[error("the device failed: {code}")]
    Native {
        /// The interface's result.
        code: VdCode,
    },
    /// The system refused.
    #[error("the device failed: {action} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
}

/// Why the engine's side of an operation failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No client created the set in time.
    #[error("there is no device set named {name:?} (waited {waited:?}); is the backup program waiting for the engine?", name = name.as_str())]
    NoSuchSet {
        /// The name of the set.
        name: DeviceName,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Another engine is on the set.
    #[error("the device set {name:?} is in use by another engine", name = name.as_str())]
    Busy {
        /// The name of the set.
        name: DeviceName,
    },
    /// The request does not fit the set.
    #[error("the set {name:?} has {actual} devices, the request names {wanted}; all devices must be named, in no matter which order after the first", name = name.as_str())]
    DeviceCount {
        /// The name of the set.
        name: DeviceName,
        /// Devices in the request.
        wanted: usize,
        /// Devices of the set.
        actual: usize,
    },
    /// A device of another name was asked for.
    #[error("the set {set:?} has no device named {device:?}", set = set.as_str(), device = device.as_str())]
    UnknownDevice {
        /// The name of the set.
        set: DeviceName,
        /// The name that is not in it.
        device: DeviceName,
    },
    /// The set belongs to somebody who is not trusted.
    #[error("the device set {name:?} belongs to user {user}, who is not allowed here", name = name.as_str())]
    Stranger {
        /// The name of the set.
        name: DeviceName,
        /// The user, as the system names one: a number on Unix, a security identifier on Windows.
        user: String,
    },
    /// The request itself cannot be.
    #[error(transparent)]
    Request(#[from] ConfigError),
    /// The set was aborted, by either side.
    #[error(
        "the operation was aborted; if it was not aborted here, the backup program's log says why"
    )]
    Aborted,
    /// The client is gone.
    #[error("the backup program went away before the operation ended; its log says why")]
    ClientLost,
    /// Nothing was completed in time.
    #[error("the backup program completed nothing for {limit:?}; the operation was aborted")]
    Timeout {
        /// The limit of the request.
        limit: Duration,
    },
    /// The client failed a command.
    #[error("the backup program failed a {command} command: {code}")]
    Failed {
        /// The command.
        command: CommandCode,
        /// How it was completed.
        code: CompletionCode,
    },
    /// The client broke a rule of the interface.
    #[error(
        "the backup program broke the rules of the device: {reason}; the operation was aborted"
    )]
    Protocol {
        /// The rule.
        reason: String,
    },
    /// The set was closed before its devices.
    #[error("the set was closed while {open} devices were still open; it was aborted")]
    DevicesOpen {
        /// Devices that were not closed.
        open: usize,
    },
    /// The system refused.
    #[error("the devices failed: {action} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's error.
        #[source]
        error: Arc<io::Error>,
    },
}
