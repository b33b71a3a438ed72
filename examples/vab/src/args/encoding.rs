//! How blocks are compressed and encrypted, and what opens what is encrypted.

use std::path::PathBuf;

use clap::Args;
use vab_manager::keys::{read_key_file, read_passphrase_file};
use vab_manager::{Compression, Encoding, Encryption, Secret, Secrets};

use crate::commands::Failure;

/// A passphrase for programs that cannot write files. Never an argument: others see those.
const PASSPHRASE: &str = "VAB_PASSPHRASE";

/// The longest label of a key slot in bytes.
const LABEL: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct SecretArguments {
    /// A file with the key of what is encrypted: 32 bytes or 64 hexadecimal digits, as `vab key
    /// new` makes them. May be given more than once.
    #[arg(long, value_name = "FILE")]
    pub encryption_key_file: Vec<PathBuf>,
    /// A file with the passphrase of what is encrypted, in one line; or set the environment variable `VAB_PASSPHRASE`. May be
    /// given more than once.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Vec<PathBuf>,
}

impl SecretArguments {
    /// All that was given, with labels that say what it is.
    pub(crate) fn labelled(&self) -> Result<Vec<(Secret, String)>, Failure> {
        let mut secrets = Vec::new();
        for path in &self.encryption_key_file {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            secrets.push((read_key_file(path)?, label(&name)));
        }
        for path in &self.passphrase_file {
            secrets.push((read_passphrase_file(path)?, "passphrase".to_owned()));
        }
        match std::env::var(PASSPHRASE) {
            Ok(text) if !text.is_empty() => {
                secrets.push((Secret::passphrase(text), "passphrase".to_owned()));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!("{PASSPHRASE} is not UTF-8").into());
            }
            _ => {}
        }
        Ok(secrets)
    }

    /// Encryption for all that was given; none if nothing was.
    pub(crate) fn encoding(&self, compression: Compression) -> Result<Encoding, Failure> {
        let encoding = Encoding::compressed(compression);
        let secrets = self.labelled()?;
        if secrets.is_empty() {
            return Ok(encoding);
        }
        Ok(encoding.encrypted(Encryption::new(secrets)?))
    }

    /// What opens restore points.
    pub(crate) fn secrets(&self) -> Result<Secrets, Failure> {
        let secrets = self.labelled()?;
        Ok(secrets.into_iter().map(|(secret, _)| secret).collect())
    }
}

#[derive(Debug, Args)]
pub(crate) struct EncodingArguments {
    /// Compress at the source: none, lz4, zstd, zstd:1 to zstd:19, or auto, which looks at each
    /// block and at what the backup is waiting for.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub compression: Compression,
    /// With a key or passphrase, what is stored is encrypted at the source.
    #[command(flatten)]
    pub secrets: SecretArguments,
}

impl EncodingArguments {
    pub(crate) fn encoding(&self) -> Result<Encoding, Failure> {
        self.secrets.encoding(self.compression)
    }
}

/// `text` as a label: cut between characters, without what a label cannot hold.
pub(crate) fn label(text: &str) -> String {
    let mut label = text.replace('\0', "");
    let mut end = label.len().min(LABEL);
    while !label.is_char_boundary(end) {
        end -= 1;
    }
    label.truncate(end);
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits() {
        assert_eq!(label("backup.key"), "backup.key");
        assert_eq!(label(&"é".repeat(40)), "é".repeat(32));
        assert_eq!(label(&format!("a{}", "é".repeat(40))).len(), 63);
        assert_eq!(label("a\0b"), "ab");
    }
}
