//! Secrets of the source: what opens the key slots of encrypted files.

#[cfg(feature = "encrypt")]
mod with;
#[cfg(not(feature = "encrypt"))]
mod without;

use vab_format::vab::{KeyArea, SlotKind};

#[cfg(feature = "encrypt")]
pub use with::{Encryption, Secrets};
#[cfg(feature = "encrypt")]
pub(super) use with::{Opening, Proposal, Sealer, Sealing};
#[cfg(not(feature = "encrypt"))]
pub use without::{Encryption, Secrets};
#[cfg(not(feature = "encrypt"))]
pub(super) use without::{Opening, Proposal, Sealer, Sealing};

/// Why blocks cannot be encrypted or decrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The restore point is encrypted, and there is no secret.
    #[error(
        "the restore point is encrypted ({slots}): give its key with --encryption-key-file, or its \
         passphrase with --passphrase-file or VAB_PASSPHRASE"
    )]
    Missing {
        /// The key slots of its file.
        slots: String,
    },
    /// No secret opens the restore point.
    #[error(
        "the restore point is encrypted ({slots}), and no secret that was given opens it: give the \
         right key with --encryption-key-file, or the right passphrase with --passphrase-file or \
         VAB_PASSPHRASE"
    )]
    Wrong {
        /// The key slots of its file.
        slots: String,
    },
    /// No secret opens the file that the backup would be appended to.
    #[error(
        "the current file of the database is encrypted with other secrets ({slots}): give one of \
         them, add yours to the file with `vab key add`, or make a full backup, which begins a new \
         file with yours"
    )]
    InForce {
        /// The key slots of the file.
        slots: String,
    },
    /// The target would store in plain what was to be encrypted.
    #[error("the target would not store the backup encrypted; update it, or back up elsewhere")]
    NotEncrypted,
    /// The target would store encrypted what was not to be.
    #[error("the target asks for encryption, and no key was given")]
    Unasked,
    /// There is neither a key nor a passphrase.
    #[error("encryption needs at least one key or passphrase, and at most 8")]
    Count,
    /// This program was built without encryption.
    #[error("this program was built without encryption: it cannot read or write what is encrypted")]
    Unsupported,
    /// A slot cannot be made or opened.
    #[error("the key slots cannot be worked with: {cause}")]
    Failed {
        /// What went wrong.
        cause: String,
    },
}

/// The slots as people know them: what they open with, and their labels.
fn describe(area: &KeyArea) -> String {
    let slots: Vec<_> = area
        .slots()
        .map(|(number, slot)| {
            let kind = match slot.kind {
                SlotKind::Key => "key",
                SlotKind::Passphrase(_) => "passphrase",
            };
            let label = slot.label.escape_debug();
            format!("slot {number}: {kind} `{label}`")
        })
        .collect();
    if slots.is_empty() {
        return "no key slot can be read".to_owned();
    }
    slots.join(", ")
}
