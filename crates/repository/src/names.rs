//! Names from outside, and what they are called on disk.
//!
//! Jobs and databases are named by people and servers. On disk a name is one component of a
//! path, on any file system, and two names never meet, also where case is not told apart:
//!
//! * A plain name stays as it is: `SRV01 MSSQL backup (Backup Vol 01)`.
//! * Any other name becomes a readable part, `~`, and 16 hexadecimal digits of a hash of the
//!   exact name. A plain name has no `~`, so the two kinds cannot meet.
//! * Two plain names that differ in case only would meet; [`DiskName::for_name`] is told what is
//!   taken and gives the second one the hashed form.
//!
//! The exact name is recorded in the metadata; a disk name is never read back as a name.

use std::fmt;

use uuid::Uuid;

/// One component of a path inside a repository: a folder or a file, never more.
///
/// It has no separator, is not `.` or `..`, has no control character, and is at most
/// [`DiskName::MAX_LENGTH`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskName(String);

/// Readable bytes of a hashed name; with `~` and the hash it stays far below every limit.
const READABLE: usize = 60;
/// Bytes up to which a name can be plain.
const PLAIN: usize = 96;

/// Hashes of names are taken in a space of their own.
const NAME_SPACE: Uuid = Uuid::from_u128(0x7661_6272_6570_6f73_8174_6f72_796e_616d);

impl DiskName {
    /// The longest component in bytes that the common file systems take.
    pub const MAX_LENGTH: usize = 255;

    /// The name on disk for `name`; `taken` says whether a candidate is in use for *another*
    /// name. The candidate must be compared with [`DiskName::meets`], not byte by byte.
    pub fn for_name(name: &str, mut taken: impl FnMut(&DiskName) -> bool) -> Self {
        if is_plain(name) {
            let plain = Self(name.to_owned());
            if !taken(&plain) {
                return plain;
            }
        }
        let mut attempt = 0_u64;
        loop {
            let hashed = Self::hashed(name, attempt);
            if !taken(&hashed) {
                return hashed;
            }
            attempt = attempt.wrapping_add(1);
        }
    }

    /// A component that is already on disk; `None` when it is not one that could be.
    pub fn from_disk(component: &str) -> Option<Self> {
        let usable = !component.is_empty()
            && component.len() <= Self::MAX_LENGTH
            && component != "."
            && component != ".."
            && !component
                .chars()
                .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
        usable.then(|| Self(component.to_owned()))
    }

    /// The file name of this base and an extension, without a dot in `extension`.
    pub(crate) fn with_extension(&self, extension: &str) -> Self {
        Self(format!("{}.{extension}", self.0))
    }

    /// The name without its last extension.
    pub(crate) fn without_extension(&self) -> Self {
        Self(self.split_extension().0.to_owned())
    }

    /// The base of a file of a database: its name, when the file was created, and the first part
    /// of its identity, so that no two files meet even with two clocks.
    pub(crate) fn file_base(database: &str, created: vab_chain::UtcTime, file: Uuid) -> Self {
        let readable = Self::for_name(database, |_| false);
        let at: String = created
            .to_string()
            .chars()
            .take(19)
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let (id, _) = file.as_u64_pair();
        Self(format!("{readable}_{at}Z_{:08x}", id >> 32))
    }

    /// The base name and the extension, when there is one of at least one character.
    pub fn split_extension(&self) -> (&str, &str) {
        match self.0.rsplit_once('.') {
            Some((base, extension)) if !base.is_empty() => (base, extension),
            _ => (&self.0, ""),
        }
    }

    /// Whether the two are one file on a disk that does not tell case apart.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0) || self.0.to_lowercase() == other.0.to_lowercase()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn hashed(name: &str, attempt: u64) -> Self {
        let readable: String = name
            .chars()
            .map(|c| {
                if is_plain_character(c) && c != '.' {
                    c
                } else {
                    '_'
                }
            })
            .take(READABLE)
            .collect();
        // A reserved word is reserved with any ending; a leading `_` makes it another word.
        let guard = if is_reserved(&readable) || readable.starts_with(' ') {
            "_"
        } else {
            ""
        };
        let mut text = name.as_bytes().to_vec();
        if attempt > 0 {
            text.push(0);
            text.extend(attempt.to_le_bytes());
        }
        let (hash, _) = Uuid::new_v5(&NAME_SPACE, &text).as_u64_pair();
        Self(format!("{guard}{readable}~{hash:016x}"))
    }
}

