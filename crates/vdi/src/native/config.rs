//! The structure in which client and server agree on a set.

use crate::code::Features;
use crate::config::SetConfig;
use crate::configuration::{Configuration, Direction};
use crate::geometry::Geometry;

/// `VDConfig`: 11 numbers of 32 bits. The client fills in the first seven, the server the rest;
/// both use `features`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RawVdConfig {
    /// 1 to 64.
    pub(crate) device_count: u32,
    pub(crate) features: u32,
    /// Bytes kept free before each buffer.
    pub(crate) prefix_zone_size: u32,
    /// Of the buffers, in bytes; 0 leaves it to the server.
    pub(crate) alignment: u32,
    /// For tape-like devices.
    pub(crate) soft_file_mark_block_size: u32,
    /// For tape-like devices.
    pub(crate) eom_warning_size: u32,
    /// Milliseconds; 0 is none.
    pub(crate) server_timeout: u32,
    pub(crate) block_size: u32,
    pub(crate) max_io_depth: u32,
    pub(crate) max_transfer_size: u32,
    pub(crate) buffer_area_size: u32,
}

impl RawVdConfig {
    /// What a client asks for.
    pub(crate) fn asked(config: &SetConfig) -> Self {
        let timeout = config.server_timeout_limit().map_or(0, |limit| {
            // 0 would be no limit at all.
            u32::try_from(limit.as_nanos().div_ceil(1_000_000))
                .unwrap_or(u32::MAX)
                .max(1)
        });
        Self {
            device_count: u32::try_from(config.device_names().len()).unwrap_or(u32::MAX),
            features: config.features().bits(),
            server_timeout: timeout,
            ..Self::default()
        }
    }

    /// What the server answered; the text says what is wrong with it.
    pub(crate) fn agreed(&self) -> Result<Configuration, String> {
        let features = Features::from_bits(self.features);
        let direction = match (
            features.contains(Features::WRITE_MEDIA),
            features.contains(Features::READ_MEDIA),
        ) {
            (true, false) => Direction::Backup,
            (false, true) => Direction::Restore,
            _ => return Err(format!("it names no direction, or both: {features:?}")),
        };
        let geometry = Geometry::new(self.block_size, self.max_transfer_size)
            .map_err(|error| error.to_string())?;
        Ok(Configuration {
            geometry,
            direction,
            complete_enabled: features.contains(Features::COMPLETE_ENABLED),
            features,
            depth: self.max_io_depth.max(1),
            buffer_area: self.buffer_area_size.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};
    use std::time::Duration;

    use super::*;
    use crate::name::DeviceName;

    const ANSWER: RawVdConfig = RawVdConfig {
        device_count: 1,
        features: 0x5_2000,
        prefix_zone_size: 0,
        alignment: 0,
        soft_file_mark_block_size: 0,
        eom_warning_size: 0,
        server_timeout: 0,
        block_size: 512,
        max_io_depth: 4,
        max_transfer_size: 65_536,
        buffer_area_size: 1 << 20,
    };

    #[test]
    fn the_structure_has_the_published_layout() {
        assert_eq!(size_of::<RawVdConfig>(), 44);
        assert_eq!(offset_of!(RawVdConfig, features), 4);
        assert_eq!(offset_of!(RawVdConfig, server_timeout), 24);
        assert_eq!(offset_of!(RawVdConfig, block_size), 28);
        assert_eq!(offset_of!(RawVdConfig, buffer_area_size), 40);
    }

    #[test]
    fn a_client_asks_for_pipe_like_devices_with_complete() {
        let name = DeviceName::new("set").unwrap();
        let config = SetConfig::new(&name, 3).unwrap();
        let config = config.server_timeout(Duration::from_micros(1500));
        let raw = RawVdConfig::asked(&config);
        assert_eq!(
            (raw.device_count, raw.features, raw.server_timeout),
            (3, 0x2000, 2)
        );
        assert_eq!((raw.block_size, raw.max_transfer_size), (0, 0));
    }

    #[test]
    fn the_answer_is_checked() {
        let agreed = ANSWER.agreed().unwrap();
        assert_eq!(agreed.direction, Direction::Backup);
        assert!(agreed.complete_enabled);
        assert_eq!((agreed.depth, agreed.buffer_area), (4, 1 << 20));
        for features in [0, 0x3_0000] {
            assert!(RawVdConfig { features, ..ANSWER }.agreed().is_err());
        }
        let block_size = 1000;
        assert!(
            RawVdConfig {
                block_size,
                ..ANSWER
            }
            .agreed()
            .is_err()
        );
        let max_transfer_size = u32::MAX;
        assert!(
            RawVdConfig {
                max_transfer_size,
                ..ANSWER
            }
            .agreed()
            .is_err()
        );
    }
}
