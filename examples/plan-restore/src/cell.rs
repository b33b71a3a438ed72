//! One value of a row, in the forms that PowerShell and others write it.

use serde_json::Value;
use serde_json::value::RawValue;
use vab_chain::{Lsn, ServerTime};

/// What a cell holds that is of use here. Numbers stay text: an LSN has more digits than a
/// floating-point number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Text(String),
    Number(String),
    Bool(bool),
    List(Vec<String>),
}

impl Cell {
    /// `None` for null, and for what has no meaning here.
    pub(crate) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get().trim();
        if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            return Some(Self::Number(text.to_owned()));
        }
        match serde_json::from_str(text).ok()? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Bool(value) => Some(Self::Bool(value)),
            Value::Array(items) => Some(Self::List(items.iter().filter_map(plain).collect())),
            // A date with a display hint: {"value": …, "DateTime": …}.
            Value::Object(fields) => fields.get("value").and_then(plain).map(Self::Text),
            Value::Null | Value::Number(_) => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.trim()).filter(|t| !t.is_empty()),
            Self::Bool(_) | Self::List(_) => None,
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) | Self::Number(text) => match text.trim() {
                "0" => Some(false),
                "1" => Some(true),
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            Self::List(_) => None,
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::List(items) => items.clone(),
            _ => self.text().map(str::to_owned).into_iter().collect(),
        }
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        // dbatools' file objects.
        Value::Object(fields) => fields.get("FullName").and_then(plain),
        _ => None,
    }
}

/// An LSN: decimal, with a fraction of zeros at most.
pub(crate) fn lsn(text: &str) -> Option<Lsn> {
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        _ => text,
    };
    digits.parse().ok()
}

/// A time: ISO, with or without an offset (which is not applied: the server's clock is meant), or
/// `/Date(milliseconds)/`.
pub(crate) fn time(text: &str) -> Result<ServerTime, String> {
    let text = text.trim();
    if let Some(inner) = text
        .strip_prefix("/Date(")
        .and_then(|rest| rest.strip_suffix(")/"))
    {
        return date_of_milliseconds(inner).ok_or_else(|| format!("`{text}` is not a date"));
    }
    without_offset(text)
        .parse()
        .or_else(|_| format!("{}T00:00:00", without_offset(text)).parse())
        .map_err(|error: vab_chain::ParseTimeError| error.to_string())
}

/// `1493883737000` or `1493883737000+0200`: UTC, with the offset of the clock it was read from.
fn date_of_milliseconds(inner: &str) -> Option<ServerTime> {
    let split = inner
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '+' || *c == '-');
    let (milliseconds, offset) = match split {
        Some((at, _)) => inner.split_at_checked(at)?,
        None => (inner, "+0000"),
    };
    let milliseconds: i64 = milliseconds.parse().ok()?;
    let offset: i64 = offset.parse().ok()?;
    let minutes = offset / 100 * 60 + offset % 100;
    let micros = milliseconds
        .checked_add(minutes.checked_mul(60_000)?)?
        .checked_mul(1000)?;
    Some(ServerTime::from_micros(micros))
}

fn without_offset(text: &str) -> &str {
    if let Some(text) = text.strip_suffix(['Z', 'z']) {
        return text;
    }
    // Beyond the date, a plus or minus begins an offset.
    let sign = text
        .char_indices()
        .skip(11)
        .find(|(_, c)| *c == '+' || *c == '-');
    sign.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Option<Cell> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        Cell::read(&raw)
    }

    #[test]
    fn digits_beyond_a_floating_point_number_stay() {
        let text = cell("4294967295000000042400111").unwrap();
        assert_eq!(
            lsn(text.text().unwrap()).unwrap().to_string(),
            "4294967295000000042400111"
        );
    }

    #[test]
    fn dates_in_every_form_are_the_same_moment() {
        let expected = "2017-05-04T07:42:17".parse().unwrap();
        for text in [
            "/Date(1493883737000)/",
            "/Date(1493876537000+0200)/",
            "2017-05-04T07:42:17",
            "2017-05-04 07:42:17.000",
            "2017-05-04T07:42:17.0000000+02:00",
            "2017-05-04T07:42:17Z",
        ] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_date_with_a_display_hint_is_a_date() {
        let value = r#"{"value": "\/Date(1493883737000)\/", "DisplayHint": 2}"#;
        assert_eq!(cell(value).unwrap().text(), Some("/Date(1493883737000)/"));
    }

    #[test]
    fn hostile_dates_are_refused() {
        for text in [
            "",
            "/Date()/",
            "/Date(99999999999999999999)/",
            "/Date(é)/",
            "x",
            "2017-13-01",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
