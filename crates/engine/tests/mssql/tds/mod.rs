//! The server's side of the protocol, written from its specification: as much of it as our
//! questions and statements need.

pub(crate) mod packet;
pub(crate) mod session;
pub(crate) mod table;
pub(crate) mod token;
