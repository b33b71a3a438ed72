//! Names of databases as people type them.

use std::fmt;

/// A name, or a pattern in which `*` stands for any text and `?` for one character.
///
/// Case does not matter, as it does not to a server with a usual collation. Where two databases
/// differ by case only, the name that is written exactly so is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    folded: Vec<char>,
}

impl Pattern {
    /// From what was typed.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let folded = fold(&text);
        Self { text, folded }
    }

    /// What was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can stand for more than one name.
    pub fn is_wild(&self) -> bool {
        self.text.contains(['*', '?'])
    }

    /// Whether it stands for `name`, whatever the case.
    pub fn matches(&self, name: &str) -> bool {
        let name = fold(name);
        let (mut at, mut of_name) = (0, 0);
        // Where the last star was, and where the text that it stands for ends so far: a star
        // before the last one never has to be looked at again.
        let mut star: Option<(usize, usize)> = None;
        while let Some(letter) = name.get(of_name) {
            match self.folded.get(at) {
                Some('*') => {
                    star = Some((at, of_name));
                    at += 1;
                }
                Some(wanted) if *wanted == '?' || wanted == letter => {
                    at += 1;
                    of_name += 1;
                }
                _ => {
                    let Some((back, taken)) = star else {
                        return false;
                    };
                    star = Some((back, taken + 1));
                    at = back + 1;
                    of_name = taken + 1;
                }
            }
        }
        self.folded.iter().skip(at).all(|rest| *rest == '*')
    }
}

fn fold(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    #[test]
    fn a_star_stands_for_any_text() {
        let sales = Pattern::new("Sales*");
        assert!(sales.matches("Sales") && sales.matches("Sales2026"));
        assert!(!sales.matches("OldSales"));
        assert!(Pattern::new("*").matches(""));
        assert!(Pattern::new("*a*b").matches("xaab"));
        assert!(!Pattern::new("*a*b").matches("xaabc"));
    }

    #[test]
    fn a_question_mark_stands_for_one_character() {
        let month = Pattern::new("Log_??");
        assert!(month.matches("log_07") && !month.matches("Log_7") && !month.matches("Log_007"));
    }

    #[test]
    fn case_does_not_matter() {
        assert!(Pattern::new("ÄRZTE").matches("ärzte"));
    }

    /// As the words above say it: slow, and plainly right.
    fn model(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', more)), rest) => {
                model(more, name) || rest.is_some_and(|(_, rest)| model(pattern, rest))
            }
            (Some((wanted, more)), Some((letter, rest))) => {
                (*wanted == '?' || wanted == letter) && model(more, rest)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = model(&letters(&pattern), &letters(&name));
            prop_assert_eq!(Pattern::new(pattern).matches(&name), expected);
        }
    }
}
