//! Peers that are not who they should be. Each is refused with words that say what to do, named
//! in the log, and gets nothing allocated, while a good session goes on.

mod certificates;
mod downgrade;
mod good;
mod hostile;
mod idle;
mod papers;
mod peers;
mod replay;
mod road;
mod tokens;
