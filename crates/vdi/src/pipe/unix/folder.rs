//! The folder of the sockets.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::error::CreateError;
use crate::pipe::file_name::FILE_NAME;

/// The most bytes of a socket's path on the systems there are.
const MAX_SOCKET_PATH: usize = 103;

/// Makes the folder, if it is not there, for the own user alone.
pub(in crate::pipe) fn prepare(path: &Path) -> Result<(), CreateError> {
    let unavailable = |reason| Err(CreateError::Unavailable { reason });
    if path.as_os_str().len() + FILE_NAME > MAX_SOCKET_PATH {
        return unavailable(format!(
            "the path of the folder {} is too long for sockets; take one of at most {} bytes",
            path.display(),
            MAX_SOCKET_PATH - FILE_NAME
        ));
    }
    let io_error = |action| {
        move |error| CreateError::Io {
            action,
            error: Arc::new(error),
        }
    };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => result.map_err(io_error("making the folder for the sockets"))?,
    }
    let found = fs::metadata(path).map_err(io_error("looking at the folder"))?;
    if !found.is_dir() {
        return unavailable(format!("{} is not a folder", path.display()));
    }
    if found.permissions().mode() & 0o002 != 0 {
        return unavailable(format!(
            "everybody may write to the folder {}; take that right away (chmod o-w)",
            path.display()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_the_own_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("sets");
        prepare(&folder).unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_folder_open_to_everybody_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = prepare(parent.path()).unwrap_err();
        assert!(error.to_string().contains("chmod o-w"), "{error}");
    }

    #[test]
    fn a_path_too_long_for_sockets_is_refused_at_once() {
        let error = prepare(Path::new(&("/tmp/".to_owned() + &"x".repeat(90)))).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
