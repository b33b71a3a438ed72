//! How SQL Server makes and reads its streams, in its own words.

use std::num::NonZeroU32;

use clap::Args;
use vab_manager::engine::{FileMove, Placement};
use vab_manager::{Checksums, EngineAddress, Geometry, Manner};

use super::size::Size;
use crate::commands::Failure;

/// What backups and restores have in common.
#[derive(Debug, Args)]
pub(crate) struct TransferArguments {
    /// `BUFFERCOUNT`: buffers of the whole device set; the server decides without this. Memory is
    /// N times the greatest transfer.
    #[arg(long, value_name = "N")]
    pub buffer_count: Option<NonZeroU32>,
    /// `MAXTRANSFERSIZE`: the greatest transfer, 64KiB to 4MiB in steps of 64KiB.
    #[arg(long, value_name = "SIZE", default_value = "1MiB")]
    pub max_transfer_size: Size,
    /// `BLOCKSIZE`: 512B to 64KiB, a power of two. A restore needs the one of the backup.
    #[arg(long, value_name = "SIZE", default_value = "64KiB")]
    pub block_size: Size,
    /// `STATS`: how often the server tells how far it is, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub stats: u8,
    /// `CONTINUE_AFTER_ERROR`: go on when a page is damaged. What is backed up so is damaged too.
    #[arg(long)]
    pub continue_after_error: bool,
}

impl TransferArguments {
    fn manner(&self, checksums: Checksums) -> Result<Manner, Failure> {
        let mut manner = Manner::default();
        manner.geometry = Geometry::new(self.block_size.0, self.max_transfer_size.0)?;
        manner.checksums = checksums;
        manner.continue_after_error = self.continue_after_error;
        Ok(manner)
    }
}

/// `BACKUP`.
#[derive(Debug, Args)]
#[command(next_help_heading = "SQL Server's BACKUP")]
pub(crate) struct BackupSqlArguments {
    #[command(flatten)]
    pub transfer: TransferArguments,
    /// `NO_CHECKSUM`: do not verify page checksums while reading, and put none into the stream.
    #[arg(long)]
    pub no_checksum: bool,
    /// `COMPRESSION`: let the server compress. Its stream is then kept as it is, may not be looked
    /// into, and should not be compressed again (--compression none).
    #[arg(long)]
    pub server_compression: bool,
}

impl BackupSqlArguments {
    pub(crate) fn manner(&self) -> Result<Manner, Failure> {
        self.transfer.manner(if self.no_checksum {
            Checksums::Off
        } else {
            Checksums::Usual
        })
    }

    /// What has to be said again at a restore.
    pub(crate) fn note(&self) -> Option<String> {
        let size = self.transfer.block_size;
        (size.0 != Geometry::default().block_size())
            .then(|| format!("a restore of these backups needs --block-size {size}"))
    }

    pub(crate) fn engine(&self, address: &str) -> Result<EngineAddress, Failure> {
        engine(
            address,
            &self.transfer,
            self.server_compression,
            (false, false),
        )
    }
}

/// `RESTORE`.
#[derive(Debug, Args)]
#[command(next_help_heading = "SQL Server's RESTORE")]
pub(crate) struct RestoreSqlArguments {
    /// `MOVE`: the place on the server of a file, by its logical name (`vab headers --files` shows
    /// those); repeat for more.
    #[arg(long = "move", value_name = "LOGICAL=PATH", value_parser = file_move)]
    pub moves: Vec<FileMove>,
    /// The folder on the server for data files that are not moved by name. Without it a file goes
    /// where the database has it already, else into the server's default folder.
    #[arg(long, value_name = "DIR")]
    pub data_folder: Option<String>,
    /// The same for log files.
    #[arg(long, value_name = "DIR")]
    pub log_folder: Option<String>,
    /// `KEEP_CDC`: keep change data capture; with the step that brings the database online.
    #[arg(long, conflicts_with = "no_recovery")]
    pub keep_cdc: bool,
    /// `KEEP_REPLICATION`: keep the settings of replication; with the step that brings the database
    /// online.
    #[arg(long, conflicts_with = "no_recovery")]
    pub keep_replication: bool,
    /// `CHECKSUM`: refuse what was backed up without page checksums.
    #[arg(long)]
    pub checksum: bool,
    #[command(flatten)]
    pub transfer: TransferArguments,
}

impl RestoreSqlArguments {
    pub(crate) fn placement(&self) -> Placement {
        let mut placement = Placement::default();
        placement.moves.clone_from(&self.moves);
        placement.data_folder.clone_from(&self.data_folder);
        placement.log_folder.clone_from(&self.log_folder);
        placement
    }

    pub(crate) fn manner(&self) -> Result<Manner, Failure> {
        self.transfer.manner(demanded(self.checksum))
    }

    pub(crate) fn engine(&self, address: &str) -> Result<EngineAddress, Failure> {
        engine(
            address,
            &self.transfer,
            false,
            (self.keep_cdc, self.keep_replication),
        )
    }
}

pub(crate) const fn demanded(checksum: bool) -> Checksums {
    if checksum {
        Checksums::Demanded
    } else {
        Checksums::Usual
    }
}

#[cfg(feature = "mssql")]
fn engine(
    address: &str,
    transfer: &TransferArguments,
    compression: bool,
    (keep_cdc, keep_replication): (bool, bool),
) -> Result<EngineAddress, Failure> {
    let mut options = vab_manager::engine::mssql::Options::default();
    options.buffers = transfer.buffer_count;
    options.stats = Some(transfer.stats).filter(|percent| *percent != 5);
    options.compression = compression;
    options.keep_cdc = keep_cdc;
    options.keep_replication = keep_replication;
    Ok(address.parse::<EngineAddress>()?.with_options(options)?)
}

#[cfg(not(feature = "mssql"))]
fn engine(
    address: &str,
    transfer: &TransferArguments,
    compression: bool,
    (keep_cdc, keep_replication): (bool, bool),
) -> Result<EngineAddress, Failure> {
    let asked = compression || keep_cdc || keep_replication || transfer.stats != 5;
    if asked || transfer.buffer_count.is_some() {
        return Err("this program was built without SQL Server, whose options these are".into());
    }
    Ok(address.parse()?)
}

fn file_move(text: &str) -> Result<FileMove, String> {
    match text.split_once('=') {
        Some((logical, to)) if !logical.is_empty() && !to.is_empty() => Ok(FileMove {
            logical: logical.to_owned(),
            to: to.to_owned(),
        }),
        _ => Err("expected LOGICAL=PATH, such as Sales=/data/Sales.mdf".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_a_name_and_a_path() {
        let moved = file_move(r"Sales log=L:\log\a=b.ldf").unwrap();
        assert_eq!(
            (moved.logical.as_str(), moved.to.as_str()),
            ("Sales log", r"L:\log\a=b.ldf")
        );
        for text in ["", "Sales", "=x", "Sales="] {
            assert!(file_move(text).is_err(), "{text}");
        }
    }
}
