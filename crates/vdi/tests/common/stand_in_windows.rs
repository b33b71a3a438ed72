//! The stand-in library on Windows, compiled beforehand and named by `VAB_VDI_STAND_IN`.

#![expect(unsafe_code, reason = "a library is loaded")]

use std::ffi::c_int;
use std::sync::OnceLock;

use libloading::Library as Dynamic;
use vab_vdi::windows::{Secondary, Sqlvdi};
use vab_vdi::{CreateError, CreatedSet, DeviceName, SetConfig, Transport};

use super::stand_in::Table;

/// The library, which is one for the whole process. The instance name tells it which server is
/// meant.
pub(crate) struct StandInLibrary(&'static Dynamic);

/// The back end under test, with the instance name of one server.
pub(crate) struct OfInstance<T>(T, String);

impl<T: Transport> Transport for OfInstance<T> {
    fn create(&self, config: SetConfig) -> Result<CreatedSet, CreateError> {
        self.0.create(config.instance(self.1.clone()))
    }
}

impl StandInLibrary {
    pub(crate) fn find() -> Option<Self> {
        static LOADED: OnceLock<Option<Dynamic>> = OnceLock::new();
        LOADED.get_or_init(load).as_ref().map(Self)
    }

    pub(crate) fn install(&self, table: &Table) {
        // The table is the same for all servers, up to the one that is not used here.
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            // SAFETY: the function takes a pointer to the table, and copies it.
            unsafe {
                let name = "vab_stand_in_install";
                let install = self.0.get::<unsafe extern "C" fn(*const Table)>(name);
                install.unwrap()(table);
            }
        });
    }

    #[expect(clippy::unused_self, reason = "on Linux there is a library in it")]
    pub(crate) fn load(&self, server: usize) -> OfInstance<Sqlvdi> {
        OfInstance(Sqlvdi::new().unwrap(), server.to_string())
    }

    /// The same in a secondary process.
    #[expect(clippy::unused_self, reason = "on Linux there is a library in it")]
    pub(crate) fn secondary(&self, server: usize, set: &DeviceName) -> OfInstance<Secondary> {
        let sqlvdi = Sqlvdi::new().unwrap();
        OfInstance(sqlvdi.secondary(set.clone()), server.to_string())
    }

    pub(crate) fn dynamic(&self) -> &Dynamic {
        self.0
    }
}

fn load() -> Option<Dynamic> {
    let Ok(path) = std::env::var("VAB_VDI_STAND_IN") else {
        println!("skipped: VAB_VDI_STAND_IN does not name a stand-in library");
        return None;
    };
    // COM has to be there before a class is registered.
    Sqlvdi::new().unwrap();
    // SAFETY: the library was compiled from the source in this folder; the function registers
    // its class.
    unsafe {
        let library = Dynamic::new(path).unwrap();
        let register = library.get::<unsafe extern "C" fn() -> c_int>("vab_stand_in_register");
        assert_eq!(register.unwrap()(), 0, "the class cannot be registered");
        Some(library)
    }
}
