//! The entry points of the library.

use std::ffi::{c_char, c_int, c_long, c_ulong, c_void};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::library::LoadError;
use crate::native::{RawVdConfig, RawVdcCommand};

/// A C++ object, as its methods take it.
pub(super) type This = *mut c_void;

// The library is C++ and may throw; "C-unwind" makes that defined behaviour on its way through.
type New = unsafe extern "C-unwind" fn(This);
type Create = unsafe extern "C-unwind" fn(This, *mut c_char, *mut RawVdConfig) -> c_int;
type GetConfiguration = unsafe extern "C-unwind" fn(This, c_long, *mut RawVdConfig) -> c_int;
type OpenDevice = unsafe extern "C-unwind" fn(This, *mut c_char, *mut This) -> c_int;
type Plain = unsafe extern "C-unwind" fn(This) -> c_int;
type GetCommand = unsafe extern "C-unwind" fn(This, c_long, *mut *mut RawVdcCommand) -> c_int;
type CompleteCommand =
    unsafe extern "C-unwind" fn(This, *mut RawVdcCommand, c_int, c_ulong, i64) -> c_int;

macro_rules! symbols {
    ($($field:ident: $kind:ty = $name:literal;)*) => {
        /// The entry points, all of them.
        pub(super) struct Symbols {
            $(pub(super) $field: $kind,)*
            /// Keeps the code where it is.
            _library: Library,
        }

        impl Symbols {
            /// Loads the library and finds all entry points.
            pub(super) fn load(path: &Path) -> Result<Self, LoadError> {
                // SAFETY: the caller names SQL Server's library, whose initialisation is meant
                // for any process; nothing of it is called before all entry points are found.
                let opened = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
                let library = opened.map_err(|error| LoadError::NotLoaded {
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
                let mut missing = Vec::new();
                $(
                    // SAFETY: the mangled name has the method's parameters in it, and the type
                    // here has the same.
                    let $field = unsafe { library.get::<$kind>($name) };
                    let $field = $field.map(|symbol| *symbol);
                    if $field.is_err() {
                        missing.push($name);
                    }
                )*
                match ($($field,)*) {
                    ($(Ok($field),)*) => Ok(Self { $($field,)* _library: library }),
                    _ => Err(LoadError::Incomplete { path: path.to_owned(), missing }),
                }
            }

            /// The names of all entry points.
            #[cfg(test)]
            pub(super) const NAMES: &[&'static str] = &[$($name,)*];
        }
    };
}

symbols! {
    set_new: New = "_ZN22ClientVirtualDeviceSetC1Ev";
    set_drop: New = "_ZN22ClientVirtualDeviceSetD1Ev";
    set_create: Create = "_ZN22ClientVirtualDeviceSet6CreateEPcP8VDConfig";
    set_configuration: GetConfiguration =
        "_ZN22ClientVirtualDeviceSet16GetConfigurationElP8VDConfig";
    set_open_device: OpenDevice =
        "_ZN22ClientVirtualDeviceSet10OpenDeviceEPcPP19ClientVirtualDevice";
    set_close: Plain = "_ZN22ClientVirtualDeviceSet5CloseEv";
    set_abort: Plain = "_ZN22ClientVirtualDeviceSet11SignalAbortEv";
    device_command: GetCommand = "_ZN19ClientVirtualDevice10GetCommandElPP11VDC_Command";
    device_complete: CompleteCommand =
        "_ZN19ClientVirtualDevice15CompleteCommandEP11VDC_Commandiml";
}

impl std::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Symbols").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_library_is_refused_with_all_names_it_lacks() {
        let found = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = found
            .lines()
            .filter_map(|line| line.split_whitespace().last());
        let Some(path) = libc.into_iter().find(|path| path.contains("libc.so")) else {
            println!("skipped: this process has no libc.so to try it with");
            return;
        };
        match Symbols::load(Path::new(path)) {
            Err(LoadError::Incomplete { missing, .. }) => assert_eq!(missing, Symbols::NAMES),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_library_that_is_not_there_is_said_to_be_not_there() {
        let error = Symbols::load(Path::new("/nowhere/libsqlvdi.so")).unwrap_err();
        assert!(
            error.to_string().contains("/nowhere/libsqlvdi.so"),
            "{error}"
        );
    }
}
