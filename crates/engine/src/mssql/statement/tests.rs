//! Every legal combination against what is expected of it, word by word, and every illegal one.

mod backups;
mod hostile;
mod lexer;
mod restores;

use vab_vdi::DeviceName;

use super::Name;

fn devices(count: usize) -> Vec<DeviceName> {
    let set = DeviceName::new("s").unwrap();
    (0..count).map(|n| set.numbered(n).unwrap()).collect()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[test]
fn looks_have_their_statements() {
    use super::{Look, Read};
    let text = |look, checksum| {
        let mut read = Read::new(look, devices(2));
        read.checksum = checksum;
        read.statement().unwrap().to_string()
    };
    let from = "FROM VIRTUAL_DEVICE = N's', VIRTUAL_DEVICE = N's1'";
    for (look, word) in [(Look::Header, "HEADERONLY"), (Look::Files, "FILELISTONLY")] {
        assert_eq!(text(look, false), format!("RESTORE {word} {from}"));
        assert_eq!(
            text(look, true),
            format!("RESTORE {word} {from} WITH CHECKSUM")
        );
    }
    for checksum in [false, true] {
        assert_eq!(
            text(Look::Label, checksum),
            format!("RESTORE LABELONLY {from}")
        );
    }
    let verify = format!("RESTORE VERIFYONLY {from} WITH");
    assert_eq!(text(Look::Verify, false), format!("{verify} STATS = 5"));
    assert_eq!(
        text(Look::Verify, true),
        format!("{verify} CHECKSUM, STATS = 5")
    );
}

#[test]
fn a_look_that_cannot_be_is_refused() {
    use super::{Illegal, Look, Read};
    for look in [Look::Header, Look::Files, Look::Label, Look::Verify] {
        for (count, found) in [(0, 0), (65, 65)] {
            let error = Read::new(look, devices(count)).statement().unwrap_err();
            assert_eq!(error, Illegal::Devices { found });
        }
    }
    let mut verify = Read::new(Look::Verify, devices(1));
    for found in [0, 101] {
        verify.stats = Some(found);
        assert_eq!(verify.statement().unwrap_err(), Illegal::Stats { found });
    }
    verify.stats = None;
    let text = verify.statement().unwrap().to_string();
    assert_eq!(text, "RESTORE VERIFYONLY FROM VIRTUAL_DEVICE = N's'");
}

#[test]
fn a_sequence_ends_without_devices() {
    use super::{After, Recover, ServerPath};
    let text = |after| {
        let database = name("a]b");
        Recover { database, after }.statement().unwrap().to_string()
    };
    assert_eq!(
        text(After::Recovery),
        "RESTORE DATABASE [a]]b] WITH RECOVERY"
    );
    let undo = ServerPath::new(r"D:\it's.tuf").unwrap();
    assert_eq!(
        text(After::Standby(undo)),
        r"RESTORE DATABASE [a]]b] WITH STANDBY = N'D:\it''s.tuf'"
    );
}
