//! Names, texts and paths as the server takes them.

use std::fmt::{self, Write};

/// Why a text cannot stand where it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing.
    #[error("{what} is empty")]
    Empty {
        /// What it should be.
        what: &'static str,
    },
    /// More than the server keeps.
    #[error("{what} has {found} characters; SQL Server takes at most {limit}")]
    TooLong {
        /// What it should be.
        what: &'static str,
        /// Its length in UTF-16 units, which is how the server counts.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// A character that the server does not take there.
    #[error("{what} holds the character {character:?}, which SQL Server does not take there")]
    Character {
        /// What it should be.
        what: &'static str,
        /// The character.
        character: char,
    },
}

fn check(what: &'static str, text: &str, limit: usize) -> Result<(), NameError> {
    let found = text.encode_utf16().count();
    if found > limit {
        return Err(NameError::TooLong { what, found, limit });
    }
    match text.chars().find(|&c| c == '\0' || c == '\u{ffff}') {
        Some(character) => Err(NameError::Character { what, character }),
        None => Ok(()),
    }
}

fn check_not_empty(what: &'static str, text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    check(what, text, limit)
}

/// The name of a database or of a logical file (`sysname`): 1 to 128 UTF-16 units, any character
/// but U+0000 and U+FFFF.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// The most UTF-16 units of a name.
    pub const LIMIT: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that no name can have.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        check_not_empty("the name", &name, Self::LIMIT)?;
        Ok(Self(name))
    }

    /// The name without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As an identifier: `[a]]b]`.
    pub(super) fn bracketed(&self) -> impl fmt::Display {
        Quoted(&self.0, "[", ']')
    }

    /// As a string: `N'it''s'`.
    pub(super) fn string(&self) -> impl fmt::Display {
        string(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person may write on a backup: its name (at most 128 UTF-16 units) or its description
/// (at most 255).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// A `NAME`.
    ///
    /// # Errors
    /// When it is longer than 128 UTF-16 units or holds U+0000 or U+FFFF.
    pub fn name(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check("the name of the backup", &text, 128)?;
        Ok(Self(text))
    }

    /// A `DESCRIPTION`.
    ///
    /// # Errors
    /// When it is longer than 255 UTF-16 units or holds U+0000 or U+FFFF.
    pub fn description(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check("the description of the backup", &text, 255)?;
        Ok(Self(text))
    }

    pub(super) fn string(&self) -> impl fmt::Display {
        string(&self.0)
    }
}

/// A path on the server's machine: 1 to 259 UTF-16 units.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerPath(String);

impl ServerPath {
    /// The most UTF-16 units of a path (`nvarchar(260)` with its end).
    pub const LIMIT: usize = 259;

    /// Checks a path.
    ///
    /// # Errors
    /// When it is empty, too long, or holds U+0000 or U+FFFF.
    pub fn new(path: impl Into<String>) -> Result<Self, NameError> {
        let path = path.into();
        check_not_empty("the path", &path, Self::LIMIT)?;
        Ok(Self(path))
    }

    /// The path without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn string(&self) -> impl fmt::Display {
        string(&self.0)
    }
}

/// A Unicode string constant.
pub(super) fn string(text: &str) -> impl fmt::Display {
    Quoted(text, "N'", '\'')
}

/// A text between quotes, the closing one doubled wherever it stands in the text.
struct Quoted<'t>(&'t str, &'static str, char);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)?;
        for character in self.0.chars() {
            f.write_char(character)?;
            if character == self.2 {
                f.write_char(character)?;
            }
        }
        f.write_char(self.2)
    }
}
