//! What people see.

pub(crate) mod bars;
pub(crate) mod bytes;
pub(crate) mod out;
pub(crate) mod run;
pub(crate) mod survey;
pub(crate) mod tree;

use std::error::Error;

/// An error and its causes in one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some messages name their cause themselves.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
