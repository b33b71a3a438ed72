//! A small reader of T-SQL words, written from the language's own rules and nothing else.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    Number(String),
    Identifier(String),
    Text(String),
    Sign(char),
}

/// The tokens of a statement; `None` where a quote does not end, or a comment begins.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        match c {
            ' ' => at += 1,
            'N' if next == Some('\'') => found.push(Token::Text(quoted(&chars, &mut at, 2, '\'')?)),
            '[' => found.push(Token::Identifier(quoted(&chars, &mut at, 1, ']')?)),
            '\'' | '"' | ';' => return None,
            '-' if next == Some('-') => return None,
            '/' if next == Some('*') => return None,
            c if c.is_ascii_digit() => {
                let number = run(&chars, &mut at, char::is_ascii_digit);
                found.push(Token::Number(number));
            }
            c if c.is_ascii_alphabetic() => {
                let word = run(&chars, &mut at, |c| c.is_ascii_alphanumeric() || *c == '_');
                found.push(Token::Word(word));
            }
            c => {
                found.push(Token::Sign(c));
                at += 1;
            }
        }
    }
    Some(found)
}

fn run(chars: &[char], at: &mut usize, belongs: fn(&char) -> bool) -> String {
    let rest = chars.get(*at..).unwrap_or_default();
    let taken: String = rest.iter().take_while(|c| belongs(c)).collect();
    *at += taken.chars().count();
    taken
}

fn quoted(chars: &[char], at: &mut usize, opening: usize, close: char) -> Option<String> {
    let mut inside = String::new();
    *at += opening;
    loop {
        let c = *chars.get(*at)?;
        *at += 1;
        if c == close {
            if chars.get(*at) != Some(&close) {
                return Some(inside);
            }
            *at += 1;
        }
        inside.push(c);
    }
}
