//! Pictures of a chain for people to look at: trees and timelines as text, SVG and Mermaid.
//!
//! Each takes a function that names the file of a restore point, or `|_| None`.

mod mermaid;
mod svg;
mod timeline;
mod tree;

pub use mermaid::{mermaid_timeline, mermaid_tree};
pub use svg::svg;
pub use timeline::timeline;
pub use tree::{tree, tree_with_files};

use crate::chain::forks::Fork;
use crate::{BackupKind, Chain, PointFacts, ServerTime};

/// The first and the last moment of a chain.
fn span(chain: &Chain) -> Option<(ServerTime, ServerTime)> {
    let first = chain.points().iter().map(|facts| facts.started).min()?;
    let last = chain.points().iter().map(|facts| facts.finished).max()?;
    Some((first.min(last), last))
}

/// A time as a number of cells from 0 to `width`.
fn scale(time: ServerTime, span: (ServerTime, ServerTime), width: u32) -> u32 {
    let from = i128::from(span.0.as_micros());
    let length = (i128::from(span.1.as_micros()) - from).max(1);
    let at = (i128::from(time.as_micros()) - from).clamp(0, length);
    u32::try_from(at * i128::from(width) / length).unwrap_or(width)
}

fn fork_name(chain: &Chain, fork: Fork) -> String {
    chain
        .tree()
        .id(fork)
        .map_or_else(|| "unknown".to_owned(), |id| id.to_string())
}

/// The points that end on a fork, by time.
fn points_on(chain: &Chain, fork: Fork) -> impl Iterator<Item = &PointFacts> {
    chain
        .points()
        .iter()
        .filter(move |facts| chain.fork_of(facts) == Some(fork))
}

fn letter(facts: &PointFacts) -> char {
    match (facts.kind, facts.copy_only) {
        (BackupKind::Full, false) => 'F',
        (BackupKind::Full, true) => 'f',
        (BackupKind::Differential, _) => 'D',
        (BackupKind::Log, false) => 'L',
        (BackupKind::Log, true) => 'l',
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{BackupSet, Lsn, PointId, RestorePoint};

    /// A full, a log, a log after a gap; names that want to be markup.
    fn chain() -> Chain {
        let point = |n: u32, kind, from, to| {
            let time = ServerTime::from_micros(i64::from(n) * 60_000_000);
            let lsns = Lsn::new(1, from, 1)..Lsn::new(1, to, 1);
            let id = Uuid::from_u128(n.into());
            let set = BackupSet::new(id.into(), "<db> & \"co\"", kind, lsns, time, time);
            RestorePoint { id: id.into(), set }
        };
        Chain::new([
            point(0, BackupKind::Full, 10, 20),
            point(10, BackupKind::Log, 10, 30),
            point(20, BackupKind::Log, 40, 50),
        ])
    }

    fn file(point: PointId) -> Option<String> {
        (!point.0.is_nil()).then(|| "a<b>.vab".to_owned())
    }

    #[test]
    fn the_timeline_shows_what_is_reachable_and_why_the_rest_is_not() {
        let text = timeline(&chain(), 21);
        assert!(text.contains("F         L         L\n"), "{text}");
        assert!(text.contains("━━━━━━━━━━━··········\n"), "{text}");
        assert!(
            text.contains("gap after 1970-01-01T00:10:00: log is missing"),
            "{text}"
        );
    }

    #[test]
    fn the_tree_says_what_is_wrong() {
        let text = tree_with_files(&chain(), file);
        assert!(text.contains("├─ log"), "{text}");
        assert!(text.contains("[log gap]"), "{text}");
        assert!(text.contains("a<b>.vab"), "{text}");
    }

    #[test]
    fn markup_cannot_be_smuggled_in() {
        for text in [svg(&chain(), file), mermaid_tree(&chain(), file)] {
            assert!(!text.contains("<db>") && !text.contains("a<b>"), "{text}");
        }
        assert!(svg(&chain(), file).starts_with("<svg "));
        assert!(mermaid_tree(&chain(), file).starts_with("flowchart"));
        assert!(mermaid_timeline(&chain()).contains(":crit"));
    }

    #[test]
    fn nothing_gives_an_empty_picture() {
        let none = Chain::new([]);
        assert_eq!(timeline(&none, 80), "");
        assert_eq!(tree(&none), "");
        assert!(svg(&none, file).ends_with("</svg>\n"));
    }
}
