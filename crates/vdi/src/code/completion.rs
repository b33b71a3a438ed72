//! Completion codes.

use std::fmt;

/// How a client completed a command: a Win32 error code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompletionCode(pub u32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $win32:literal, $text:literal;)*) => {
        impl CompletionCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The Win32 name of the code, if it is one that devices use.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($win32),)*
                    _ => None,
                }
            }

            const fn text(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "the client failed the command",
                }
            }
        }
    };
}

codes! {
    /// Done, all of it.
    SUCCESS = 0, "ERROR_SUCCESS", "done";
    /// The buffers were found damaged.
    ARENA_TRASHED = 7, "ERROR_ARENA_TRASHED", "the buffers are damaged";
    /// The medium could not be written.
    WRITE_FAULT = 29, "ERROR_WRITE_FAULT", "the medium could not be written";
    /// The medium could not be read.
    READ_FAULT = 30, "ERROR_READ_FAULT", "the medium could not be read";
    /// The stream ends with the bytes of this read; there may be none.
    HANDLE_EOF = 38, "ERROR_HANDLE_EOF", "end of data";
    /// The medium is full.
    HANDLE_DISK_FULL = 39, "ERROR_HANDLE_DISK_FULL", "the medium is full";
    /// The device does not have this command.
    NOT_SUPPORTED = 50, "ERROR_NOT_SUPPORTED", "the device does not have this command";
    /// There is no room for the data; the server ends the backup.
    DISK_FULL = 112, "ERROR_DISK_FULL", "there is no room at the target";
    /// The operation was aborted.
    OPERATION_ABORTED = 995, "ERROR_OPERATION_ABORTED",
        "the other side aborted; its log says why (SQL Server reports this as 3041 or 18210 with operating system error 995)";
    /// End of the medium (tape-like devices).
    END_OF_MEDIA = 1100, "ERROR_END_OF_MEDIA", "end of the medium";
    /// A file mark was found (tape-like devices).
    FILEMARK_DETECTED = 1101, "ERROR_FILEMARK_DETECTED", "a file mark was found";
    /// No more data (tape-like devices).
    NO_DATA_DETECTED = 1104, "ERROR_NO_DATA_DETECTED", "no more data on the medium";
    /// Written past the early warning (tape-like devices).
    EOM_OVERFLOW = 1129, "ERROR_EOM_OVERFLOW", "past the end of the medium";
}

impl CompletionCode {
    /// Whether this is [`CompletionCode::SUCCESS`].
    pub const fn is_success(self) -> bool {
        self.0 == Self::SUCCESS.0
    }

    /// Whether a read with this code ended the data.
    pub const fn is_end_of_data(self) -> bool {
        self.0 == Self::HANDLE_EOF.0 || self.0 == Self::NO_DATA_DETECTED.0
    }
}

impl fmt::Debug for CompletionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "Win32 error {}", self.0),
        }
    }
}

impl fmt::Display for CompletionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Win32 error {})", self.text(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_always_in_the_message() {
        for code in [0, 38, 112, 995, 4711] {
            let message = CompletionCode(code).to_string();
            assert!(
                message.contains(&format!("(Win32 error {code})")),
                "{message}"
            );
        }
    }

    #[test]
    fn an_abort_points_at_the_other_log() {
        let message = CompletionCode::OPERATION_ABORTED.to_string();
        assert!(message.contains("18210") && message.contains("log"));
    }
}
