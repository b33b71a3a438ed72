//! A command as the interface has it in memory.

use std::ptr::NonNull;

use super::zone::Zone;
use crate::buffer::Buffer;
use crate::code::CommandCode;
use crate::seam::{RawCommand, Ticket};

/// `VDC_Command`, on both systems and for both widths of pointers.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawVdcCommand {
    pub(crate) code: u32,
    /// Linux declares it signed; a negative one is beyond any limit either way.
    pub(crate) size: u32,
    pub(crate) position: u64,
    pub(crate) buffer: *mut u8,
}

/// Where a command is in the interface's memory; this names it when it is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandPointer(NonNull<RawVdcCommand>);

// SAFETY: the pointer is only handed back to the interface, by the thread that has the device.
unsafe impl Send for CommandPointer {}

impl CommandPointer {
    pub(crate) fn as_ptr(self) -> *mut RawVdcCommand {
        self.0.as_ptr()
    }

    /// The command with its buffer; the text says which rule it breaks.
    ///
    /// # Safety
    /// `command` is null or was given by the interface's `GetCommand`, and neither it nor its
    /// buffer is touched by anybody else before the command is completed.
    pub(crate) unsafe fn read(
        command: *mut RawVdcCommand,
        max_transfer: usize,
    ) -> Result<RawCommand, String> {
        let pointer = NonNull::new(command).ok_or("a command without an address")?;
        if !pointer.is_aligned() {
            return Err("a command at an odd address".into());
        }
        // SAFETY: by the contract of this function the interface keeps a command there.
        let raw = unsafe { pointer.read() };
        let code = CommandCode(raw.code);
        let ticket = Ticket::Native(Self(pointer));
        if !matches!(code, CommandCode::READ | CommandCode::WRITE) {
            let (size, buffer) = (0, Buffer::None);
            return Ok(RawCommand {
                code,
                size,
                ticket,
                buffer,
            });
        }
        let size = usize::try_from(raw.size).unwrap_or(usize::MAX);
        if size > max_transfer {
            return Err(format!("a {code} command of {} bytes", raw.size));
        }
        let start = NonNull::new(raw.buffer).ok_or("a command without a buffer")?;
        // SAFETY: the interface gives the command `size` bytes there, for this side alone, until
        // the command is completed; `size` was checked against the greatest transfer.
        let buffer = Buffer::Mapped(unsafe { Zone::new(start, size) });
        Ok(RawCommand {
            code,
            size,
            ticket,
            buffer,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    fn command(code: u32, size: u32, buffer: *mut u8) -> RawVdcCommand {
        RawVdcCommand {
            code,
            size,
            position: 0,
            buffer,
        }
    }

    fn read(mut command: RawVdcCommand) -> Result<RawCommand, String> {
        // SAFETY: the command lives as long as this call, and what is returned is only looked at
        // while its buffer lives.
        unsafe { CommandPointer::read(&raw mut command, 8) }
    }

    #[test]
    fn the_structure_has_the_published_layout() {
        assert_eq!(size_of::<RawVdcCommand>(), 24);
        assert_eq!(offset_of!(RawVdcCommand, size), 4);
        assert_eq!(offset_of!(RawVdcCommand, position), 8);
        assert_eq!(offset_of!(RawVdcCommand, buffer), 16);
    }

    #[test]
    fn a_write_has_its_bytes() {
        let mut bytes = *b"12345678";
        let raw = read(command(2, 5, bytes.as_mut_ptr())).unwrap();
        assert_eq!((raw.size, raw.buffer.bytes()), (5, &b"12345"[..]));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let mut bytes = [0; 8];
        assert!(read(command(2, 9, bytes.as_mut_ptr())).is_err());
        assert!(read(command(1, (-1_i32).cast_unsigned(), bytes.as_mut_ptr())).is_err());
        assert!(read(command(1, 8, std::ptr::null_mut())).is_err());
        // SAFETY: null is allowed.
        assert!(unsafe { CommandPointer::read(std::ptr::null_mut(), 8) }.is_err());
    }

    #[test]
    fn a_command_without_data_needs_no_buffer() {
        let raw = read(command(12, 77, std::ptr::null_mut())).unwrap();
        assert_eq!((raw.code, raw.size), (CommandCode::FLUSH, 0));
    }
}
