//! Reads `BACKUP` and `RESTORE` by the grammar of the documentation.

use vab_chain::{BackupKind, Lsn, ServerTime};
use vab_engine::{
    BackupRequest, Look, RecoverRequest, Recovery, RestoreRequest, StopAt, StopEdge, Tail,
};
use vab_vdi::{DeviceName, Geometry};

use crate::lexer::{Token, tokens};

/// What is to be played.
pub(crate) enum Statement {
    Backup(BackupRequest),
    Restore(RestoreRequest),
    Recover(RecoverRequest),
    Look(Look, Vec<DeviceName>),
}

/// A statement, or what it stumbles over.
pub(crate) fn parse(text: &str) -> Result<Statement, String> {
    let tokens = tokens(text).ok_or("a quote")?;
    let mut reader = Reader {
        tokens: tokens.into_iter().peekable(),
    };
    let statement = match reader.word()?.as_str() {
        "BACKUP" => backup(&mut reader)?,
        "RESTORE" => restore(&mut reader)?,
        other => return Err(other.to_owned()),
    };
    match reader.tokens.next() {
        None => Ok(statement),
        Some(rest) => Err(format!("{rest:?}")),
    }
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Reader {
    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("{other:?}")),
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let found = self.word()?;
        if found == word { Ok(()) } else { Err(found) }
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    fn is(&mut self, token: &Token) -> bool {
        self.tokens.next_if(|next| next == token).is_some()
    }

    fn identifier(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Identifier(name)) => Ok(name),
            other => Err(format!("{other:?}")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text),
            other => Err(format!("{other:?}")),
        }
    }

    fn number(&mut self) -> Result<u32, String> {
        self.sign('=')?;
        match self.tokens.next() {
            Some(Token::Number(number)) => number.parse().map_err(|_| number),
            other => Err(format!("{other:?}")),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        self.sign('=')?;
        self.text()
    }

    fn time(&mut self) -> Result<ServerTime, String> {
        let text = self.text()?;
        text.parse().map_err(|_| text)
    }

    fn devices(&mut self) -> Result<Vec<DeviceName>, String> {
        let mut devices = Vec::new();
        loop {
            self.expect("VIRTUAL_DEVICE")?;
            let name = self.value()?;
            devices.push(DeviceName::new(name.as_str()).map_err(|_| name)?);
            if !self.is(&Token::Sign(',')) {
                return Ok(devices);
            }
        }
    }

    /// The options behind `WITH`, one after another.
    fn options(
        &mut self,
        mut option: impl FnMut(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        if !self.is(&Token::Word("WITH".to_owned())) {
            return Ok(());
        }
        let mut seen = Vec::new();
        loop {
            let word = self.word()?;
            if word != "MOVE" && seen.contains(&word) {
                return Err(word);
            }
            option(self, &word)?;
            seen.push(word);
            if !self.is(&Token::Sign(',')) {
                return Ok(());
            }
        }
    }
}

#[derive(Default)]
struct Sizes {
    block: Option<u32>,
    transfer: Option<u32>,
}

impl Sizes {
    fn geometry(&self) -> Result<Geometry, String> {
        let (block, transfer) = (self.block.unwrap_or(512), self.transfer.unwrap_or(65_536));
        Geometry::new(block, transfer).map_err(|error| error.to_string())
    }
}

fn backup(reader: &mut Reader) -> Result<Statement, String> {
    let log = match reader.word()?.as_str() {
        "LOG" => true,
        "DATABASE" => false,
        other => return Err(other.to_owned()),
    };
    let database = reader.identifier()?;
    reader.expect("TO")?;
    let kind = if log {
        BackupKind::Log
    } else {
        BackupKind::Full
    };
    let mut request = BackupRequest::new(database, kind, reader.devices()?);
    request.checksum = false;
    let mut sizes = Sizes::default();
    reader.options(|reader, word| {
        match word {
            "DIFFERENTIAL" if !log => request.kind = BackupKind::Differential,
            "COPY_ONLY" => request.copy_only = true,
            "NORECOVERY" if log => request.tail = Tail::NoRecovery,
            "STANDBY" if log => {
                reader.value()?;
                request.tail = Tail::Standby;
            }
            "NO_TRUNCATE" if log => request.no_truncate = true,
            "CHECKSUM" => request.checksum = true,
            "CONTINUE_AFTER_ERROR" => request.continue_after_error = true,
            "NO_CHECKSUM" | "NO_COMPRESSION" | "COMPRESSION" => {}
            "BLOCKSIZE" => sizes.block = Some(reader.number()?),
            "MAXTRANSFERSIZE" => sizes.transfer = Some(reader.number()?),
            "BUFFERCOUNT" | "STATS" => drop(reader.number()?),
            "NAME" | "DESCRIPTION" => drop(reader.value()?),
            other => return Err(other.to_owned()),
        }
        Ok(())
    })?;
    request.geometry = sizes.geometry()?;
    Ok(Statement::Backup(request))
}

fn restore(reader: &mut Reader) -> Result<Statement, String> {
    let kind = match reader.word()?.as_str() {
        "LOG" => BackupKind::Log,
        "DATABASE" => BackupKind::Full,
        "FILELISTONLY" => return look(reader, Look::Files),
        "HEADERONLY" => return look(reader, Look::Header),
        "LABELONLY" => return look(reader, Look::Label),
        "VERIFYONLY" => return look(reader, Look::Verify),
        other => return Err(other.to_owned()),
    };
    let database = reader.identifier()?;
    if !reader.is(&Token::Word("FROM".to_owned())) {
        let mut request = RecoverRequest::new(database);
        reader.options(|reader, word| {
            match word {
                "RECOVERY" => request.recovery = Recovery::Recovery,
                "STANDBY" => {
                    reader.value()?;
                    request.recovery = Recovery::Standby;
                }
                other => return Err(other.to_owned()),
            }
            Ok(())
        })?;
        return Ok(Statement::Recover(request));
    }
    let mut request = RestoreRequest::new(database, kind, reader.devices()?);
    request.recovery = Recovery::Recovery;
    let mut sizes = Sizes::default();
    reader.options(|reader, word| {
        match word {
            "NORECOVERY" => request.recovery = Recovery::NoRecovery,
            "RECOVERY" => request.recovery = Recovery::Recovery,
            "STANDBY" => {
                reader.value()?;
                request.recovery = Recovery::Standby;
            }
            "REPLACE" => request.replace = true,
            "MOVE" => {
                let logical = reader.text()?;
                reader.expect("TO")?;
                let to = reader.text()?;
                request.files.push(vab_engine::FileMove { logical, to });
            }
            "STOPAT" => {
                reader.sign('=')?;
                request.stop_at = Some(StopAt::Time(reader.time()?));
            }
            "STOPATMARK" => request.stop_at = Some(mark(reader, StopEdge::At)?),
            "STOPBEFOREMARK" => request.stop_at = Some(mark(reader, StopEdge::Before)?),
            "CHECKSUM" | "CONTINUE_AFTER_ERROR" | "KEEP_CDC" | "KEEP_REPLICATION" => {}
            "BLOCKSIZE" => sizes.block = Some(reader.number()?),
            "MAXTRANSFERSIZE" => sizes.transfer = Some(reader.number()?),
            "BUFFERCOUNT" | "STATS" => drop(reader.number()?),
            other => return Err(other.to_owned()),
        }
        Ok(())
    })?;
    request.geometry = sizes.geometry()?;
    Ok(Statement::Restore(request))
}

fn look(reader: &mut Reader, look: Look) -> Result<Statement, String> {
    reader.expect("FROM")?;
    let devices = reader.devices()?;
    reader.options(|reader, word| {
        match word {
            "CHECKSUM" if look != Look::Label => {}
            "STATS" if look == Look::Verify => drop(reader.number()?),
            other => return Err(other.to_owned()),
        }
        Ok(())
    })?;
    Ok(Statement::Look(look, devices))
}

fn mark(reader: &mut Reader, edge: StopEdge) -> Result<StopAt, String> {
    let name = reader.value()?;
    if let Some(lsn) = name.strip_prefix("lsn:") {
        let lsn: Lsn = lsn.parse().map_err(|_| name.clone())?;
        return Ok(StopAt::Lsn { lsn, edge });
    }
    let after = if reader.is(&Token::Word("AFTER".to_owned())) {
        Some(reader.time()?)
    } else {
        None
    };
    Ok(StopAt::Mark { name, after, edge })
}
