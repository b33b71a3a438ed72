//! Result codes of the interface's own functions.

use std::fmt;

/// A result of SQL Server's interface (`VD_E_…`): an `HRESULT` of the form `0x807700nn`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VdCode(pub u32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $vd:literal, $text:literal;)*) => {
        impl VdCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name of the code, if it is one of the interface's own.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($vd),)*
                    _ => None,
                }
            }

            /// What the code most likely comes from.
            pub const fn likely_cause(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    0x8004_0154 => "the interface is not registered on this machine; is SQL Server installed, with the same bitness as this program?",
                    0x8004_0111 => "the interface's library did not give its class; run elevated, or register sqlvdi.dll again",
                    0x8007_0005 => "access was denied; run as an administrator or as SQL Server's own account",
                    _ => "not a code of the interface's own",
                }
            }
        }
    };
}

codes! {
    /// `VD_E_NOTOPEN`.
    NOT_OPEN = 0x8077_0002, "VD_E_NOTOPEN", "the set or device was used before it was opened";
    /// `VD_E_TIMEOUT`.
    TIMEOUT = 0x8077_0003, "VD_E_TIMEOUT",
        "nothing came in time; while waiting for the configuration: the statement never reached the server, failed at once, or went to another instance";
    /// `VD_E_ABORT`.
    ABORT = 0x8077_0004, "VD_E_ABORT",
        "the set was aborted; the other side's log says why (in a container on Linux: too little shared memory)";
    /// `VD_E_SECURITY`.
    SECURITY = 0x8077_0005, "VD_E_SECURITY",
        "access was denied; the program must run as an administrator or as SQL Server's own account";
    /// `VD_E_INVALID`.
    INVALID = 0x8077_0006, "VD_E_INVALID",
        "a name or a parameter is not valid; device names in the statement must be those of the set";
    /// `VD_E_INSTANCE_NAME`.
    INSTANCE_NAME = 0x8077_0007, "VD_E_INSTANCE_NAME",
        "there is no instance of this name; give the bare instance name without the machine, or none for the default instance";
    /// `VD_E_NOTSUPPORTED`.
    NOT_SUPPORTED = 0x8077_0009, "VD_E_NOTSUPPORTED", "the server does not offer what was asked for";
    /// `VD_E_MEMORY`.
    MEMORY = 0x8077_000A, "VD_E_MEMORY",
        "no room for the shared buffers; lower BUFFERCOUNT or MAXTRANSFERSIZE";
    /// `VD_E_UNEXPECTED`.
    UNEXPECTED = 0x8077_000B, "VD_E_UNEXPECTED", "an error inside the interface; the server's log may say more";
    /// `VD_E_PROTOCOL`.
    PROTOCOL = 0x8077_000C, "VD_E_PROTOCOL", "a call was made in a state that does not take it";
    /// `VD_E_OPEN`.
    OPEN = 0x8077_000D, "VD_E_OPEN", "devices are already open, or still open";
    /// `VD_E_CLOSE`: the normal end of a device.
    CLOSE = 0x8077_000E, "VD_E_CLOSE", "the server closed the device; the normal end";
    /// `VD_E_BUSY`.
    BUSY = 0x8077_000F, "VD_E_BUSY", "the set is busy, or its name is in use";
}

impl VdCode {
    /// The code in the signed form in which the Linux library returns it.
    pub const fn from_signed(code: i32) -> Self {
        Self(code.cast_unsigned())
    }

    /// Whether a call with this result did its work.
    pub const fn is_success(self) -> bool {
        self.0 & 0x8000_0000 == 0
    }
}

impl fmt::Debug for VdCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#010x})", self.0),
            None => write!(f, "HRESULT {:#010x}", self.0),
        }
    }
}

impl fmt::Display for VdCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}: {}", self.likely_cause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirteen_codes_and_two_gaps() {
        let known = (0..=0x20).filter(|code| VdCode(0x8077_0000 + code).name().is_some());
        let expected = [2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(known.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_signed_code_is_the_same_code() {
        let signed = 0x8077_0003_u32.cast_signed();
        assert!(signed < 0);
        assert_eq!(VdCode::from_signed(signed), VdCode::TIMEOUT);
    }

    #[test]
    fn the_message_has_the_number_and_the_likely_cause() {
        let message = VdCode::TIMEOUT.to_string();
        assert!(message.contains("0x80770003") && message.contains("never reached the server"));
        assert!(VdCode::INSTANCE_NAME.to_string().contains("instance"));
    }
}
