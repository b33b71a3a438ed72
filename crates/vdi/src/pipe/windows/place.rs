//! The file of a set in its folder.
//!
//! The file has the name of the set's pipe. It is open for writing as long as the set is there,
//! and nobody else can open it so: whoever has it open owns the name. The system removes the file
//! with its handle, however the process ends; a file that is left by a machine that went down can
//! be opened, and is taken over.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::name::DeviceName;
use crate::pipe::file_name::file_name;

const GENERIC_WRITE: u32 = 0x4000_0000;
const DELETE: u32 = 0x1_0000;
const FILE_SHARE_READ: u32 = 1;
const FILE_SHARE_DELETE: u32 = 4;
const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_SHARING_VIOLATION: i32 = 32;

/// What every pipe's name begins with.
const PIPES: &str = r"\\.\pipe\vab-vdi-";
/// Bytes of a pipe's name.
const LENGTH: usize = PIPES.len() + 32;

/// A file that was just closed is there for a moment, and cannot be opened; a file that this user
/// may not open looks the same, so there are not many tries.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// A set's name, owned; given back when dropped.
#[derive(Debug)]
pub(in crate::pipe) struct Place(File);

impl Place {
    /// Takes the name; `None` when somebody who lives has it.
    pub(in crate::pipe) fn take(folder: &Path, name: &DeviceName) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        options.access_mode(GENERIC_WRITE | DELETE);
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
        options.custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
        let file = match open(&options, &folder.join(file_name(name))) {
            Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => {
                return Ok(None);
            }
            result => result?,
        };
        file.set_len(0)?;
        Ok(Some(Self(file)))
    }

    /// Says where engines find the set.
    pub(super) fn publish(&self, pipe: &str) -> io::Result<()> {
        (&self.0).write_all(pipe.as_bytes())
    }

    /// Says so no more: no engine is wanted any more.
    pub(in crate::pipe) fn hide(&self) {
        // Whoever still finds the pipe finds it busy.
        let _ = self.0.set_len(0);
    }
}

/// The pipe of a set; `NotFound` when nobody made it yet.
pub(super) fn pipe_of(folder: &Path, name: &DeviceName) -> io::Result<String> {
    let mut options = OpenOptions::new();
    let file = open(options.read(true), &folder.join(file_name(name)))?;
    let mut text = String::new();
    let most = u64::try_from(LENGTH).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_string(&mut text)?;
    let id = text.strip_prefix(PIPES).unwrap_or_default();
    // Anything else is not written yet, or was not written by a set.
    let is_whole = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_whole {
        Ok(text)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let mut left = TRIES;
    loop {
        match options.open(path) {
            Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED) && left > 0 => {
                left -= 1;
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn name() -> DeviceName {
        DeviceName::new("set").unwrap()
    }

    fn pipe() -> String {
        format!("{PIPES}{:032x}", 7)
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
    fn a_set_is_found_from_its_publication_until_it_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let find = || pipe_of(folder.path(), &name()).map_err(|error| error.kind());
        assert_eq!(find(), Err(io::ErrorKind::NotFound));
        let place = Place::take(folder.path(), &name()).unwrap().unwrap();
        assert_eq!(find(), Err(io::ErrorKind::NotFound));
        place.publish(&pipe()).unwrap();
        assert_eq!(find(), Ok(pipe()));
        place.hide();
        assert_eq!(find(), Err(io::ErrorKind::NotFound));
    }

    #[test]
    fn a_file_of_the_dead_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file_name(&name()));
        fs::write(
            &path,
            "of a machine that went down, and longer than any name of a pipe",
        )
        .unwrap();
        assert!(pipe_of(folder.path(), &name()).is_err());
        let place = Place::take(folder.path(), &name()).unwrap().unwrap();
        place.publish(&pipe()).unwrap();
        assert_eq!(pipe_of(folder.path(), &name()).unwrap(), pipe());
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn no_file_leads_to_another_pipe() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            r"\\server\pipe\vab-vdi-00000000000000000000000000000007",
            r"\\.\pipe\x",
        ] {
            fs::write(folder.path().join(file_name(&name())), text).unwrap();
            assert!(pipe_of(folder.path(), &name()).is_err());
        }
    }
}
