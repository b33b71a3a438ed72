//! `RESTORE HEADERONLY`, `FILELISTONLY`, `LABELONLY` and `VERIFYONLY`.

use vab_vdi::DeviceName;

use super::text::{Devices, Writer};
use super::{Illegal, Statement};
use crate::look::Look;

/// A look at a backup on virtual devices: each is a device set of its own.
#[derive(Clone, Debug)]
pub struct Read {
    /// What to look at.
    pub look: Look,
    /// The devices, one for each stripe.
    pub devices: Vec<DeviceName>,
    /// `CHECKSUM`: refused by the server if the set has none. Not for labels.
    pub checksum: bool,
    /// `STATS` of `VERIFYONLY`: how often progress is told, in percent of 1 to 100.
    pub stats: Option<u8>,
}

impl Read {
    /// A look that does not ask for checksums.
    pub fn new(look: Look, devices: Vec<DeviceName>) -> Self {
        Self {
            look,
            devices,
            checksum: false,
            stats: Some(5),
        }
    }

    /// The statement.
    ///
    /// # Errors
    /// When there are not 1 to 64 devices with names of their own, or the percentage is none.
    pub fn statement(&self) -> Result<Statement, Illegal> {
        let mut text = Writer::new(match self.look {
            Look::Header => "RESTORE HEADERONLY FROM ",
            Look::Files => "RESTORE FILELISTONLY FROM ",
            Look::Label => "RESTORE LABELONLY FROM ",
            Look::Verify => "RESTORE VERIFYONLY FROM ",
        });
        text.put(Devices::of(&self.devices)?);
        text.option_if(self.checksum && self.look != Look::Label, "CHECKSUM");
        if self.look == Look::Verify {
            text.stats(self.stats)?;
        }
        Ok(text.done())
    }
}
