//! Errors in one line.

use std::error::Error;

/// An error and what caused it, for a person or for a log. A cause that the message before names
/// already is not said again.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        #[source]
        cause: Option<Box<Told>>,
    }

    fn told(words: &'static str, cause: Option<Told>) -> Told {
        let cause = cause.map(Box::new);
        Told { words, cause }
    }

    #[test]
    fn every_cause_is_named() {
        let error = told("a", Some(told("b", Some(told("c", None)))));
        assert_eq!(with_causes(&error), "a: b: c");
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let error = told(
            "cannot open: no such file",
            Some(told("no such file", None)),
        );
        assert_eq!(with_causes(&error), "cannot open: no such file");
    }
}
