//! Access lists, from their text.

use std::ffi::c_void;
use std::io;
use std::ptr;

use super::account;
use super::user::{ADMINISTRATORS, User};
use super::{FALSE, wide};

mod advapi32 {
    use super::c_void;

    windows_link::link!(
        "advapi32.dll" "system" fn ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text: *const u16,
            revision: u32,
            descriptor: *mut *mut c_void,
            size: *mut u32
        ) -> i32
    );
}

mod kernel32 {
    use super::c_void;

    windows_link::link!("kernel32.dll" "system" fn LocalFree(memory: *mut c_void) -> *mut c_void);
}

/// A security descriptor: who may do what with an object.
#[derive(Debug)]
pub(super) struct Descriptor(*mut c_void);

// SAFETY: what it points to is its own, and nobody changes it.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

/// To read and write, but not to make other ends of the pipe.
const READ_AND_WRITE: &str = "0x12019b";

impl Descriptor {
    /// From the system's language for them.
    pub(super) fn parse(text: &str) -> io::Result<Self> {
        let (text, mut descriptor) = (wide(text), ptr::null_mut());
        // SAFETY: text and result live through the call.
        let parsed = unsafe {
            advapi32::ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if parsed == FALSE || descriptor.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(descriptor))
    }

    /// A pipe that the own user, the administrators, the system and these users may use.
    pub(super) fn of_pipe(users: &[User]) -> io::Result<Self> {
        let others = users
            .iter()
            .map(|user| format!("(A;;{READ_AND_WRITE};;;{user})"));
        let others: String = others.collect();
        let own = account::own()?;
        // Whoever connects looks at the owner, and need not know which user is an administrator.
        let owner = if own.is_administrator {
            ADMINISTRATORS
        } else {
            own.user.as_str()
        };
        let list = format!("(A;;GA;;;{})(A;;GA;;;SY)(A;;GA;;;BA){others}", own.user);
        Self::parse(&format!("O:{owner}D:P{list}"))
    }

    /// A folder that the own user, the administrators and the system may use, with what is in it.
    pub(super) fn of_folder() -> io::Result<Self> {
        let own = &account::own()?.user;
        let full = |who| format!("(A;OICI;FA;;;{who})");
        let list = [full(own.as_str()), full("SY"), full("BA")].concat();
        Self::parse(&format!("D:P{list}"))
    }

    /// Lives as long as this.
    pub(super) fn raw(&self) -> *mut c_void {
        self.0
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system gave the memory, to be freed so, and nobody uses it any more.
        let _ = unsafe { kernel32::LocalFree(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_other_users_can_be_made() {
        let user: User = "S-1-5-21-1-2-3-1001".parse().unwrap();
        assert!(Descriptor::of_pipe(&[user]).is_ok());
        assert!(Descriptor::of_folder().is_ok());
        assert!(Descriptor::parse("nonsense").is_err());
    }
}
