//! The server of a cluster.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::{Cluster, Recover};
use crate::error::PostgresError;
use crate::programs::{ProgramError, Running, run};
use crate::wal::{History, Position};

/// How long one look waits for the next.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSES_PER_SECOND: u32 = 50;

/// How long something the server does in the background is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) seconds: u32,
}

impl Wait {
    /// Looks until `done` says so; `None` when it never did.
    pub(crate) fn until<T, E>(
        self,
        mut done: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        for _ in 0..self.seconds.saturating_mul(PAUSES_PER_SECOND) {
            if let Some(result) = done()? {
                return Ok(Some(result));
            }
            sleep(PAUSE);
        }
        Ok(None)
    }
}

/// How a recovery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The cluster is online, on a new timeline.
    Online,
    /// The log ended before the place to stop. More log can follow.
    TooEarly,
}

/// What the server says when its log ended before the place to stop.
const TOO_EARLY: &str = "recovery ended before configured recovery target was reached";

impl Cluster {
    /// Starts the server.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self) -> Result<(), PostgresError> {
        let mut command = self.programs().command("pg_ctl");
        command.arg("-D").arg(self.data());
        command.arg("-l").arg(self.log());
        command.args(["-s", "-w", "-t", "600", "start"]);
        run(&mut command)?;
        Ok(())
    }

    /// Ends the server, if it runs; sessions are cut off.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self) -> Result<(), PostgresError> {
        if self.is_running() {
            let mut command = self.programs().command("pg_ctl");
            command.arg("-D").arg(self.data());
            command.args(["-s", "-w", "-t", "600", "-m", "fast", "stop"]);
            run(&mut command)?;
        }
        Ok(())
    }

    /// Whether the server runs.
    pub fn is_running(&self) -> bool {
        let mut command = self.programs().command("pg_ctl");
        command.arg("-D").arg(self.data()).arg("status");
        run(&mut command).is_ok()
    }

    /// Runs SQL as the superuser of the cluster; gives the rows, with `|` between columns.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub fn query(&self, sql: &str) -> Result<String, PostgresError> {
        let mut command = self.programs().command("psql");
        command.arg("-h").arg(self.run());
        command.args(["-p", "5432", "-U", "postgres", "-w", "-d", "postgres"]);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        Ok(run(&mut command)?.trim_end().to_owned())
    }

    /// A program that talks to the server as its superuser, started.
    pub(crate) fn client(
        &self,
        program: &str,
        arguments: &[&str],
    ) -> Result<Running, ProgramError> {
        let mut command = self.programs().command(program);
        command.arg("-h").arg(self.run());
        command.args(["-p", "5432", "-U", "postgres", "-w"]);
        command.args(arguments).stdout(std::process::Stdio::piped());
        Running::start(&mut command)
    }

    /// The system identifier.
    pub(crate) fn system(&self) -> Result<u64, PostgresError> {
        self.number("select system_identifier from pg_control_system()")
    }

    /// Microseconds since 1970 on the server's clock, in UTC.
    pub(crate) fn now(&self) -> Result<i64, PostgresError> {
        self.number("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, sql: &str) -> Result<T, PostgresError> {
        let answer = self.query(sql)?;
        answer.parse().map_err(|_| PostgresError::Answer {
            expected: "a number",
            answer,
        })
    }

    /// Where the log is written now.
    pub(crate) fn position(&self) -> Result<Position, PostgresError> {
        let answer = self.query("select pg_current_wal_lsn()")?;
        answer.parse().map_err(|_| PostgresError::Answer {
            expected: "a position in the log",
            answer,
        })
    }

    /// The timeline that is written now, with its history.
    pub(crate) fn history(&self) -> Result<History, PostgresError> {
        let answer = self.query("select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")?;
        let Ok(timeline) = u32::from_str_radix(&answer, 16) else {
            let expected = "a timeline";
            return Err(PostgresError::Answer { expected, answer });
        };
        self.history_of(timeline)
    }

    /// The history of a timeline of the cluster.
    pub(crate) fn history_of(&self, timeline: u32) -> Result<History, PostgresError> {
        if timeline == 1 {
            return Ok(History::first());
        }
        let file = History::file_name(timeline);
        let text = self.query(&format!("select pg_read_file('pg_wal/{file}')"))?;
        History::parse(timeline, &text)
    }

    /// Recovers a restored cluster, and brings it online on a new timeline.
    pub(crate) fn recover(&self, recover: &Recover) -> Result<Ended, PostgresError> {
        self.write_settings(Some(recover))?;
        let signal = self.data().join("recovery.signal");
        fs::write(&signal, "").map_err(PostgresError::io("written", &signal))?;
        let given = self.programs().give(&signal);
        given.map_err(PostgresError::io("given to the server's user", &signal))?;
        // Only what this recovery says is looked at.
        let _ = fs::remove_file(self.log());
        let started = self.start();
        // It may take the whole log of a day; the server says itself when it fails.
        let ended = Wait { seconds: u32::MAX }.until(|| {
            let online = self.query("select not pg_is_in_recovery()");
            match online {
                Ok(online) if online == "t" => Ok(Some(Ended::Online)),
                _ if self.is_running() => Ok(None),
                _ => self.why_ended().map(Some),
            }
        })?;
        match (ended, started) {
            (Some(Ended::Online), _) => {
                self.write_settings(None)?;
                Ok(Ended::Online)
            }
            (Some(ended), _) => Ok(ended),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => self.why_ended(),
        }
    }

    fn why_ended(&self) -> Result<Ended, PostgresError> {
        let said = fs::read(self.log()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if said.contains(TOO_EARLY) {
            return Ok(Ended::TooEarly);
        }
        let mut last: Vec<_> = said.lines().rev().take(5).collect();
        last.reverse();
        Err(PostgresError::RecoveryEnded {
            log: self.log(),
            said: last.join("; "),
        })
    }
}
