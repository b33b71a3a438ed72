//! The parts that statements share.

use std::collections::HashSet;
use std::fmt::{self, Display, Write};
use std::num::NonZeroU32;

use vab_vdi::{DeviceName, Geometry};

use super::names::string;
use super::{Illegal, Name, Statement};

/// A statement while it is written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    options: usize,
}

impl Writer {
    pub(super) fn new(verb: &str) -> Self {
        Self {
            text: verb.to_owned(),
            options: 0,
        }
    }

    pub(super) fn put(&mut self, part: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{part}");
    }

    /// An option behind `WITH`.
    pub(super) fn option(&mut self, option: impl Display) {
        let before = if self.options == 0 { " WITH " } else { ", " };
        self.options += 1;
        self.put(before);
        self.put(option);
    }

    pub(super) fn option_if(&mut self, wanted: bool, option: &str) {
        if wanted {
            self.option(option);
        }
    }

    pub(super) fn stats(&mut self, percent: Option<u8>) -> Result<(), Illegal> {
        match percent {
            None => Ok(()),
            Some(percent @ 1..=100) => {
                self.option(format_args!("STATS = {percent}"));
                Ok(())
            }
            Some(found) => Err(Illegal::Stats { found }),
        }
    }

    pub(super) fn checksum(&mut self, checksum: bool) {
        self.option(if checksum { "CHECKSUM" } else { "NO_CHECKSUM" });
    }

    pub(super) fn sizes(&mut self, geometry: Geometry, buffers: Option<NonZeroU32>) {
        self.option(format_args!("BLOCKSIZE = {}", geometry.block_size()));
        self.option(format_args!(
            "MAXTRANSFERSIZE = {}",
            geometry.max_transfer()
        ));
        if let Some(buffers) = buffers {
            self.option(format_args!("BUFFERCOUNT = {buffers}"));
        }
    }

    pub(super) fn done(self) -> Statement {
        Statement(self.text)
    }
}

/// `VIRTUAL_DEVICE = N'a', VIRTUAL_DEVICE = N'b'`.
pub(super) struct Devices<'d>(&'d [DeviceName]);

impl<'d> Devices<'d> {
    pub(super) fn of(devices: &'d [DeviceName]) -> Result<Self, Illegal> {
        if devices.is_empty() || devices.len() > vab_vdi::MAX_DEVICES {
            return Err(Illegal::Devices {
                found: devices.len(),
            });
        }
        let mut seen = HashSet::new();
        match devices
            .iter()
            .find(|name| !seen.insert(name.as_str().to_lowercase()))
        {
            Some(name) => Err(Illegal::DeviceTwice {
                name: name.to_string(),
            }),
            None => Ok(Self(devices)),
        }
    }
}

impl Display for Devices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, device) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            write!(f, "{between}VIRTUAL_DEVICE = {}", string(device.as_str()))?;
        }
        Ok(())
    }
}

/// No statement here can be about `tempdb`.
pub(super) fn not_tempdb(database: &Name) -> Result<(), Illegal> {
    if database.as_str().eq_ignore_ascii_case("tempdb") {
        return Err(Illegal::TempDb);
    }
    Ok(())
}

pub(super) fn is_master(database: &Name) -> bool {
    database.as_str().eq_ignore_ascii_case("master")
}
