//! Feature bits.

use std::fmt;
use std::ops::BitOr;

/// What a client asks of the devices and what the server answers (`VDF_…`), a bit mask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features(u32);

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Features {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            const NAMED: &[(&'static str, u32)] = &[$((stringify!($name), $value),)*];
        }
    };
}

features! {
    /// Media can be changed.
    REMOVABLE = 0x1;
    /// Tape-like: can rewind.
    REWIND = 0x2;
    /// Tape-like: tells and takes positions.
    POSITION = 0x10;
    /// Tape-like: can go past blocks.
    SKIP_BLOCKS = 0x20;
    /// Tape-like: can go back.
    REVERSE_POSITION = 0x40;
    /// Can forget buffered data after an error.
    DISCARD = 0x80;
    /// Tape-like: has file marks.
    FILE_MARKS = 0x100;
    /// Disk-like: reads and writes anywhere. Known not to work on Linux.
    RANDOM_ACCESS = 0x200;
    /// Snapshot: wants to be told before the freeze.
    SNAPSHOT_PREPARE = 0x400;
    /// Snapshot: wants the list of frozen files.
    ENUM_FROZEN_FILES = 0x800;
    /// Snapshot through the volume shadow copy service.
    VSS_WRITER = 0x1000;
    /// The client asks for a final `Complete` command.
    REQUEST_COMPLETE = 0x2000;
    /// The server's answer: it writes, this is a backup.
    WRITE_MEDIA = 0x1_0000;
    /// The server's answer: it reads, this is a restore.
    READ_MEDIA = 0x2_0000;
    /// The server's answer: the final `Complete` command will come.
    COMPLETE_ENABLED = 0x4_0000;
    /// Statistics of the interface's own locks.
    LATCH_STATS = 0x8000_0000;
}

impl Features {
    /// A pipe-like device: one stream from beginning to end.
    pub const LIKE_PIPE: Self = Self(0);
    /// A tape-like device.
    pub const LIKE_TAPE: Self = Self(0x173);
    /// A disk-like device.
    pub const LIKE_DISK: Self = Self(0x200);

    /// The mask with the given bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all bits of `other` are in this mask.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This mask without the bits of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        write!(f, "Features({:#x}", self.0)?;
        for (name, bits) in Self::NAMED.iter().filter(|(_, bits)| self.0 & bits != 0) {
            rest &= !bits;
            write!(f, " {name}")?;
        }
        match rest {
            0 => write!(f, ")"),
            _ => write!(f, " and unknown bits {rest:#x})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_one_name() {
        let bits = Features::NAMED.iter().fold(0, |seen, (name, bits)| {
            assert!(bits.is_power_of_two() && seen & bits == 0, "{name}");
            seen | bits
        });
        assert_eq!(bits, 0x8007_3ff3);
    }

    #[test]
    fn tape_like_is_made_of_the_tape_bits() {
        let tape = Features::REMOVABLE
            | Features::REWIND
            | Features::POSITION
            | Features::SKIP_BLOCKS
            | Features::REVERSE_POSITION
            | Features::FILE_MARKS;
        assert_eq!(Features::LIKE_TAPE, tape);
    }

    #[test]
    fn unknown_bits_are_shown() {
        let text = format!("{:?}", Features::from_bits(0x2000 | 0x8));
        assert_eq!(
            text,
            "Features(0x2008 REQUEST_COMPLETE and unknown bits 0x8)"
        );
    }
}
