//! Users of processes, owners of pipes, and access lists of folders, as the system tells them.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::RawHandle;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use super::user::{ADMINISTRATORS, User};
use super::{FALSE, wide};

mod advapi32 {
    use super::{Entry, RawHandle, c_void};

    windows_link::link!("advapi32.dll" "system" fn OpenProcessToken(
        process: RawHandle,
        access: u32,
        token: *mut RawHandle
    ) -> i32);
    windows_link::link!("advapi32.dll" "system" fn GetTokenInformation(
        token: RawHandle,
        class: u32,
        into: *mut c_void,
        length: u32,
        needed: *mut u32
    ) -> i32);
    windows_link::link!("advapi32.dll" "system" fn ConvertSidToStringSidW(
        sid: *const c_void,
        text: *mut *mut u16
    ) -> i32);
    windows_link::link!("advapi32.dll" "system" fn GetSecurityInfo(
        handle: RawHandle,
        kind: u32,
        wanted: u32,
        owner: *mut *mut c_void,
        group: *mut *mut c_void,
        list: *mut *mut c_void,
        audit: *mut *mut c_void,
        descriptor: *mut *mut c_void
    ) -> u32);
    windows_link::link!("advapi32.dll" "system" fn GetNamedSecurityInfoW(
        name: *const u16,
        kind: u32,
        wanted: u32,
        owner: *mut *mut c_void,
        group: *mut *mut c_void,
        list: *mut *mut c_void,
        audit: *mut *mut c_void,
        descriptor: *mut *mut c_void
    ) -> u32);
    windows_link::link!("advapi32.dll" "system" fn GetAce(
        list: *const c_void,
        index: u32,
        entry: *mut *mut Entry
    ) -> i32);
}

mod kernel32 {
    use super::{RawHandle, c_void};

    windows_link::link!("kernel32.dll" "system" fn GetCurrentProcess() -> RawHandle);
    windows_link::link!("kernel32.dll" "system" fn LocalFree(memory: *mut c_void) -> *mut c_void);
}

/// The head of an entry of an access list that allows or denies; the user is behind it.
#[repr(C)]
struct Entry {
    kind: u8,
    flags: u8,
    size: u16,
    mask: u32,
    user: u32,
}

/// The system's `SID_AND_ATTRIBUTES`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    identifier: *const c_void,
    attributes: u32,
}

const TOKEN_QUERY: u32 = 8;
const TOKEN_USER: u32 = 1;
const TOKEN_GROUPS: u32 = 2;
const SE_GROUP_ENABLED: u32 = 4;
const SE_FILE_OBJECT: u32 = 1;
const SE_KERNEL_OBJECT: u32 = 6;
const OWNER: u32 = 1;
const LIST: u32 = 4;

/// Whose process it is.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: User,
    /// With the rights of one, not only a member of the group.
    pub(super) is_administrator: bool,
}

/// The user of this process, which stays the same.
pub(super) fn own() -> io::Result<&'static Account> {
    static OWN: OnceLock<Account> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own);
    }
    // SAFETY: the call gives a constant that stands for this process and need not be closed.
    let own = of(unsafe { BorrowedHandle::borrow_raw(kernel32::GetCurrentProcess()) })?;
    Ok(OWN.get_or_init(|| own))
}

/// The user of a process.
pub(super) fn of(process: BorrowedHandle<'_>) -> io::Result<Account> {
    let token = token_of(process)?;
    Ok(Account {
        user: user_of(&token)?,
        is_administrator: is_administrator(&token)?,
    })
}

fn token_of(process: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut token = ptr::null_mut();
    // SAFETY: the process's handle and the result live through the call.
    let opened =
        unsafe { advapi32::OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &raw mut token) };
    if opened == FALSE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave the handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

fn user_of(token: &OwnedHandle) -> io::Result<User> {
    let facts = facts(token, TOKEN_USER)?;
    let user: *const Group = facts.as_ptr().cast();
    if facts.len() * size_of::<u64>() < size_of::<Group>() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: the facts begin with this structure, are that long, and are aligned for it. The
    // identifier it points to is among the facts.
    unsafe { text_of((*user).identifier) }
}

