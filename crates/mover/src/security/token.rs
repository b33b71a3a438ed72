use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::proto::Secret;

/// What a source and a target share. It travels inside TLS only, is never shown, and is
/// overwritten when the last clone is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<Secret>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Short enough to be guessed.
    #[error(
        "the token has {length} bytes; it needs {} to {}, for example those of `openssl rand -hex 32`",
        Token::SHORTEST,
        Token::LONGEST
    )]
    Length {
        /// Its length without white space at the ends; for a file that is far too long, what was
        /// read of it.
        length: usize,
    },
    /// The environment variable is not text.
    #[error("the environment variable {name} is not text")]
    NotText {
        /// Its name.
        name: String,
    },
}

impl Token {
    /// The fewest bytes of a token.
    pub const SHORTEST: usize = 16;
    /// The most bytes of a token.
    pub const LONGEST: usize = 1024;

    /// The token is `bytes` without white space at its ends.
    ///
    /// # Errors
    /// [`TokenError::Length`] if it has fewer than 16 or more than 1024 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, TokenError> {
        let bytes = bytes.trim_ascii();
        let length = bytes.len();
        if (Self::SHORTEST..=Self::LONGEST).contains(&length) {
            Ok(Self(Arc::new(Secret::new(bytes.to_vec()))))
        } else {
            Err(TokenError::Length { length })
        }
    }

    /// The token in a file.
    ///
    /// # Errors
    /// [`TokenError`] if the file cannot be read or holds no token.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File {
            path: path.to_owned(),
            source,
        };
        // Room for white space; a longer file is no token, and is not read on.
        let limit = Self::LONGEST * 2;
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
        File::open(path)
            .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
        if bytes.len() > limit {
            return Err(TokenError::Length {
                length: bytes.len(),
            });
        }
        Self::new(&bytes)
    }

    /// The token in an environment variable; `None` if that is not set or empty.
    ///
    /// # Errors
    /// [`TokenError`] if it is set and holds no token.
    pub fn from_environment(name: &str) -> Result<Option<Self>, TokenError> {
        let Some(value) = std::env::var_os(name) else {
            return Ok(None);
        };
        let value = value
            .into_string()
            .map(Zeroizing::new)
            .map_err(|_| TokenError::NotText { name: name.into() })?;
        if value.is_empty() {
            return Ok(None);
        }
        Self::new(value.as_bytes()).map(Some)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What a target keeps of a token: enough to know it again, and nothing to steal.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(crate) struct TokenDigest(aws_lc_rs::digest::Digest);

#[cfg(feature = "tls")]
impl TokenDigest {
    pub(crate) fn of(secret: &Secret) -> Self {
        Self(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            secret.bytes(),
        ))
    }

    /// Takes the same time whatever was offered.
    pub(crate) fn is_of(&self, offered: &Secret) -> bool {
        let offered = Self::of(offered);
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_ref(), offered.0.as_ref())
            .is_ok()
    }
}

#[cfg(feature = "tls")]
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"0123456789abcdef";

    #[test]
    fn white_space_at_the_ends_is_no_part_of_a_token() {
        assert_eq!(
            Token::new(b" \n0123456789abcdef\r\n").unwrap(),
            Token::new(GOOD).unwrap()
        );
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused() {
        for bytes in [&b""[..], b"password", b"  0123456789abcde  ", &[b'x'; 1025]] {
            assert!(matches!(Token::new(bytes), Err(TokenError::Length { .. })));
        }
    }

    #[test]
    fn a_file_without_end_is_not_read_to_its_end() {
        if let Err(error) = Token::from_file(Path::new("/dev/zero")) {
            assert!(matches!(
                error,
                TokenError::Length { length: 2049 } | TokenError::File { .. }
            ));
        } else {
            panic!("zeros are no token");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new(GOOD).unwrap()), "Token");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn only_the_same_token_is_known_again() {
        let secret = |bytes: &[u8]| Secret::new(bytes.to_vec());
        let known = TokenDigest::of(&secret(GOOD));
        assert!(known.is_of(&secret(GOOD)));
        for other in [
            &b"0123456789abcdeF"[..],
            b"",
            b"0123456789abcdef0",
            b"0123456789abcde",
        ] {
            assert!(!known.is_of(&secret(other)));
        }
    }
}
