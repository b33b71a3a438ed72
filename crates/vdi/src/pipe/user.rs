//! Users of the machine, in words.

/// A text that names no user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no user; give {wanted}")]
pub struct UserError {
    /// The text.
    pub text: String,
    /// What names a user on this system.
    pub wanted: &'static str,
}
