//! What was seen in a file.

use std::fmt;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A `.VAB`.
    Data,
    /// A `.VASM`.
    FileMetadata,
    /// A `.VACM`.
    JobMetadata,
    /// Something else.
    Unknown,
}

/// What was seen in a file. `Display` writes it for people, a line for each thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What the file is.
    pub kind: FileKind,
    /// Where it is.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// What its header says.
    pub fields: Vec<Field>,
    /// Its records, or what it lists, in order.
    pub records: Vec<RecordLine>,
    /// How many records were left out.
    pub more_records: u64,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
    /// How many problems were left out.
    pub more_problems: u64,
}

/// A name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// A record of a `.VAB`, or an entry of a metadata file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// Where it begins in the `.VAB`, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What it is: `block`, `index segment`, `commit record`, `session`, `file`.
    pub kind: String,
    /// What it says.
    pub text: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub text: String,
}

/// Problems that are kept.
const KEPT: usize = 1000;

impl Inspection {
    pub(super) fn new(kind: FileKind, path: String, length: u64) -> Self {
        Self {
            kind,
            path,
            length,
            fields: Vec::new(),
            records: Vec::new(),
            more_records: 0,
            problems: Vec::new(),
            more_problems: 0,
        }
    }

    pub(super) fn field(&mut self, name: &'static str, value: impl fmt::Display) {
        self.fields.push(Field {
            name,
            value: value.to_string(),
        });
    }

    pub(super) fn record(&mut self, limit: usize, line: RecordLine) {
        if self.records.len() < limit {
            self.records.push(line);
        } else {
            self.more_records += 1;
        }
    }

    pub(super) fn problem(&mut self, offset: u64, text: String) {
        if self.problems.len() < KEPT {
            self.problems.push(Problem { offset, text });
        } else {
            self.more_problems += 1;
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({}, {} bytes)", self.path, self.kind, self.length)?;
        for Field { name, value } in &self.fields {
            writeln!(f, "  {name}: {value}")?;
        }
        for RecordLine {
            offset,
            length,
            kind,
            text,
        } in &self.records
        {
            writeln!(f, "  {offset:>12} +{length:<8} {kind}: {text}")?;
        }
        if self.more_records > 0 {
            writeln!(f, "  … and {} more", self.more_records)?;
        }
        for Problem { offset, text } in &self.problems {
            writeln!(f, "  wrong at byte {offset}: {text}")?;
        }
        if self.more_problems > 0 {
            writeln!(f, "  … and {} more that is wrong", self.more_problems)?;
        }
        if self.problems.is_empty() {
            writeln!(f, "  nothing is wrong with it")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => ".VAB",
            Self::FileMetadata => ".VASM",
            Self::JobMetadata => ".VACM",
            Self::Unknown => "unknown",
        })
    }
}
