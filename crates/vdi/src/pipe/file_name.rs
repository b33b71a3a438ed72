//! The name of a set's file in its folder.

use crate::name::DeviceName;

/// Bytes of a file name here, and of the separator before it.
#[cfg(unix)]
pub(super) const FILE_NAME: usize = 37;

/// Names of sets can be longer than file names, and have characters that those cannot have, so
/// the file is named by a hash; the hello has the whole name.
pub(super) fn file_name(name: &DeviceName) -> String {
    let hash = |seed: u64| {
        name.as_str().bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    let (a, b) = (hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142));
    format!("{a:016x}{b:016x}.vdi")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let name = DeviceName::new("../up/../../and away").unwrap();
        let path = Path::new("/folder").join(file_name(&name));
        assert_eq!(path.parent(), Some(Path::new("/folder")));
        assert_eq!(path.file_name().unwrap().len(), 36);
    }

    #[test]
    fn other_names_have_other_files() {
        let name = |text: &str| file_name(&DeviceName::new(text).unwrap());
        assert_ne!(name("set"), name("Set"));
        assert_ne!(name("a"), name("b"));
    }
}
