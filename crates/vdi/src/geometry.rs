//! Sizes of blocks and transfers.

use crate::error::GeometryError;

/// The block size and the greatest transfer of a device set, both in bytes.
///
/// SQL Server's `BLOCKSIZE` is a power of two from 512 to 65536, its `MAXTRANSFERSIZE` a
/// multiple of 64 KiB from 64 KiB to 4 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    block_size: u32,
    max_transfer: u32,
}

impl Geometry {
    /// The smallest block, in bytes.
    pub const MIN_BLOCK_SIZE: u32 = 512;
    /// The greatest block, in bytes.
    pub const MAX_BLOCK_SIZE: u32 = 65_536;
    /// Every greatest transfer is a multiple of this, in bytes; also the smallest one.
    pub const TRANSFER_UNIT: u32 = 65_536;
    /// The greatest transfer there can be, in bytes.
    pub const MAX_TRANSFER: u32 = 4 << 20;

    /// A geometry.
    ///
    /// # Errors
    /// When a size is not one that SQL Server takes.
    pub const fn new(block_size: u32, max_transfer: u32) -> Result<Self, GeometryError> {
        if block_size < Self::MIN_BLOCK_SIZE
            || block_size > Self::MAX_BLOCK_SIZE
            || !block_size.is_power_of_two()
        {
            return Err(GeometryError::BlockSize { got: block_size });
        }
        if max_transfer == 0
            || max_transfer > Self::MAX_TRANSFER
            || !max_transfer.is_multiple_of(Self::TRANSFER_UNIT)
        {
            return Err(GeometryError::MaxTransfer { got: max_transfer });
        }
        Ok(Self {
            block_size,
            max_transfer,
        })
    }

    /// The block size, in bytes. The engine's transfers are multiples of it.
    pub const fn block_size(self) -> u32 {
        self.block_size
    }

    /// The most bytes of one command.
    pub const fn max_transfer(self) -> u32 {
        self.max_transfer
    }

    /// Whether an engine may ask for this many bytes in one read command.
    pub const fn allows(self, size: u32) -> bool {
        size >= self.block_size && size <= self.max_transfer && size.is_multiple_of(self.block_size)
    }

    /// `max_transfer` as a length in memory.
    pub(crate) const fn max_len(self) -> usize {
        self.max_transfer as usize
    }
}

impl Default for Geometry {
    /// Blocks of 64 KiB, transfers of up to 1 MiB.
    fn default() -> Self {
        Self {
            block_size: 65_536,
            max_transfer: 1 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_sizes_sql_server_takes() {
        for block in [512, 1024, 4096, 65_536] {
            for transfer in [65_536, 196_608, 4 << 20] {
                assert!(Geometry::new(block, transfer).is_ok());
            }
        }
    }

    #[test]
    fn refuses_other_sizes() {
        for block in [0, 256, 513, 131_072] {
            assert_eq!(
                Geometry::new(block, 65_536),
                Err(GeometryError::BlockSize { got: block })
            );
        }
        for transfer in [0, 512, 65_537, (4 << 20) + 65_536] {
            assert_eq!(
                Geometry::new(512, transfer),
                Err(GeometryError::MaxTransfer { got: transfer })
            );
        }
    }

    #[test]
    fn a_read_is_of_whole_blocks_up_to_the_greatest_transfer() {
        let geometry = Geometry::new(4096, 65_536).unwrap();
        assert!(geometry.allows(4096) && geometry.allows(65_536));
        assert!(!geometry.allows(0) && !geometry.allows(4097) && !geometry.allows(69_632));
    }
}
