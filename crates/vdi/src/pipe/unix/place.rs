//! The files of a set in its folder.
//!
//! A set has a socket and a lock file. Whoever holds the lock owns the name, so a socket that is
//! found under it was left by a dead process and is removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::name::DeviceName;
use crate::pipe::file_name::file_name;

/// A set's name, owned; given back when dropped.
#[derive(Debug)]
pub(in crate::pipe) struct Place {
    lock_path: PathBuf,
    socket_path: PathBuf,
    /// Held open for its lock.
    _lock: File,
}

impl Place {
    /// Takes the name; `None` when somebody who lives has it.
    pub(in crate::pipe) fn take(folder: &Path, name: &DeviceName) -> io::Result<Option<Self>> {
        let socket_path = socket_path(folder, name);
        let lock_path = socket_path.with_extension("lock");
        loop {
            let mut options = OpenOptions::new();
            let lock = options
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&lock_path)?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // The owner before may have removed the file between our opening and locking it.
            if !is_at(&lock, &lock_path)? {
                continue;
            }
            remove(&socket_path)?;
            return Ok(Some(Self {
                lock_path,
                socket_path,
                _lock: lock,
            }));
        }
    }

    pub(super) fn socket_path(&self) -> &Path {
        &self.socket_path
    }

    /// Removes the socket: no engine is wanted any more.
    pub(in crate::pipe) fn hide(&self) {
        // A socket that stays is removed by the next owner of the name.
        let _ = remove(&self.socket_path);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hide();
        // In this order: the lock is given back when the file is closed, after its removal.
        let _ = remove(&self.lock_path);
    }
}

/// Where the socket of a set is.
pub(super) fn socket_path(folder: &Path, name: &DeviceName) -> PathBuf {
    folder.join(file_name(name))
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        result => result?,
    };
    let here = file.metadata()?;
    Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> DeviceName {
        DeviceName::new("set").unwrap()
    }

    #[test]
    fn a_name_has_one_owner_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(folder.path(), &name()).unwrap().unwrap();
        assert!(Place::take(folder.path(), &name()).unwrap().is_none());
        drop(place);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Place::take(folder.path(), &name()).unwrap().is_some());
    }

    #[test]
    fn a_socket_of_the_dead_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(socket_path(folder.path(), &name()), "").unwrap();
        let place = Place::take(folder.path(), &name()).unwrap().unwrap();
        assert!(!place.socket_path().exists());
    }
}
