//! Recovery manager (beside the database) and backup manager (beside the repository).

#![forbid(unsafe_code)]