fn is_administrator(token: &OwnedHandle) -> io::Result<bool> {
    let facts = facts(token, TOKEN_GROUPS)?;
    // A number, and from the next aligned place on that many structures.
    let count = facts.first().map_or(0, |first| first & u64::from(u32::MAX));
    let room = facts.len().saturating_sub(1) * size_of::<u64>() / size_of::<Group>();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(room);
    let groups: *const Group = facts.as_ptr().wrapping_add(1).cast();
    for index in 0..count {
        // SAFETY: so many structures are there, as was just counted, aligned for them.
        let group = unsafe { groups.add(index).read() };
        // SAFETY: the identifier it points to is among the facts.
        let user = unsafe { text_of(group.identifier) }?;
        if group.attributes & SE_GROUP_ENABLED != 0 && user.as_str() == ADMINISTRATORS {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the system knows about a token, aligned for its structures.
fn facts(token: &OwnedHandle, class: u32) -> io::Result<Vec<u64>> {
    let token = token.as_raw_handle();
    let mut needed = 0;
    // SAFETY: no room is given, so only the length is asked for.
    let _ =
        unsafe { advapi32::GetTokenInformation(token, class, ptr::null_mut(), 0, &raw mut needed) };
    let words = usize::try_from(needed)
        .unwrap_or_default()
        .div_ceil(size_of::<u64>());
    let mut facts = vec![0_u64; words];
    // SAFETY: the room is at least as long as is said, and lives through the call.
    let told = unsafe {
        let into = facts.as_mut_ptr().cast();
        advapi32::GetTokenInformation(token, class, into, needed, &raw mut needed)
    };
    if told == FALSE {
        return Err(io::Error::last_os_error());
    }
    Ok(facts)
}

/// # Safety
/// There is an identifier of the system's at that place, or it is null.
unsafe fn text_of(identifier: *const c_void) -> io::Result<User> {
    if identifier.is_null() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = ptr::null_mut();
    // SAFETY: the identifier is there, by the contract, and the result lives through the call.
    let converted = unsafe { advapi32::ConvertSidToStringSidW(identifier, &raw mut text) };
    if converted == FALSE || text.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut units = Vec::new();
    let mut at = text;
    // SAFETY: the text ends with a zero, which is not passed.
    unsafe {
        while *at != 0 {
            units.push(*at);
            at = at.add(1);
        }
    }
    // SAFETY: the system gave the memory, to be freed so, and nobody uses it any more.
    let _ = unsafe { kernel32::LocalFree(text.cast()) };
    Ok(User::known(String::from_utf16_lossy(&units)))
}

/// A descriptor that the system gave, and what is wanted of it.
struct Found {
    descriptor: *mut c_void,
    wanted: *mut c_void,
}

impl Drop for Found {
    fn drop(&mut self) {
        // SAFETY: the system gave the memory, to be freed so, and nobody uses it any more.
        let _ = unsafe { kernel32::LocalFree(self.descriptor) };
    }
}

/// The owner of a pipe: who made it.
pub(super) fn owner(pipe: &OwnedHandle) -> io::Result<User> {
    let (mut wanted, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle and the results live through the call; the others are not asked for.
    let error = unsafe {
        advapi32::GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER,
            &raw mut wanted,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    let found = Found { descriptor, wanted };
    succeeded(error)?;
    // SAFETY: the owner is in the descriptor, which lives.
    unsafe { text_of(found.wanted) }
}

/// Who may do what with a folder: users and masks of what is allowed. `None` when everybody may
/// do everything.
pub(super) fn allowed(folder: &Path) -> io::Result<Option<Vec<(User, u32)>>> {
    let name = wide(&folder.to_string_lossy());
    let (mut wanted, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the name and the results live through the call; the others are not asked for.
    let error = unsafe {
        advapi32::GetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            LIST,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut wanted,
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    let found = Found { descriptor, wanted };
    succeeded(error)?;
    // SAFETY: the list is in the descriptor, which lives.
    unsafe { entries(found.wanted) }
}

/// Who may do what with a pipe, as the system has it.
#[cfg(test)]
pub(super) fn allowed_on(pipe: &OwnedHandle) -> io::Result<Option<Vec<(User, u32)>>> {
    let (mut wanted, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle and the results live through the call; the others are not asked for.
    let error = unsafe {
        advapi32::GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            LIST,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut wanted,
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    let found = Found { descriptor, wanted };
    succeeded(error)?;
    // SAFETY: the list is in the descriptor, which lives.
    unsafe { entries(found.wanted) }
}

/// The entries of a list that allow something with the thing itself; `None` if there is no list.
///
/// # Safety
/// It is an access list that lives through the call, or null.
pub(super) unsafe fn entries(list: *const c_void) -> io::Result<Option<Vec<(User, u32)>>> {
    if list.is_null() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for index in 0.. {
        let mut entry: *mut Entry = ptr::null_mut();
        // SAFETY: the list lives, by the contract, as does the result.
        if unsafe { advapi32::GetAce(list, index, &raw mut entry) } == FALSE {
            break;
        }
        // SAFETY: the call gave an entry of the list, whose head is this long.
        let Entry {
            kind, flags, mask, ..
        } = unsafe { entry.read() };
        // Only what allows, and counts for the thing itself.
        if kind == 0 && flags & INHERIT_ONLY == 0 {
            // SAFETY: an entry of this kind ends with an identifier at that place.
            let user = unsafe { text_of((&raw const (*entry).user).cast()) }?;
            all.push((user, mask));
        }
    }
    Ok(Some(all))
}

const INHERIT_ONLY: u8 = 8;

fn succeeded(error: u32) -> io::Result<()> {
    match i32::try_from(error) {
        Ok(0) => Ok(()),
        Ok(code) => Err(io::Error::from_raw_os_error(code)),
        Err(_) => Err(io::ErrorKind::Other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_user() {
        let user = &own().unwrap().user;
        assert!(user.as_str().starts_with("S-1-5-"), "{user}");
        assert_eq!(user.as_str().parse().as_ref(), Ok(user));
    }

    #[test]
    fn a_folder_has_a_list() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = allowed(folder.path()).unwrap().unwrap();
        assert!(!allowed.is_empty());
    }
}
