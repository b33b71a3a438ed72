//! A connection and the questions that every operation asks on it.

use std::time::Duration;

use crate::cancel::Cancel;
use crate::engine::DatabaseInfo;
use crate::error::EngineError;
use crate::mssql::before::{self, Identity};
use crate::mssql::connection::{Connection, ExecuteError, Info, Row};
use crate::mssql::progress;
use crate::mssql::statement::{Name, Statement};
use crate::refusal::Refusal;
use crate::request::ProgressSink;

/// How long a question may take; statements that move data have no limit.
const QUESTION: Duration = Duration::from_secs(60);

pub(super) struct Link(Box<dyn Connection>);

impl Link {
    pub(super) fn new(connection: Box<dyn Connection>) -> Self {
        Self(connection)
    }

    /// The rows of an answer.
    pub(super) fn ask(&mut self, question: &Statement) -> Result<Vec<Row>, EngineError> {
        let cancel = Cancel::new();
        Ok(self
            .0
            .execute(question, Some(QUESTION), &cancel, &mut |_| {})?)
    }

    /// Runs a statement that moves data; `total` are the bytes that it will move, 0 if unknown.
    pub(super) fn run(
        &mut self,
        statement: &Statement,
        cancel: &Cancel,
        sink: &ProgressSink,
        total: u64,
    ) -> Result<Vec<Row>, ExecuteError> {
        tracing::debug!(%statement, "the statement");
        let mut told = |info: &Info| {
            if let Some(percent) = progress::percent(&info.message) {
                tracing::debug!(percent, "progress");
                progress::tell(sink, percent, total);
            } else {
                tracing::info!("SQL Server: {}", info.message);
            }
        };
        self.0.execute(statement, None, cancel, &mut told)
    }

    /// What the server is, once it is known that it lets us use virtual devices.
    pub(super) fn identity(&mut self) -> Result<Identity, EngineError> {
        let rows = self.ask(&before::identity())?;
        let row = rows.first().ok_or_else(|| EngineError::Answer {
            reason: "it says nothing about itself".to_owned(),
        })?;
        let identity = Identity::of_row(row)?;
        if !identity.sysadmin {
            return Err(Refusal::NotAllowed {
                what: "virtual devices are for logins in the server role sysadmin, and this login is not; let an administrator run ALTER SERVER ROLE sysadmin ADD MEMBER for it, or use another login",
                number: 15247,
            }
            .into());
        }
        Ok(identity)
    }

    /// How a database stands; `None` when there is none of this name.
    pub(super) fn database(&mut self, name: &Name) -> Result<Option<DatabaseInfo>, EngineError> {
        let rows = self.ask(&before::databases(Some(name)))?;
        Ok(rows.first().map(before::of_row).transpose()?)
    }
}
