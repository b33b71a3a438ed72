//! Command codes.

use std::fmt;

/// What an engine asks a device to do (`VDC_…`).
///
/// A pipe-like device serves `READ`, `WRITE`, `CLEAR_ERROR`, `FLUSH`, and `COMPLETE` where it
/// was asked for; all others are answered with
/// [`CompletionCode::NOT_SUPPORTED`](crate::CompletionCode::NOT_SUPPORTED).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandCode(pub u32);

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl CommandCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name of the command, if it is a known one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

commands! {
    /// Fill the buffer with the next bytes of the stream.
    READ = 1, "Read";
    /// Save the bytes in the buffer as the next ones of the stream.
    WRITE = 2, "Write";
    /// Forget an earlier error.
    CLEAR_ERROR = 3, "ClearError";
    /// Go to the beginning (tape-like devices).
    REWIND = 4, "Rewind";
    /// Write a file mark (tape-like devices).
    WRITE_MARK = 5, "WriteMark";
    /// Go past file marks (tape-like devices).
    SKIP_MARKS = 6, "SkipMarks";
    /// Go past blocks (tape-like devices).
    SKIP_BLOCKS = 7, "SkipBlocks";
    /// Have a medium put in (removable media).
    LOAD = 8, "Load";
    /// Tell the position.
    GET_POSITION = 9, "GetPosition";
    /// Go to a position.
    SET_POSITION = 10, "SetPosition";
    /// Forget buffered data after an error.
    DISCARD = 11, "Discard";
    /// Make everything durable that was written so far.
    FLUSH = 12, "Flush";
    /// Take a snapshot now, while the database's writes are frozen.
    SNAPSHOT = 13, "Snapshot";
    /// Put a snapshot back.
    MOUNT_SNAPSHOT = 14, "MountSnapshot";
    /// Get ready for the freeze of a snapshot.
    PREPARE_TO_FREEZE = 15, "PrepareToFreeze";
    /// Beginning of the description of a file.
    FILE_INFO_BEGIN = 16, "FileInfoBegin";
    /// End of the description of a file.
    FILE_INFO_END = 17, "FileInfoEnd";
    /// Tell the last error.
    GET_ERROR = 18, "GetError";
    /// The stream is whole: finish the medium. The last command of a device.
    COMPLETE = 19, "Complete";
}

impl fmt::Debug for CommandCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CommandCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "command {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_19_commands_have_names_and_nothing_else_has() {
        let named = (0..64).filter(|&code| CommandCode(code).name().is_some());
        assert_eq!(named.collect::<Vec<_>>(), (1..=19).collect::<Vec<_>>());
        assert_eq!(CommandCode(19).to_string(), "Complete");
        assert_eq!(CommandCode(77).to_string(), "command 77");
    }
}
