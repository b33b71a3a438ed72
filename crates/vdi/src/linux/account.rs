//! Whether the server can reach the memory that this process will share.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// Where SQL Server keeps its data; it belongs to the server's account.
const SERVER_FOLDER: &str = "/var/opt/mssql";

/// Why the server could not reach what this process shares. SQL Server itself would report the
/// operation as aborted, operating system error 995.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// This user is not in the server's group.
    #[error(
        "this process (user {user}) does not share a group with SQL Server (group {group}); run it as the server's account, or put this user into the server's group and the server's account into this user's group, and restart the server"
    )]
    Group {
        /// This process's user.
        user: u32,
        /// The server's group.
        group: u32,
    },
    /// The umask takes the group's rights away.
    #[error(
        "the umask {umask:03o} of this process takes away the rights of the group, through which SQL Server reaches the shared memory; start it with a umask of 007 or less"
    )]
    Umask {
        /// The umask.
        umask: u32,
    },
}

/// What is known about both accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accounts {
    user: u32,
    groups: Vec<u32>,
    umask: u32,
    server_user: u32,
    server_group: u32,
}

impl Accounts {
    /// Looks both up; `None` when that cannot be told, for instance because the server's folder
    /// is not visible from here.
    pub(super) fn gather() -> Option<Self> {
        let server = fs::metadata(SERVER_FOLDER).ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        Self::from_status(&status, server.uid(), server.gid())
    }

    /// Reads this process's side from its status, which tells the umask without changing it.
    fn from_status(status: &str, server_user: u32, server_group: u32) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = status.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let effective = |name| field(name)?.split_whitespace().nth(1)?.parse::<u32>().ok();
        let mut groups: Vec<u32> = field("Groups")?
            .split_whitespace()
            .filter_map(|group| group.parse().ok())
            .collect();
        groups.push(effective("Gid")?);
        Some(Self {
            user: effective("Uid")?,
            groups,
            umask: u32::from_str_radix(field("Umask")?.trim(), 8).ok()?,
            server_user,
            server_group,
        })
    }

    /// Whether the server can open what this process creates.
    pub(super) fn check(&self) -> Result<(), AccountError> {
        if self.user == self.server_user {
            return Ok(());
        }
        if self.user != 0 && !self.groups.contains(&self.server_group) {
            return Err(AccountError::Group {
                user: self.user,
                group: self.server_group,
            });
        }
        if self.umask & 0o060 != 0 {
            return Err(AccountError::Umask { umask: self.umask });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ttest\nUmask:\t0022\nUid:\t1000\t1001\t1000\t1000\n\
                          Gid:\t100\t101\t100\t100\nGroups:\t4 27 \n";

    #[test]
    fn the_status_is_read() {
        let accounts = Accounts::from_status(STATUS, 10, 20).unwrap();
        assert_eq!((accounts.user, accounts.umask), (1001, 0o022));
        assert_eq!(accounts.groups, [4, 27, 101]);
        assert_eq!(Accounts::from_status("Name: x", 10, 20), None);
    }

    #[test]
    fn the_servers_own_account_needs_nothing() {
        let accounts = Accounts::from_status(STATUS, 1001, 20).unwrap();
        assert_eq!(accounts.check(), Ok(()));
    }

    #[test]
    fn another_account_needs_the_group_and_the_umask() {
        let accounts = Accounts::from_status(STATUS, 10, 20).unwrap();
        let group = AccountError::Group {
            user: 1001,
            group: 20,
        };
        assert_eq!(accounts.check(), Err(group));
        let mut accounts = Accounts::from_status(STATUS, 10, 27).unwrap();
        assert_eq!(accounts.check(), Err(AccountError::Umask { umask: 0o022 }));
        accounts.umask = 0o007;
        assert_eq!(accounts.check(), Ok(()));
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        assert!(Accounts::from_status(&status, 0, 0).is_some());
    }
}
