//! The stand-in library on Linux, compiled when it is first needed.

#![expect(unsafe_code, reason = "a library is loaded")]

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

use libloading::Library as Dynamic;
use vab_vdi::linux::Library;

use super::stand_in::Table;

/// One copy of the library, which has state of its own.
pub(crate) struct StandInLibrary {
    path: PathBuf,
    library: Dynamic,
    _folder: tempfile::TempDir,
}

/// Compiles the stand-in; `None`, in words, when there is no C++ compiler.
pub(crate) fn compile(output: &str, flags: &[&str]) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in/libsqlvdi.cpp");
    let made = folder.join(format!("{output}.{}", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut command = Process::new(compiler);
    command.args(["-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-Wall"]);
    command.args(
        std::env::var("CXXFLAGS")
            .unwrap_or_default()
            .split_whitespace(),
    );
    command.arg("-o");
    match command.arg(&made).arg(source).args(flags).status() {
        Err(error) => {
            println!("skipped: no C++ compiler to build the stand-in library with ({error})");
            None
        }
        Ok(status) => {
            assert!(status.success(), "the stand-in library does not compile");
            let kept = folder.join(output);
            std::fs::rename(&made, &kept).unwrap();
            Some(kept)
        }
    }
}

impl StandInLibrary {
    pub(crate) fn find() -> Option<Self> {
        static COMPILED: OnceLock<Option<PathBuf>> = OnceLock::new();
        let compiled = COMPILED.get_or_init(|| compile("libsqlvdi.so", &[]));
        // A copy is another library to the loader.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libsqlvdi.so");
        std::fs::copy(compiled.as_ref()?, &path).unwrap();
        // SAFETY: the library was compiled from the source in this folder.
        let library = unsafe { Dynamic::new(&path) }.unwrap();
        Some(Self {
            path,
            library,
            _folder: folder,
        })
    }

    pub(crate) fn install(&self, table: &Table) {
        // SAFETY: the function takes a pointer to the table, and copies it.
        unsafe {
            let name = "vab_stand_in_install";
            let install = self.library.get::<unsafe extern "C" fn(*const Table)>(name);
            install.unwrap()(table);
        }
    }

    /// The back end under test; the table knows the server.
    pub(crate) fn load(&self, _server: usize) -> Library {
        // SAFETY: the library was compiled from the source in this folder.
        let library = unsafe { Library::load_from(&self.path) }.unwrap();
        library.without_account_check()
    }

    pub(crate) fn dynamic(&self) -> &Dynamic {
        &self.library
    }
}
