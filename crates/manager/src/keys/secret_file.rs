//! Keys and passphrases in files. What is read is wiped from memory after use, and never printed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use vab_format::crypto::Secret;
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
/// The longest passphrase file in bytes.
const LONGEST: u64 = 4096;

/// Why a secret cannot be read from a file, or a key not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("`{}` cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("`{}` cannot be made; a key file is never written over", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no key.
    #[error(
        "`{}` holds no key: 32 bytes or 64 hexadecimal digits are expected; `vab key new` makes one",
        .path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no passphrase.
    #[error(
        "`{}` holds no passphrase: one line of UTF-8, not empty, of at most 4096 bytes, is expected",
        .path.display()
    )]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no random numbers.
    #[error("no key can be made: {cause}")]
    NoRandomness {
        /// What it says.
        cause: String,
    },
}

/// Reads a key: 32 bytes as they are, or as 64 hexadecimal digits with or without a line end.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_key_file(path: &Path) -> Result<Secret, SecretFileError> {
    let bytes = read(path)?;
    let no_key = || SecretFileError::NoKey {
        path: path.to_owned(),
    };
    let mut key = Zeroizing::new([0; KEY]);
    if bytes.len() == KEY {
        key.copy_from_slice(&bytes);
    } else {
        let digits = line(&bytes);
        if digits.len() != 2 * KEY {
            return Err(no_key());
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = match pair {
                [high, low] => digit(*high)
                    .zip(digit(*low))
                    .map(|(high, low)| high << 4 | low)
                    .ok_or_else(no_key)?,
                _ => return Err(no_key()),
            };
        }
    }
    Ok(Secret::key(*key))
}

/// Reads a passphrase: the one line of the file, without its end.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_passphrase_file(path: &Path) -> Result<Secret, SecretFileError> {
    let bytes = read(path)?;
    let no_passphrase = || SecretFileError::NoPassphrase {
        path: path.to_owned(),
    };
    let line = line(&bytes);
    if line.is_empty() || line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Err(no_passphrase());
    }
    let text = std::str::from_utf8(line).map_err(|_| no_passphrase())?;
    Ok(Secret::passphrase(text))
}

/// Makes a file with a new random key, as 64 hexadecimal digits, that only its owner may read.
///
/// # Errors
/// [`SecretFileError::Write`] also if the file is there.
pub fn new_key_file(path: &Path) -> Result<(), SecretFileError> {
    let mut key = Zeroizing::new([0; KEY]);
    vab_format::crypto::random_key(&mut key).map_err(|error| SecretFileError::NoRandomness {
        cause: error.to_string(),
    })?;
    let mut digits = Zeroizing::new(Vec::with_capacity(2 * KEY + 1));
    for byte in key.iter() {
        for half in [byte >> 4, byte & 15] {
            digits.push(if half < 10 {
                b'0' + half
            } else {
                b'a' + half - 10
            });
        }
    }
    digits.push(b'\n');
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(&digits).and_then(|()| file.sync_all()));
    written.map_err(|source| SecretFileError::Write {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let read = || {
        // Room for all at once: a buffer that grows leaves pieces behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
        File::open(path)?
            .take(LONGEST + 2)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| SecretFileError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Without the end of the line.
fn line(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if u64::try_from(line.len()).is_ok_and(|length| length <= LONGEST) {
        line
    } else {
        &[]
    }
}

const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use vab_format::crypto::{DataKey, unlock, wrap};
    use vab_format::vab::KeyArea;

    use super::*;

    fn same(one: &Secret, two: &Secret) -> bool {
        let slot = wrap(&DataKey::random().unwrap(), one, "").unwrap();
        unlock(&KeyArea::of([slot]), two).is_ok()
    }

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_key_is_read_as_bytes_and_as_digits() {
        let due = Secret::key([0xA5; 32]);
        let digits = "a5".repeat(32);
        for content in [
            vec![0xA5; 32],
            digits.clone().into_bytes(),
            format!("{digits}\n").into_bytes(),
            format!("{}\r\n", digits.to_uppercase()).into_bytes(),
        ] {
            let (_folder, path) = file(&content);
            assert!(same(&read_key_file(&path).unwrap(), &due));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let digits = "a5".repeat(31);
        for content in [
            Vec::new(),
            vec![0xA5; 31],
            vec![0xA5; 33],
            format!("{digits}zz").into_bytes(),
            format!("{digits}a5a5").into_bytes(),
            vec![b'a'; 100_000],
        ] {
            let (_folder, path) = file(&content);
            let error = read_key_file(&path).unwrap_err();
            assert!(matches!(error, SecretFileError::NoKey { .. }), "{error}");
        }
    }

    #[test]
    fn a_passphrase_is_one_line() {
        let due = Secret::passphrase("correct horse ");
        for content in ["correct horse ", "correct horse \n", "correct horse \r\n"] {
            let (_folder, path) = file(content.as_bytes());
            assert!(same(&read_passphrase_file(&path).unwrap(), &due));
        }
        let long = vec![b'x'; 5000];
        for content in [b"".as_slice(), b"\n", b"two\nlines", b"\xff\xfe", &long] {
            let (_folder, path) = file(content);
            assert!(read_passphrase_file(&path).is_err(), "{content:?}");
        }
    }

    #[test]
    fn a_new_key_is_random_private_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        new_key_file(&one).unwrap();
        new_key_file(&two).unwrap();
        let keys = [&one, &two].map(|path| read_key_file(path).unwrap());
        assert!(same(&keys[0], &keys[0]) && !same(&keys[0], &keys[1]));
        assert!(new_key_file(&one).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&one).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
