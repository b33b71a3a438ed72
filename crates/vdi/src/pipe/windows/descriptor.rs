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
    #[cfg(test)]
    windows_link::link!(
        "advapi32.dll" "system" fn GetSecurityDescriptorDacl(
            descriptor: *mut c_void,
            is_there: *mut i32,
            list: *mut *mut c_void,
            by_default: *mut i32
        ) -> i32
    );
    #[cfg(test)]
    windows_link::link!(
        "advapi32.dll" "system" fn GetSecurityDescriptorControl(
            descriptor: *mut c_void,
            control: *mut u16,
            revision: *mut u32
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
impl Descriptor {
    /// Who may do what, and whether nothing is added from above.
    fn list(&self) -> io::Result<(Option<List>, bool)> {
        let (mut is_there, mut list, mut by_default) = (0, ptr::null_mut(), 0);
        // SAFETY: the descriptor and the results live through the call.
        let told = unsafe {
            advapi32::GetSecurityDescriptorDacl(
                self.0,
                &raw mut is_there,
                &raw mut list,
                &raw mut by_default,
            )
        };
        let (mut control, mut revision) = (0, 0);
        // SAFETY: as above.
        let also = unsafe {
            advapi32::GetSecurityDescriptorControl(self.0, &raw mut control, &raw mut revision)
        };
        if told == FALSE || also == FALSE || is_there == FALSE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the list is in the descriptor, which lives.
        let entries = unsafe { account::entries(list) }?;
        Ok((entries, control & SE_DACL_PROTECTED != 0))
    }
}

#[cfg(test)]
type List = Vec<(User, u32)>;
#[cfg(test)]
const SE_DACL_PROTECTED: u16 = 0x1000;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const GENERIC_ALL: u32 = 0x1000_0000;
    const FILE_ALL: u32 = 0x1f_01ff;
    const SYSTEM: &str = "S-1-5-18";

    fn other() -> User {
        "S-1-5-21-1-2-3-1001".parse().unwrap()
    }

    /// Whom the pipe of a set is for, with these other users, in this order.
    pub(in crate::pipe) fn expected(others: &[User]) -> Vec<(User, u32)> {
        let own = account::own().unwrap().user.clone();
        let full = [own, known(SYSTEM), known(ADMINISTRATORS)].map(|user| (user, GENERIC_ALL));
        let others = others.iter().map(|user| (user.clone(), 0x12_019b));
        full.into_iter().chain(others).collect()
    }

    fn known(user: &str) -> User {
        user.parse().unwrap()
    }

    #[test]
    fn a_pipe_is_for_those_whom_its_list_names_and_nobody_else() {
        for others in [vec![], vec![other()]] {
            let (list, is_protected) = Descriptor::of_pipe(&others).unwrap().list().unwrap();
            assert_eq!(list, Some(expected(&others)));
            assert!(is_protected, "nothing is added from above");
        }
    }

    #[test]
    fn no_other_user_may_make_ends_of_the_pipe_or_change_its_list() {
        const MAKE_ENDS: u32 = 0x4;
        const CHANGE: u32 = 0x1_0000 | 0x4_0000 | 0x8_0000;
        let (list, _) = Descriptor::of_pipe(&[other()]).unwrap().list().unwrap();
        let (_, mask) = list.unwrap().pop().unwrap();
        assert_eq!(mask & (MAKE_ENDS | CHANGE), 0, "{mask:#x}");
    }

    #[test]
    fn a_folder_is_for_the_own_user_the_system_and_administrators() {
        let (list, is_protected) = Descriptor::of_folder().unwrap().list().unwrap();
        let all = expected(&[]).into_iter().map(|(user, _)| (user, FILE_ALL));
        assert_eq!(list, Some(all.collect()));
        assert!(is_protected, "nothing is added from above");
    }

    #[test]
    fn nonsense_is_no_list() {
        assert!(Descriptor::parse("nonsense").is_err());
    }
}
