//! Keys: reading secrets from files, and the key slots of a `.VAB`.

mod secret_file;
mod slots;

pub use secret_file::{SecretFileError, new_key_file, read_key_file, read_passphrase_file};
pub use slots::{KeySlotInfo, KeySlots, KeySlotsError};
