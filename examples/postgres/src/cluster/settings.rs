//! The settings that make a cluster archive, and recover.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vab_engine::{StopAt, StopEdge};

use super::Cluster;
use crate::error::PostgresError;
use crate::facts;

/// Where a recovery goes.
#[derive(Clone, Debug)]
pub(crate) struct Recover {
    pub(crate) timeline: u32,
    pub(crate) stop: Option<StopAt>,
}

impl Cluster {
    /// Writes the settings of the cluster, as the last word over all others. A restored cluster
    /// brings the settings of the one that was backed up, whose archive is not its own.
    pub(crate) fn write_settings(&self, recover: Option<&Recover>) -> Result<(), PostgresError> {
        let path = self.data().join("postgresql.auto.conf");
        let old = fs::read_to_string(&path).unwrap_or_default();
        let settings = self.settings(recover);
        let others = old.lines().filter(|line| {
            let name = line.split([' ', '=']).next();
            !settings.iter().any(|(ours, _)| Some(*ours) == name)
        });
        let mut text: String = others.flat_map(|line| [line, "\n"]).collect();
        // An empty target still counts as a second one to the server.
        let written = |(name, value): &&(&str, String)| {
            !(name.starts_with("recovery_target") && value.is_empty())
        };
        for (name, value) in settings.iter().filter(written) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} = {}", quoted(value));
        }
        fs::write(&path, text).map_err(PostgresError::io("written", &path))?;
        let given = self.programs().give(&path);
        given.map_err(PostgresError::io("given to the server's user", &path))
    }

    fn settings(&self, recover: Option<&Recover>) -> Vec<(&'static str, String)> {
        let archive = shell(self.archive().folder());
        let from = shell(&self.incoming().wal());
        let stop = recover.and_then(|recover| recover.stop.as_ref());
        let (mut time, mut position, mut inclusive) = (String::new(), String::new(), false);
        match stop {
            // The server's time is UTC here. `STOPAT` leaves out what was committed at the time.
            Some(StopAt::Time(at)) => time = format!("{at}+00"),
            Some(StopAt::Lsn { lsn, edge }) => {
                position = facts::position(*lsn).to_string();
                inclusive = *edge == StopEdge::At;
            }
            _ => {}
        }
        let inclusive = if inclusive { "on" } else { "off" };
        let timeline = recover.map_or_else(
            || "latest".to_owned(),
            |recover| recover.timeline.to_string(),
        );
        vec![
            ("listen_addresses", String::new()),
            (
                "unix_socket_directories",
                self.run().to_string_lossy().into_owned(),
            ),
            ("port", "5432".to_owned()),
            ("wal_level", "replica".to_owned()),
            ("wal_keep_size", "256MB".to_owned()),
            ("archive_mode", "on".to_owned()),
            // Safe to repeat: the server asks again when it does not know whether it worked.
            (
                "archive_command",
                format!(
                    "if test -f {archive}/%f; then cmp -s %p {archive}/%f; \
                     else cp %p {archive}/%f.part && sync {archive}/%f.part \
                     && mv {archive}/%f.part {archive}/%f; fi"
                ),
            ),
            ("archive_library", String::new()),
            ("restore_command", format!("cp {from}/%f %p")),
            ("recovery_target", String::new()),
            ("recovery_target_name", String::new()),
            ("recovery_target_xid", String::new()),
            ("recovery_target_time", time),
            ("recovery_target_lsn", position),
            ("recovery_target_inclusive", inclusive.to_owned()),
            ("recovery_target_timeline", timeline),
            ("recovery_target_action", "promote".to_owned()),
        ]
    }
}

/// A value as it stands in a settings file.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A path as it stands in one of the server's shell commands.
fn shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!("'{}'", path.replace('%', "%%").replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_for_the_shell_and_for_the_settings() {
        let path = shell(Path::new("/a b/it's 5%"));
        assert_eq!(path, r"'/a b/it'\''s 5%%'");
        assert_eq!(quoted(&path), r"'''/a b/it''\\''''s 5%%'''");
    }
}
