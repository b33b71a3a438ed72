//! Rows of an answer.

use std::fmt::Write;
use std::sync::Arc;

use tiberius::ColumnData;
use uuid::Uuid;
use vab_chain::{Lsn, ServerTime};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `NULL`.
    Null,
    /// `bit`.
    Bit(bool),
    /// `tinyint` to `bigint`.
    Integer(i64),
    /// `numeric` without decimals.
    Decimal(i128),
    /// Texts of every kind.
    Text(String),
    /// `uniqueidentifier`.
    Guid(Uuid),
    /// `datetime` and `datetime2`, on the server's clock.
    Time(ServerTime),
    /// `binary` and `varbinary`.
    Bytes(Vec<u8>),
    /// A type that nothing here asks for.
    Other(&'static str),
}

impl Value {
    /// As people read it; `None` for `NULL`.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bit(bit) => u8::from(*bit).to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Guid(guid) => guid.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Bytes(bytes) => {
                let mut text = String::from("0x");
                for byte in bytes {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{byte:02X}");
                }
                text
            }
            Self::Other(kind) => format!("({kind})"),
        })
    }
}

/// One row; its columns are found by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// Why a value cannot be had from a row.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the server's answer has {found:?} as {column}; expected {expected}")]
pub struct RowError {
    /// The column.
    pub column: &'static str,
    /// What was expected.
    pub expected: &'static str,
    /// What was found; `None` when there is no such column.
    pub found: Option<Value>,
}

impl Row {
    /// A row; missing values are `NULL`.
    pub fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// The value of a column; names are the same in any case.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let index = self
            .columns
            .iter()
            .position(|name| name.eq_ignore_ascii_case(column))?;
        self.values.get(index)
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values, in the order of the columns; missing ones are left out.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    fn read<T>(
        &self,
        column: &'static str,
        expected: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, RowError> {
        let wrong = |found: Option<&Value>| RowError {
            column,
            expected,
            found: found.cloned(),
        };
        match self.value(column) {
            None => Err(wrong(None)),
            Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| wrong(Some(value))),
        }
    }

    fn there<T>(
        column: &'static str,
        expected: &'static str,
        value: Option<T>,
    ) -> Result<T, RowError> {
        value.ok_or(RowError {
            column,
            expected,
            found: Some(Value::Null),
        })
    }

