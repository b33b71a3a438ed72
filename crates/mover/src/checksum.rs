//! CRC-32C, as the container has it.

pub(crate) use vab_format::checksum::{append, combine, crc32c};
