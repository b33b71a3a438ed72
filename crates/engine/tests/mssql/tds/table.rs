//! Results of every column type that is read.

use uuid::Uuid;
use vab_chain::ServerTime;

use super::token::short_text;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Type {
    /// `bit`, which may be null.
    Bit,
    /// `tinyint not null`.
    TinyInt,
    /// An integer of so many bytes, which may be null.
    Int(u8),
    /// `bigint not null`.
    BigInt,
    NVarChar,
    NVarCharMax,
    VarChar,
    /// `char(n)`.
    Char(u16),
    Guid,
    DateTime,
    SmallDateTime,
    /// `datetime2(7)`.
    DateTime2,
    /// `numeric(25, 0)`.
    Numeric,
    VarBinary,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Null,
    Bit(bool),
    Int(i64),
    Text(String),
    Guid(Uuid),
    Time(ServerTime),
    Number(u128),
    Bytes(Vec<u8>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Cell {
    fn from(bit: bool) -> Self {
        Self::Bit(bit)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Uuid> for Cell {
    fn from(guid: Uuid) -> Self {
        Self::Guid(guid)
    }
}

impl From<ServerTime> for Cell {
    fn from(time: ServerTime) -> Self {
        Self::Time(time)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Type)>,
    rows: Vec<Vec<Cell>>,
}

/// `Latin1_General_CI_AS`.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xd0, 0x00, 0x34];

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Type)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(mut self, cells: Vec<Cell>) -> Self {
        assert_eq!(cells.len(), self.columns.len(), "{:?}", self.columns);
        self.rows.push(cells);
        self
    }

    /// `COLMETADATA` and the rows, every second one in the form that leaves out nulls.
    pub(crate) fn tokens(&self) -> Vec<u8> {
        let mut bytes = vec![0x81];
        bytes.extend(u16::try_from(self.columns.len()).unwrap().to_le_bytes());
        for (name, kind) in &self.columns {
            bytes.extend([0, 0, 0, 0, 1, 0]);
            bytes.extend(kind.info());
            bytes.extend(short_text(name));
        }
        for (index, row) in self.rows.iter().enumerate() {
            let compact = index % 2 == 1;
            bytes.push(if compact { 0xd2 } else { 0xd1 });
            if compact {
                let mut bitmap = vec![0; row.len().div_ceil(8)];
                for (column, cell) in row.iter().enumerate() {
                    if matches!(cell, Cell::Null) {
                        bitmap[column / 8] |= 1 << (column % 8);
                    }
                }
                bytes.extend(bitmap);
            }
            for ((_, kind), cell) in self.columns.iter().zip(row) {
                if !(compact && matches!(cell, Cell::Null)) {
                    bytes.extend(kind.value(cell));
                }
            }
        }
        bytes
    }
}

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

impl Type {
    fn info(self) -> Vec<u8> {
        let text = |kind: u8, bytes: u16| {
            let mut info = vec![kind];
            info.extend(bytes.to_le_bytes());
            info.extend(COLLATION);
            info
        };
        match self {
            Self::Bit => vec![0x68, 1],
            Self::TinyInt => vec![0x30],
            Self::Int(bytes) => vec![0x26, bytes],
            Self::BigInt => vec![0x7f],
            Self::NVarChar => text(0xe7, 8000),
            Self::NVarCharMax => text(0xe7, 0xffff),
            Self::VarChar => text(0xa7, 8000),
            Self::Char(bytes) => text(0xaf, bytes),
            Self::Guid => vec![0x24, 16],
            Self::DateTime => vec![0x6f, 8],
            Self::SmallDateTime => vec![0x6f, 4],
            Self::DateTime2 => vec![0x2a, 7],
            Self::Numeric => vec![0x6c, 17, 25, 0],
            Self::VarBinary => vec![0xa5, 0x40, 0x1f],
        }
    }

    fn null(self) -> Vec<u8> {
        match self {
            Self::NVarCharMax => vec![0xff; 8],
            Self::NVarChar | Self::VarChar | Self::Char(_) | Self::VarBinary => vec![0xff; 2],
            Self::TinyInt | Self::BigInt => panic!("a column that is not null"),
            _ => vec![0],
        }
    }

    fn value(self, cell: &Cell) -> Vec<u8> {
        let short = |bytes: Vec<u8>| [vec![u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let long = |bytes: Vec<u8>| {
            let length = u16::try_from(bytes.len()).unwrap();
            [length.to_le_bytes().to_vec(), bytes].concat()
        };
        let wide = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
        };
        match (self, cell) {
            (_, Cell::Null) => self.null(),
            (Self::Bit, Cell::Bit(bit)) => vec![1, u8::from(*bit)],
            (Self::TinyInt, Cell::Int(number)) => vec![u8::try_from(*number).unwrap()],
            (Self::Int(1), Cell::Int(number)) => vec![1, u8::try_from(*number).unwrap()],
            (Self::Int(2), Cell::Int(number)) => {
                short(i16::try_from(*number).unwrap().to_le_bytes().to_vec())
            }
            (Self::Int(4), Cell::Int(number)) => {
                short(i32::try_from(*number).unwrap().to_le_bytes().to_vec())
            }
            (Self::Int(8), Cell::Int(number)) => short(number.to_le_bytes().to_vec()),
            (Self::BigInt, Cell::Int(number)) => number.to_le_bytes().to_vec(),
            (Self::NVarChar, Cell::Text(text)) => long(wide(text)),
            (Self::NVarCharMax, Cell::Text(text)) => {
                let bytes = wide(text);
                let (first, second) = bytes.split_at(bytes.len() / 4 * 2);
                let mut value = u64::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
                for chunk in [first, second]
                    .into_iter()
                    .filter(|chunk| !chunk.is_empty())
                {
                    value.extend(u32::try_from(chunk.len()).unwrap().to_le_bytes());
                    value.extend(chunk);
                }
                value.extend([0; 4]);
                value
            }
            (Self::VarChar | Self::Char(_), Cell::Text(text)) => {
                assert!(text.is_ascii());
                long(text.as_bytes().to_vec())
            }
            (Self::Guid, Cell::Guid(guid)) => short(guid.to_bytes_le().to_vec()),
            (Self::DateTime, Cell::Time(time)) => {
                let (days, micros) = split(*time);
                let parts = u32::try_from((micros * 3 + 5_000) / 10_000).unwrap();
                let days = i32::try_from(days + 25_567).unwrap();
                short([days.to_le_bytes(), parts.to_le_bytes()].concat())
            }
            (Self::SmallDateTime, Cell::Time(time)) => {
                let (days, micros) = split(*time);
                let minutes = u16::try_from(micros / 60_000_000).unwrap();
                let days = u16::try_from(days + 25_567).unwrap();
                short([days.to_le_bytes(), minutes.to_le_bytes()].concat())
            }
            (Self::DateTime2, Cell::Time(time)) => {
                let (days, micros) = split(*time);
                let mut bytes = (micros * 10).to_le_bytes()[..5].to_vec();
                bytes.extend(&(days + 719_162).to_le_bytes()[..3]);
                short(bytes)
            }
            (Self::Numeric, Cell::Number(number)) => {
                let mut bytes = vec![1];
                bytes.extend(number.to_le_bytes());
                short(bytes)
            }
            (Self::VarBinary, Cell::Bytes(bytes)) => long(bytes.clone()),
            (kind, cell) => panic!("{cell:?} in a column of {kind:?}"),
        }
    }
}

fn split(time: ServerTime) -> (i64, i64) {
    (
        time.as_micros().div_euclid(DAY),
        time.as_micros().rem_euclid(DAY),
    )
}
