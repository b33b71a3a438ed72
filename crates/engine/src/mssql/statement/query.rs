//! Questions to the server, from constant text and quoted values.

use vab_chain::Lsn;

use super::Statement;
use super::names::string;

/// A question whose words are constants and whose values are quoted.
#[derive(Clone, Debug)]
pub struct Query(String);

impl Query {
    /// Begins with these words.
    pub fn new(words: &'static str) -> Self {
        Self(words.to_owned())
    }

    /// More words.
    #[must_use]
    pub fn words(mut self, words: &'static str) -> Self {
        self.0.push_str(words);
        self
    }

    /// A text, as a Unicode string constant.
    #[must_use]
    pub fn text(mut self, value: &str) -> Self {
        self.0.push_str(&string(value).to_string());
        self
    }

    /// An LSN, as a number.
    #[must_use]
    pub fn lsn(mut self, value: Lsn) -> Self {
        self.0.push_str(&value.to_string());
        self
    }

    /// The statement.
    pub fn statement(self) -> Statement {
        Statement(self.0)
    }
}
