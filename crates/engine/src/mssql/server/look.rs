//! A look at a backup: its header, its files, its label, or all of it.

use super::Server;
use crate::error::EngineError;
use crate::look::{LookRequest, Looked};
use crate::mssql::statement::Read;

pub(super) fn look(server: &Server, request: &LookRequest) -> Result<Looked, EngineError> {
    let mut link = server.link()?;
    // Virtual devices are for some logins only.
    link.identity()?;
    let mut read = Read::new(request.look, request.devices.clone());
    read.checksum = request.checksum;
    read.stats = Some(server.stats());
    let rows = link.run(&read.statement()?, &request.cancel, &request.progress, 0)?;
    let columns = rows.first().map(|row| row.columns().to_vec());
    let rows = rows.iter().map(|row| {
        let values = row.values().iter();
        values.map(crate::mssql::connection::Value::text).collect()
    });
    Ok(Looked::new(columns.unwrap_or_default(), rows.collect()))
}
