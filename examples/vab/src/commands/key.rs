//! `vab key`

use std::process::ExitCode;

use vab_manager::Secret;
use vab_manager::keys::{KeySlots, new_key_file, read_key_file, read_passphrase_file};

use super::Failure;
use crate::args::encoding::{SecretArguments, label};
use crate::args::key::{AddArguments, KeyArguments, KeyCommand};
use crate::print::out::outln;

pub(crate) fn run(arguments: KeyArguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        KeyCommand::New { file } => {
            new_key_file(&file)?;
            outln!(
                "{} is a new key; keep a copy of it where the backups are not",
                file.display()
            );
        }
        KeyCommand::List { file, json } => {
            let slots = KeySlots::open(&file)?.slots();
            if json {
                outln!("{}", serde_json::to_string_pretty(&slots)?);
            } else {
                for slot in slots {
                    let note = if slot.sound {
                        ""
                    } else {
                        "  ! one copy of the slot is damaged; the next `vab key add` or `remove` repairs it"
                    };
                    outln!(
                        "slot {}  {:<10}  {}{note}",
                        slot.slot,
                        slot.kind,
                        slot.label.escape_debug()
                    );
                }
            }
        }
        KeyCommand::Add(arguments) => add(&arguments)?,
        KeyCommand::Remove {
            file,
            slot,
            secrets,
        } => {
            KeySlots::open(&file)?.remove(&opening(&secrets)?, slot)?;
            outln!("slot {slot} is free");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(arguments: &AddArguments) -> Result<(), Failure> {
    let (secret, name) = match (&arguments.new_key_file, &arguments.new_passphrase_file) {
        (Some(path), _) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (read_key_file(path)?, name.into_owned())
        }
        (None, Some(path)) => (read_passphrase_file(path)?, "passphrase".to_owned()),
        (None, None) => {
            return Err("say what shall open it: --new-key-file or --new-passphrase-file".into());
        }
    };
    let name = label(arguments.label.as_deref().unwrap_or(&name));
    let mut slots = KeySlots::open(&arguments.file)?;
    let slot = slots.add(&opening(&arguments.secrets)?, &secret, &name)?;
    outln!("slot {slot} opens it too");
    Ok(())
}

fn opening(secrets: &SecretArguments) -> Result<Vec<Secret>, Failure> {
    let secrets = secrets.labelled()?;
    Ok(secrets.into_iter().map(|(secret, _)| secret).collect())
}
