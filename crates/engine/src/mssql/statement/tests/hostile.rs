//! No name, however hostile, changes what the words around it mean.

use proptest::prelude::*;
use vab_chain::BackupKind;
use vab_vdi::DeviceName;

use super::super::{After, Backup, FileMove, Name, Query, Restore, ServerPath, Stop, Text};
use super::lexer::{Token, tokens};
use crate::request::StopEdge;

/// Text full of what could end a quote, begin a comment or end a statement.
fn hostile(limit: usize) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("]".to_owned()),
        Just("]]".to_owned()),
        Just("'".to_owned()),
        Just("''".to_owned()),
        Just("\u{2bc}".to_owned()),
        Just("\u{ff07}".to_owned()),
        Just("\"".to_owned()),
        Just("[".to_owned()),
        Just("--".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just(";".to_owned()),
        Just("\r\nGO\r\n".to_owned()),
        Just("] WITH REPLACE --".to_owned()),
        Just("'; DROP DATABASE x".to_owned()),
        Just("N'".to_owned()),
        Just("\u{202e}".to_owned()),
        "[a-z ]{0,5}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(part, 1..10)
        .prop_map(|parts| parts.concat())
        .prop_map(move |text| {
            let mut units = 0;
            text.chars()
                .take_while(|c| {
                    units += c.len_utf16();
                    units <= limit
                })
                .filter(|c| *c != '\0' && *c != '\u{ffff}')
                .collect::<String>()
        })
        .prop_filter("there is something", |text| !text.is_empty())
}

/// The tokens of a statement with what is quoted taken out, and what was quoted.
fn apart(text: &str) -> (Vec<Token>, Vec<String>) {
    let mut quoted = Vec::new();
    let mut shape = tokens(text).unwrap_or_else(|| panic!("not T-SQL: {text}"));
    for token in &mut shape {
        if let Token::Identifier(inside) | Token::Text(inside) = token {
            quoted.push(std::mem::take(inside));
        }
    }
    (shape, quoted)
}

fn backup(database: &str, device: &str, name: &str, description: &str) -> String {
    let device = DeviceName::new(device).unwrap();
    let mut backup = Backup::new(Name::new(database).unwrap(), BackupKind::Log, vec![device]);
    backup.name = Some(Text::name(name).unwrap());
    backup.description = Some(Text::description(description).unwrap());
    backup.statement().unwrap().to_string()
}

fn restore(database: &str, device: &str, mark: &str, file: &str, path: &str) -> String {
    let device = DeviceName::new(device).unwrap();
    let mut restore = Restore::new(Name::new(database).unwrap(), BackupKind::Log, vec![device]);
    restore.after = After::Standby(ServerPath::new(path).unwrap());
    restore.stop = Some(Stop::Mark {
        name: Name::new(mark).unwrap(),
        after: None,
        edge: StopEdge::Before,
    });
    restore.moves = vec![FileMove {
        logical: Name::new(file).unwrap(),
        to: ServerPath::new(path).unwrap(),
    }];
    restore.statement().unwrap().to_string()
}

fn device() -> impl Strategy<Value = String> {
    hostile(127).prop_map(|text| {
        let legal: String = text
            .chars()
            .filter(|c| *c != '\\' && !c.is_control())
            .collect();
        if legal.is_empty() {
            "x".to_owned()
        } else {
            legal
        }
    })
}

proptest! {
    #[test]
    fn a_backup_keeps_its_shape(
        database in hostile(128), device in device(), name in hostile(128), text in hostile(255)
    ) {
        let (plain, _) = apart(&backup("a", "b", "c", "d"));
        let (shape, quoted) = apart(&backup(&database, &device, &name, &text));
        prop_assert_eq!(shape, plain);
        prop_assert_eq!(quoted, [database, device, name, text]);
    }

    #[test]
    fn a_restore_keeps_its_shape(
        database in hostile(128), device in device(), mark in hostile(128), file in hostile(128),
        path in hostile(259)
    ) {
        prop_assume!(!mark.to_lowercase().starts_with("lsn:"));
        let (plain, _) = apart(&restore("a", "b", "c", "d", "e"));
        let (shape, quoted) = apart(&restore(&database, &device, &mark, &file, &path));
        prop_assert_eq!(shape, plain);
        prop_assert_eq!(quoted, [database, device, path.clone(), file, path, mark]);
    }

    #[test]
    fn a_question_keeps_its_shape(value in hostile(4000)) {
        let ask = |value: &str| {
            Query::new("SELECT 1 WHERE a = ").text(value).words(" AND b = 2").statement().to_string()
        };
        let (plain, _) = apart(&ask("a"));
        let (shape, quoted) = apart(&ask(&value));
        prop_assert_eq!(shape, plain);
        prop_assert_eq!(quoted, [value]);
    }
}

#[test]
fn names_that_the_server_cannot_have_are_refused() {
    for text in ["", "a\0b", "\u{ffff}", &"x".repeat(129), &"𝄞".repeat(65)] {
        assert!(Name::new(text).is_err(), "{text:?}");
    }
    assert!(Name::new("𝄞".repeat(64)).is_ok());
    assert!(Text::name("").is_ok() && Text::name("x".repeat(129)).is_err());
    assert!(Text::description("x".repeat(256)).is_err());
    assert!(ServerPath::new("x".repeat(260)).is_err());
}
