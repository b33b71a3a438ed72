//! The folder of the files that say where pipes are.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::account;
use super::descriptor::Descriptor;
use super::instance::create_folder;
use super::user::User;
use crate::error::CreateError;

/// Everybody, whoever has logged on, all users, guests and nameless ones, and whoever sits here.
const CROWDS: [&str; 6] = [
    "S-1-1-0",
    "S-1-5-11",
    "S-1-5-32-545",
    "S-1-5-32-546",
    "S-1-5-7",
    "S-1-5-4",
];
/// To make files, to take anything out, or to give rights away.
const CHANGES: u32 = 0x2 | 0x40 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;

/// Makes the folder, if it is not there, for the own user alone.
pub(in crate::pipe) fn prepare(path: &Path) -> Result<(), CreateError> {
    let io_error = |action| {
        move |error| CreateError::Io {
            action,
            error: Arc::new(error),
        }
    };
    let made = Descriptor::of_folder().and_then(|access| create_folder(path, &access));
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => return result.map_err(io_error("making the folder for the sets")),
    }
    let found = fs::metadata(path).map_err(io_error("looking at the folder"))?;
    if !found.is_dir() {
        let reason = format!("{} is not a folder", path.display());
        return Err(CreateError::Unavailable { reason });
    }
    let allowed =
        account::allowed(path).map_err(io_error("looking at the folder's access list"))?;
    match crowd(allowed.as_deref()) {
        None => Ok(()),
        Some(who) => Err(CreateError::Unavailable {
            reason: format!(
                "{who} may change the folder {path}; take that right away (icacls \"{path}\" \
                 /inheritance:d /remove *{who}), or name a folder that is not there yet",
                path = path.display()
            ),
        }),
    }
}

/// Who may change the folder that should not; without a list, everybody may do everything.
fn crowd(allowed: Option<&[(User, u32)]>) -> Option<&str> {
    let Some(allowed) = allowed else {
        return CROWDS.first().copied();
    };
    let mut crowds = allowed
        .iter()
        .filter(|(user, mask)| CROWDS.contains(&user.as_str()) && mask & CHANGES != 0);
    crowds.next().map(|(user, _)| user.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::wine_lacks;
    use super::*;

    #[test]
    fn a_folder_is_made_and_found_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("sets");
        prepare(&folder).unwrap();
        prepare(&folder).unwrap();
        let allowed = account::allowed(&folder).unwrap();
        assert_eq!(crowd(allowed.as_deref()), None);
    }

    #[test]
    fn only_crowds_that_may_change_something_are_too_many() {
        let entry = |user: &str, mask| (user.parse::<User>().unwrap(), mask);
        let (own, read, full) = ("S-1-5-21-1-2-3-1001", 0x12_00a9, 0x1f_01ff);
        let crowd = |entries: &[(User, u32)]| crowd(Some(entries)).map(str::to_owned);
        assert_eq!(crowd(&[entry(own, full), entry("S-1-1-0", read)]), None);
        let open = [entry(own, full), entry("S-1-5-32-545", read | 2)];
        assert_eq!(crowd(&open).as_deref(), Some("S-1-5-32-545"));
        assert_eq!(super::crowd(None), Some("S-1-1-0"));
    }

    #[test]
    fn a_folder_open_to_everybody_is_refused() {
        if wine_lacks("give folders the access list they are made with") {
            return;
        }
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("sets");
        let access = Descriptor::parse("D:P(A;OICI;FA;;;WD)").unwrap();
        create_folder(&folder, &access).unwrap();
        let error = prepare(&folder).unwrap_err();
        assert!(error.to_string().contains("icacls"), "{error}");
    }

    #[test]
    fn a_file_is_no_folder() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(
            prepare(&file)
                .unwrap_err()
                .to_string()
                .contains("not a folder")
        );
    }
}
