//! Real SQL Server backups, found through the environment variable `VAB_BAK_DIR`.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod client;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod discover;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod replay;
