//! Virtual devices for SQL Server backup and restore: both ends of the transport, with the command life cycle as types.