    /// A text.
    ///
    /// # Errors
    /// When the column is not there, or is something else.
    pub fn text(&self, column: &'static str) -> Result<Option<String>, RowError> {
        self.read(column, "a text", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A text that is not `NULL`.
    ///
    /// # Errors
    /// As [`Row::text`], and when it is `NULL`.
    pub fn some_text(&self, column: &'static str) -> Result<String, RowError> {
        Self::there(column, "a text", self.text(column)?)
    }

    /// A whole number.
    ///
    /// # Errors
    /// When the column is not there, or is something else.
    pub fn integer(&self, column: &'static str) -> Result<Option<i64>, RowError> {
        self.read(column, "a whole number", |value| match value {
            Value::Integer(number) => Some(*number),
            Value::Bit(bit) => Some(i64::from(*bit)),
            Value::Decimal(number) => i64::try_from(*number).ok(),
            _ => None,
        })
    }

    /// Yes or no; `NULL` is no.
    ///
    /// # Errors
    /// When the column is not there, or is something else.
    pub fn bit(&self, column: &'static str) -> Result<bool, RowError> {
        Ok(self.integer(column)?.is_some_and(|number| number != 0))
    }

    /// A GUID.
    ///
    /// # Errors
    /// When the column is not there, or is something else.
    pub fn guid(&self, column: &'static str) -> Result<Option<Uuid>, RowError> {
        self.read(column, "a GUID", |value| match value {
            Value::Guid(guid) => Some(*guid),
            _ => None,
        })
    }

    /// An LSN, as a number or as the text of one; none where it is 0.
    ///
    /// # Errors
    /// When the column is not there, or is something else.
    pub fn lsn(&self, column: &'static str) -> Result<Option<Lsn>, RowError> {
        let lsn = self.read(column, "an LSN", |value| match value {
            Value::Text(text) => text.trim().parse().ok(),
            Value::Decimal(number) => u128::try_from(*number)
                .ok()
                .and_then(|n| Lsn::from_decimal(n).ok()),
            Value::Integer(number) => u128::try_from(*number)
                .ok()
                .and_then(|n| Lsn::from_decimal(n).ok()),
            _ => None,
        })?;
        Ok(lsn.filter(|lsn| !lsn.is_zero()))
    }

    /// A moment of the server's clock that is not `NULL`.
    ///
    /// # Errors
    /// When the column is not there, is `NULL`, or is something else.
    pub fn some_time(&self, column: &'static str) -> Result<ServerTime, RowError> {
        let time = self.read(column, "a time", |value| match value {
            Value::Time(time) => Some(*time),
            _ => None,
        })?;
        Self::there(column, "a time", time)
    }
}

/// Days from 1900-01-01 and from 0001-01-01 to 1970-01-01.
const FROM_1900: i64 = 25_567;
const FROM_1: i64 = 719_162;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A value as the driver has it.
pub(super) fn value(data: &ColumnData<'_>) -> Value {
    let known = match data {
        ColumnData::Bit(bit) => bit.map(Value::Bit),
        ColumnData::U8(number) => number.map(|number| Value::Integer(number.into())),
        ColumnData::I16(number) => number.map(|number| Value::Integer(number.into())),
        ColumnData::I32(number) => number.map(|number| Value::Integer(number.into())),
        ColumnData::I64(number) => number.map(Value::Integer),
        ColumnData::Numeric(number) => number.map(|number| {
            if number.scale() == 0 {
                Value::Decimal(number.value())
            } else {
                Value::Other("a number with decimals")
            }
        }),
        ColumnData::String(text) => text.as_deref().map(|text| Value::Text(text.to_owned())),
        ColumnData::Guid(guid) => guid.map(Value::Guid),
        ColumnData::Binary(bytes) => bytes.as_deref().map(|bytes| Value::Bytes(bytes.to_vec())),
        ColumnData::DateTime(time) => time.map(|time| {
            // Parts are three hundredths of a second.
            let parts = i64::from(time.seconds_fragments());
            moment(i64::from(time.days()) - FROM_1900, parts * 10_000 / 3)
        }),
        ColumnData::SmallDateTime(time) => time.map(|time| {
            let minutes = i64::from(time.seconds_fragments());
            moment(i64::from(time.days()) - FROM_1900, minutes * 60_000_000)
        }),
        ColumnData::DateTime2(time) => time.map(|time| {
            let (day, of_day) = (time.date(), time.time());
            let unit = 10_u64.saturating_pow(u32::from(of_day.scale()));
            let micros = u128::from(of_day.increments()) * 1_000_000 / u128::from(unit.max(1));
            moment(
                i64::from(day.days()) - FROM_1,
                i64::try_from(micros).unwrap_or_default(),
            )
        }),
        _ => Some(Value::Other("a type that was not asked for")),
    };
    known.unwrap_or(Value::Null)
}

fn moment(days: i64, micros: i64) -> Value {
    Value::Time(ServerTime::from_micros(
        days.saturating_mul(DAY).saturating_add(micros),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: Vec<(&str, Value)>) -> Row {
        let columns = values.iter().map(|(name, _)| (*name).to_owned()).collect();
        Row::new(
            columns,
            values.into_iter().map(|(_, value)| value).collect(),
        )
    }

    #[test]
    fn values_are_found_by_name_and_keep_their_exact_worth() {
        let lsn = "34000000006900179".parse::<Lsn>().unwrap();
        let row = row(vec![
            ("Name", Value::Text("a".to_owned())),
            ("big", Value::Decimal(34_000_000_006_900_179)),
            ("text", Value::Text("34000000006900179".to_owned())),
            ("none", Value::Null),
            ("zero", Value::Integer(0)),
            ("yes", Value::Bit(true)),
        ]);
        assert_eq!(row.some_text("name").unwrap(), "a");
        assert_eq!(row.lsn("big").unwrap(), Some(lsn));
        assert_eq!(row.lsn("text").unwrap(), Some(lsn));
        assert_eq!(
            (row.lsn("none").unwrap(), row.lsn("zero").unwrap()),
            (None, None)
        );
        assert!(row.bit("yes").unwrap() && !row.bit("none").unwrap());
    }

    #[test]
    fn what_is_not_as_expected_is_named() {
        let row = row(vec![("a", Value::Bytes(vec![1])), ("n", Value::Null)]);
        assert!(
            row.text("missing")
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
        assert!(row.lsn("a").unwrap_err().to_string().contains("an LSN"));
        assert!(row.some_text("n").unwrap_err().to_string().contains("Null"));
        assert!(row.some_time("n").is_err() && row.guid("a").is_err());
    }
}
