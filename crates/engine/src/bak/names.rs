//! Names for files that are written.

use std::collections::HashSet;

use vab_chain::{BackupKind, BackupSet};

/// The most UTF-8 bytes of a name; file systems take 255, a temporary name adds a few.
const MAX_NAME: usize = 200;

/// Names that are devices on Windows, with any extension.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED: [&str; 2] = ["com", "lpt"];

/// One name for each of `stripes` files: the original one where there is one, made safe, else one
/// from the facts. No two are equal, even where case does not count.
///
/// ```
/// use vab_engine::bak::file_names;
///
/// let names = file_names(None, &["..\\Sales:1.bak".into(), "SALES_1.bak".into()], 2);
/// assert_eq!(names, ["Sales_1.bak", "SALES_1 (2).bak"]);
/// ```
pub fn file_names(facts: Option<&BackupSet>, originals: &[String], stripes: usize) -> Vec<String> {
    let mut taken = HashSet::new();
    let names = (0..stripes).map(|index| {
        let original = originals.get(index).and_then(|name| safe(name));
        let name = original.unwrap_or_else(|| default_name(facts, index, stripes));
        free(&name, |name| taken.insert(name.to_lowercase()))
    });
    names.collect()
}

/// The first of `name`, `name (2)`, `name (3)`, … that is taken.
pub(super) fn free(name: &str, mut take: impl FnMut(&str) -> bool) -> String {
    let mut number = 1_u64;
    let mut wanted = name.to_owned();
    while !take(&wanted) {
        number += 1;
        wanted = numbered(name, number);
    }
    wanted
}

/// `name (2).bak` of `name.bak`.
pub(super) fn numbered(name: &str, number: u64) -> String {
    match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
        Some((stem, extension)) => format!("{stem} ({number}).{extension}"),
        None => format!("{name} ({number})"),
    }
}

/// The last part of a path as a name that every usual file system takes; `None` when nothing is
/// left of it.
fn safe(original: &str) -> Option<String> {
    let last = original.rsplit(['/', '\\']).next().unwrap_or_default();
    let allowed = |c: char| {
        if c.is_control() || "<>:\"|?*".contains(c) {
            '_'
        } else {
            c
        }
    };
    let name: String = last.chars().map(allowed).collect();
    let name = shortened(name.trim_start().trim_end_matches([' ', '.']));
    if name.is_empty() {
        return None;
    }
    let stem = name.split('.').next().unwrap_or_default();
    Some(if is_reserved(stem.trim_end()) {
        format!("_{name}")
    } else {
        name
    })
}

fn is_reserved(stem: &str) -> bool {
    let stem = stem.to_lowercase();
    let digit = |rest: &str| matches!(rest.chars().collect::<Vec<_>>().as_slice(), [d] if d.is_ascii_digit() || "¹²³".contains(*d));
    RESERVED.contains(&stem.as_str())
        || NUMBERED
            .iter()
            .any(|device| stem.strip_prefix(device).is_some_and(digit))
}

/// Cuts the middle out of a name that is too long; its extension stays.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let mut kept = String::new();
    for c in stem.chars() {
        if kept.len() + c.len_utf8() + extension.len() > MAX_NAME {
            break;
        }
        kept.push(c);
    }
    kept + &extension
}

fn default_name(facts: Option<&BackupSet>, index: usize, stripes: usize) -> String {
    let stripe = match stripes {
        0 | 1 => String::new(),
        _ => format!("_{}of{stripes}", index + 1),
    };
    let Some(set) = facts else {
        return format!("backup{stripe}.bak");
    };
    let extension = match set.kind {
        BackupKind::Log => "trn",
        BackupKind::Full | BackupKind::Differential => "bak",
    };
    let digits = |c: char| c.is_ascii_digit() || c == 'T';
    let time: String = set
        .started
        .to_string()
        .chars()
        .filter(|c| digits(*c))
        .take(15)
        .collect();
    let name = format!("{}_{}_{time}{stripe}.{extension}", set.database, set.kind);
    safe(&name).unwrap_or_else(|| format!("backup{stripe}.{extension}"))
}

#[cfg(test)]
mod tests {
    use vab_chain::{BackupSetId, Lsn, ServerTime};

    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        for (original, expected) in [
            ("../../etc/passwd", Some("passwd")),
            (r"C:\a\b.bak", Some("b.bak")),
            ("..", None),
            ("a/..", None),
            (". .", None),
            ("", None),
            ("a\0b\n.bak", Some("a_b_.bak")),
            ("end. . ", Some("end")),
        ] {
            assert_eq!(safe(original).as_deref(), expected, "{original:?}");
        }
    }

    #[test]
    fn devices_of_windows_are_no_names() {
        for (original, expected) in [
            ("NUL", "_NUL"),
            ("con.bak", "_con.bak"),
            ("LPT1.trn", "_LPT1.trn"),
            ("COM¹", "_COM¹"),
            ("com10.bak", "com10.bak"),
            ("console.bak", "console.bak"),
        ] {
            assert_eq!(safe(original).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = safe(&format!("{}.bak", "ü".repeat(300))).unwrap();
        assert!(name.len() <= MAX_NAME && name.ends_with("ü.bak"), "{name}");
    }

    #[test]
    fn names_differ_in_more_than_case() {
        let originals = ["a.bak", "A.bak", "a (2).bak"].map(str::to_owned);
        assert_eq!(
            file_names(None, &originals, 3),
            ["a.bak", "A (2).bak", "a (2) (2).bak"]
        );
    }

    #[test]
    fn without_an_original_the_facts_give_a_name() {
        let time: ServerTime = "2017-05-18T04:17:37".parse().unwrap();
        let set = BackupSet::new(
            BackupSetId(uuid::Uuid::nil()),
            "Sales/EU",
            BackupKind::Log,
            Lsn::ZERO..Lsn::MAX,
            time,
            time,
        );
        assert_eq!(
            file_names(Some(&set), &[], 2),
            [
                "EU_log_20170518T041737_1of2.trn",
                "EU_log_20170518T041737_2of2.trn"
            ]
        );
    }
}
