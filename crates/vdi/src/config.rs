//! What a client asks for when it creates a set.

use std::time::Duration;

use crate::code::Features;
use crate::error::ConfigError;
use crate::name::DeviceName;

/// The most devices in one set.
pub const MAX_DEVICES: usize = 64;

/// What a client asks for when it creates a set of virtual devices.
///
/// The devices are pipe-like, and the final `Complete` command is asked for unless
/// [`without_complete`](Self::without_complete) says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetConfig {
    device_names: Vec<DeviceName>,
    instance: Option<String>,
    features: Features,
    server_timeout: Option<Duration>,
}

impl SetConfig {
    /// A set of `devices` devices: the first has the set's name, the others the same name with
    /// 1, 2, … behind it.
    ///
    /// # Errors
    /// When the number of devices is not 1 to 64, or a number makes a name too long.
    pub fn new(name: &DeviceName, devices: usize) -> Result<Self, ConfigError> {
        if devices == 0 || devices > MAX_DEVICES {
            return Err(ConfigError::DeviceCount { got: devices });
        }
        let names = (0..devices).map(|number| name.numbered(number));
        Self::with_names(names.collect::<Result<_, _>>()?)
    }

    /// A set with the given device names; the first is the name of the set.
    ///
    /// # Errors
    /// When the number of devices is not 1 to 64, or two names differ in nothing but case.
    pub fn with_names(device_names: Vec<DeviceName>) -> Result<Self, ConfigError> {
        check_names(&device_names)?;
        Ok(Self {
            device_names,
            instance: None,
            features: Features::REQUEST_COMPLETE,
            server_timeout: None,
        })
    }

    /// Names the SQL Server instance (the bare name, without the machine). Without it, the
    /// default instance is meant. Only Windows has instances; elsewhere this is ignored.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into()).filter(|name| !name.is_empty());
        self
    }

    /// Lets the server end the operation when nothing completes for two such intervals
    /// (rounded up to milliseconds). Meant for finding faults.
    #[must_use]
    pub fn server_timeout(mut self, timeout: Duration) -> Self {
        self.server_timeout = Some(timeout);
        self
    }

    /// Does not ask for the final `Complete` command; every `Flush` has to be answered as if it
    /// were the last.
    #[must_use]
    pub fn without_complete(mut self) -> Self {
        self.features = self.features.without(Features::REQUEST_COMPLETE);
        self
    }

    /// The name of the set, which is the name of its first device.
    pub fn name(&self) -> &DeviceName {
        // `with_names` refused an empty list.
        #[expect(clippy::indexing_slicing, reason = "a set has at least one device")]
        &self.device_names[0]
    }

    /// The names of the devices.
    pub fn device_names(&self) -> &[DeviceName] {
        &self.device_names
    }

    /// The SQL Server instance, if one was named.
    pub fn instance_name(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The features that are asked for.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The server's time limit, if one was set.
    pub fn server_timeout_limit(&self) -> Option<Duration> {
        self.server_timeout
    }
}

/// Checks the names of the devices of a set, on both sides.
pub(crate) fn check_names(names: &[DeviceName]) -> Result<(), ConfigError> {
    if names.is_empty() || names.len() > MAX_DEVICES {
        return Err(ConfigError::DeviceCount { got: names.len() });
    }
    let mut folded: Vec<_> = names
        .iter()
        .map(|name| name.as_str().to_lowercase())
        .collect();
    folded.sort_unstable();
    let twice = folded.windows(2).find(|pair| pair.first() == pair.last());
    match twice.and_then(|pair| pair.first()) {
        Some(name) => Err(ConfigError::DuplicateName { name: name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DeviceName {
        DeviceName::new(text).unwrap()
    }

    #[test]
    fn the_first_device_has_the_name_of_the_set() {
        let config = SetConfig::new(&name("set"), 3).unwrap();
        let names: Vec<_> = config
            .device_names()
            .iter()
            .map(DeviceName::as_str)
            .collect();
        assert_eq!(names, ["set", "set1", "set2"]);
        assert_eq!(config.name().as_str(), "set");
    }

    #[test]
    fn a_set_has_1_to_64_devices() {
        assert!(SetConfig::new(&name("set"), 64).is_ok());
        for got in [0, 65] {
            assert_eq!(
                SetConfig::new(&name("set"), got),
                Err(ConfigError::DeviceCount { got })
            );
        }
    }

    #[test]
    fn names_that_differ_only_in_case_are_one_name() {
        let error = SetConfig::with_names(vec![name("Set"), name("x"), name("sET")]).unwrap_err();
        assert_eq!(error, ConfigError::DuplicateName { name: "set".into() });
    }

    #[test]
    fn complete_is_asked_for_unless_told_otherwise() {
        let config = SetConfig::new(&name("set"), 1).unwrap();
        assert!(config.features().contains(Features::REQUEST_COMPLETE));
        let features = config.without_complete().features();
        assert!(!features.contains(Features::REQUEST_COMPLETE));
    }
}
