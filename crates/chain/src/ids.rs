//! Identities. Each is a GUID; the types keep one kind from being used as another.

use std::fmt;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id! {
    /// The identity of a restore point in a repository, given when its session began.
    PointId
}
id! {
    /// `backup_set_uuid`: the identity that SQL Server gave to a backup set.
    BackupSetId
}
id! {
    /// `recovery_fork_guid`: a branch of recovery. The same LSN on two forks is two different
    /// points.
    ForkId
}
id! {
    /// `database_guid`: changes when a database is restored.
    DatabaseId
}
id! {
    /// `family_guid`: stays the same when a database is restored.
    FamilyId
}
