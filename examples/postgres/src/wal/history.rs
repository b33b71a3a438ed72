//! Timeline histories.

use super::Position;
use crate::error::PostgresError;

/// How a timeline came to be: which part of the log it has from which timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    timeline: u32,
    ancestors: Vec<Ancestor>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ancestor {
    timeline: u32,
    until: Position,
    line: String,
}

impl History {
    /// The history of a cluster's first timeline.
    pub fn first() -> Self {
        Self {
            timeline: 1,
            ancestors: Vec::new(),
        }
    }

    /// Reads a history file.
    ///
    /// # Errors
    /// When a line is none of a history.
    pub fn parse(timeline: u32, text: &str) -> Result<Self, PostgresError> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut ancestors: Vec<Ancestor> = Vec::new();
        for line in lines {
            let ancestor = Ancestor::parse(line).filter(|ancestor| {
                let follows = |last: &Ancestor| {
                    ancestor.timeline > last.timeline && ancestor.until >= last.until
                };
                ancestor.timeline < timeline && ancestors.last().is_none_or(follows)
            });
            ancestors.push(ancestor.ok_or_else(|| PostgresError::History {
                timeline,
                line: line.to_owned(),
            })?);
        }
        Ok(Self {
            timeline,
            ancestors,
        })
    }

    /// The timeline.
    pub fn timeline(&self) -> u32 {
        self.timeline
    }

    /// The name of the file of a timeline's history.
    pub fn file_name(timeline: u32) -> String {
        format!("{timeline:08X}.history")
    }

    /// The timeline that the byte at `position` was written on.
    pub fn owner(&self, position: Position) -> u32 {
        let owner = self.ancestors.iter().find(|part| position < part.until);
        owner.map_or(self.timeline, |part| part.timeline)
    }

    /// Where the part of `timeline` ends; `None` for the last, and for one that is no part.
    pub fn end_of(&self, timeline: u32) -> Option<Position> {
        let part = self.ancestors.iter().find(|part| part.timeline == timeline);
        part.map(|part| part.until)
    }

    /// Where the last part begins.
    pub fn began(&self) -> Option<Position> {
        self.ancestors.last().map(|part| part.until)
    }

    /// The lines that made `timeline`, one of its parts; `None` when it is no part.
    pub(crate) fn lines_of(&self, timeline: u32) -> Option<impl Iterator<Item = &str>> {
        let mut parts = self.ancestors.iter();
        let at = parts.position(|part| part.timeline == timeline);
        let own = (timeline == self.timeline).then_some(self.ancestors.len());
        let before = self.ancestors.get(..at.or(own)?)?;
        Some(before.iter().map(|part| part.line.as_str()))
    }
}

impl Ancestor {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            timeline: fields.next()?.trim().parse().ok()?,
            until: fields.next()?.trim().parse().ok()?,
            line: line.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRD: &str = "1\t0/3000000\tbefore 2026-11-22 07:00:00+00\n\n\
                         2\t0/5000100\tno recovery target specified\n";

    #[test]
    fn the_parts_of_a_history_have_owners() {
        let history = History::parse(3, THIRD).unwrap();
        let owner = |position| history.owner(Position(position));
        assert_eq!([owner(0), owner(0x2ff_ffff)], [1, 1]);
        assert_eq!([owner(0x300_0000), owner(0x500_00ff)], [2, 2]);
        assert_eq!(owner(0x500_0100), 3);
        assert_eq!(history.began(), Some(Position(0x500_0100)));
        assert_eq!(history.end_of(1), Some(Position(0x300_0000)));
        assert_eq!(history.end_of(3), None);
    }

    #[test]
    fn a_part_is_known_by_the_lines_before_it() {
        let history = History::parse(3, THIRD).unwrap();
        let lines = |timeline| history.lines_of(timeline).map(Iterator::count);
        assert_eq!([lines(1), lines(2), lines(3)], [Some(0), Some(1), Some(2)]);
        assert_eq!(lines(4), None);
    }

    #[test]
    fn what_is_no_history_is_refused() {
        for text in ["x", "1", "3\t0/1", "2\t0/2\n1\t0/3", "1\t0/3\n2\t0/2"] {
            assert!(History::parse(3, text).is_err(), "{text:?}");
        }
    }
}
