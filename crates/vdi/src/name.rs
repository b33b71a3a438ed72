//! Names of sets and devices.

use std::fmt;

use crate::error::NameError;

/// The name of a virtual device; the name of a set is the name of its first device.
///
/// 1 to 127 characters, no backslash and no control character. Names are compared exactly; a
/// GUID is recommended, because names are shared by everything that runs on the machine.
///
/// ```
/// use vab_vdi::DeviceName;
///
/// let name = DeviceName::new("7f1b6c4e-nightly")?;
/// assert_eq!(name.as_str(), "7f1b6c4e-nightly");
/// assert!(DeviceName::new(r"host\device").is_err());
/// # Ok::<(), vab_vdi::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// The most characters in a name.
    pub const MAX_CHARS: usize = 127;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that a device name cannot have.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        let chars = name.chars().count();
        if chars == 0 {
            return Err(NameError::Empty);
        }
        if chars > Self::MAX_CHARS {
            return Err(NameError::TooLong { chars });
        }
        match name.chars().find(|&c| c == '\\' || c.is_control()) {
            Some(character) => Err(NameError::Character { character }),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the device `number` of a set: the set's name itself for 0, else the set's
    /// name with the number behind it.
    ///
    /// # Errors
    /// When the number makes the name too long.
    pub fn numbered(&self, number: usize) -> Result<Self, NameError> {
        match number {
            0 => Ok(self.clone()),
            _ => Self::new(format!("{}{number}", self.0)),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_127_characters_and_not_128() {
        assert!(DeviceName::new("é".repeat(127)).is_ok());
        assert_eq!(
            DeviceName::new("é".repeat(128)),
            Err(NameError::TooLong { chars: 128 })
        );
    }

    #[test]
    fn refuses_what_no_device_can_be_called() {
        assert_eq!(DeviceName::new(""), Err(NameError::Empty));
        for bad in ["a\\b", "a\0", "line\n"] {
            assert!(matches!(
                DeviceName::new(bad),
                Err(NameError::Character { .. })
            ));
        }
    }

    #[test]
    fn numbers_come_behind_the_name_from_the_second_device_on() {
        let name = DeviceName::new("set").unwrap();
        assert_eq!(name.numbered(0).unwrap().as_str(), "set");
        assert_eq!(name.numbered(12).unwrap().as_str(), "set12");
    }
}