impl fmt::Display for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DiskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whether `name` can be a component as it is, on every file system.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= PLAIN
        && name.chars().all(is_plain_character)
        && !name.starts_with(['.', ' '])
        && !name.ends_with(['.', ' '])
        && !is_reserved(name)
}

fn is_plain_character(c: char) -> bool {
    matches!(c, ' '..='~')
        && !matches!(
            c,
            '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*' | '~' | '%'
        )
}

/// Whether Windows takes the name for a device, with or without an extension.
fn is_reserved(name: &str) -> bool {
    let word = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end_matches(' ')
        .to_ascii_uppercase();
    match word.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$" => true,
        other => other
            .strip_prefix("COM")
            .or_else(|| other.strip_prefix("LPT"))
            .is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9'])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn disk(name: &str) -> String {
        DiskName::for_name(name, |_| false).to_string()
    }

    #[test]
    fn a_plain_name_stays_as_it_is() {
        for name in [
            "SRV01 MSSQL backup (Backup Vol 01)",
            "Sales",
            "a.b-c_d+e=f@g^h",
            "COMMON",
        ] {
            assert_eq!(disk(name), name);
        }
    }

    #[test]
    fn hostile_names_become_one_harmless_component() {
        let long = "x".repeat(300);
        for name in [
            "",
            ".",
            "..",
            "../..",
            "/etc/passwd",
            "..\\..\\x",
            "C:\\x",
            "CON",
            "nul",
            "Com1.txt",
            "LPT9",
            "aux .b",
            "name.",
            "name ",
            " name",
            ".hidden",
            "a\0b",
            "a\nb",
            "a:b",
            &long,
            "Größe",
            "Gro\u{308}ße",
            "データ",
            "a~b",
            "CONIN$",
            "%2e%2e",
        ] {
            let disk = disk(name);
            assert_ne!(disk, name);
            assert!(is_harmless(&disk), "{name:?} became {disk:?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_do_not_meet() {
        let first = DiskName::for_name("Sales", |_| false);
        let second = DiskName::for_name("SALES", |candidate| candidate.meets(&first));
        assert!(!first.meets(&second));
        assert!(second.as_str().starts_with("SALES~"));
    }

    #[test]
    fn a_folder_found_on_disk_is_one_component() {
        assert!(DiskName::from_disk("Größe (alt)").is_some());
        for component in ["", ".", "..", "a/b", "a\\b", "c:", "a\nb", &"x".repeat(256)] {
            assert_eq!(DiskName::from_disk(component), None, "{component:?}");
        }
    }

    /// Says for itself, without the code above, whether a component is safe everywhere.
    fn is_harmless(component: &str) -> bool {
        let devices = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
        let base = component
            .split('.')
            .next()
            .unwrap_or("")
            .trim_end()
            .to_lowercase();
        let numbered = (base.starts_with("com") || base.starts_with("lpt"))
            && base.len() == 4
            && base.ends_with(|c: char| c.is_ascii_digit());
        !component.is_empty()
            && component.len() <= 128
            && component.is_ascii()
            && !component
                .bytes()
                .any(|b| b < 32 || b == 127 || b"<>:\"/\\|?*".contains(&b))
            && !component.ends_with('.')
            && !component.ends_with(' ')
            && !component.starts_with('.')
            && !devices.contains(&base.as_str())
            && !numbered
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ -~]{0,20}",
            "(con|NUL|com[0-9]|LPT[0-9]|aux)[. ~a]{0,3}",
            "[./\\\\~ aA]{0,8}",
            "[a-zA-Z ]{90,310}",
        ]
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_harmless_component(name in names()) {
            let disk = disk(&name);
            prop_assert!(is_harmless(&disk), "{:?} became {:?}", name, disk);
        }

        #[test]
        fn two_names_never_meet(first in names(), second in names()) {
            prop_assume!(first != second);
            let a = DiskName::for_name(&first, |_| false);
            let b = DiskName::for_name(&second, |candidate| candidate.meets(&a));
            prop_assert_ne!(a.as_str().to_lowercase(), b.as_str().to_lowercase());
        }

        #[test]
        fn only_names_equal_but_for_case_need_to_be_told_what_is_taken(
            first in names(), second in names(),
        ) {
            prop_assume!(!first.eq_ignore_ascii_case(&second));
            prop_assert_ne!(disk(&first).to_lowercase(), disk(&second).to_lowercase());
        }
    }
}
