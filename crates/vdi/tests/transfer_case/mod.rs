//! What is tried over every back end.

pub(crate) mod backup;
pub(crate) mod keep;
pub(crate) mod loss;
pub(crate) mod many;
pub(crate) mod meeting;
pub(crate) mod restore;
