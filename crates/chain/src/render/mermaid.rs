//! A tree and a timeline in the language of Mermaid.

use std::fmt::{self, Write};

use crate::chain::track::Slot;
use crate::{BackupKind, Chain, PointId, ServerTime};

use super::fork_name;

/// A tree as a Mermaid flow chart: a box per recovery fork, an arrow from each full to its
/// differentials and from each log to the next.
pub fn mermaid_tree(chain: &Chain, file: impl Fn(PointId) -> Option<String>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_tree(&mut out, chain, &file);
    out
}

fn write_tree(
    out: &mut String,
    chain: &Chain,
    file: &dyn Fn(PointId) -> Option<String>,
) -> fmt::Result {
    writeln!(out, "flowchart LR")?;
    let mut forks: Vec<_> = chain.forks_by_age().collect();
    forks.reverse();
    for fork in forks {
        writeln!(
            out,
            "  subgraph f{}[\"fork {}\"]",
            fork.index(),
            fork_name(chain, fork)
        )?;
        for (slot, facts) in chain
            .slots()
            .filter(|(_, f)| chain.fork_of(f) == Some(fork))
        {
            let state = chain.state(facts.id);
            let state = state.as_ref().map_or("", crate::PointState::label);
            let place = file(facts.id).unwrap_or_default();
            let label = format!("{} {}<br/>{state}", facts.kind, facts.finished);
            let place = Plain(&place);
            writeln!(out, "    p{}[\"{label}<br/>{place}\"]", slot.index())?;
        }
        writeln!(out, "  end")?;
    }
    for (slot, facts) in chain.slots() {
        let before = match facts.kind {
            BackupKind::Full => continue,
            BackupKind::Differential => chain.base(slot),
            BackupKind::Log => before(chain, slot),
        };
        if let Some(before) = before {
            writeln!(out, "  p{} --> p{}", before.index(), slot.index())?;
        }
    }
    Ok(())
}

/// The backup that a log follows: what is restored before it.
fn before(chain: &Chain, slot: Slot) -> Option<Slot> {
    let facts = chain.at(slot)?;
    let fork = chain.fork_of(facts)?;
    let place = chain.before_log(fork, facts)?;
    let ends = chain.slots().filter(|(other, candidate)| {
        *other != slot && candidate.last_lsn == place && !candidate.is_empty_log()
    });
    ends.map(|(other, candidate)| (candidate.kind == BackupKind::Log, other))
        .max()
        .map(|(_, o)| o)
}

/// A timeline as a Mermaid Gantt chart: a section per recovery fork with what can be reached, and
/// the gaps marked as critical.
pub fn mermaid_timeline(chain: &Chain) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_timeline(&mut out, chain);
    out
}

fn write_timeline(out: &mut String, chain: &Chain) -> fmt::Result {
    writeln!(out, "gantt")?;
    writeln!(out, "  title {}", Plain(chain.database()))?;
    writeln!(out, "  dateFormat YYYY-MM-DDTHH:mm:ss")?;
    let last = chain.points().iter().map(|facts| facts.finished).max();
    for reach in chain.reachable().forks.iter().rev() {
        let name = reach
            .fork
            .map_or_else(|| "unknown".to_owned(), |fork| fork.to_string());
        writeln!(out, "  section {name}")?;
        for interval in &reach.intervals {
            if interval.from == interval.to {
                writeln!(
                    out,
                    "  restore point :milestone, {}, 0s",
                    Second(interval.from)
                )?;
            } else {
                let (from, to) = (Second(interval.from), Second(interval.to));
                writeln!(out, "  reachable :done, {from}, {to}")?;
            }
        }
        for gap in &reach.gaps {
            let Some(from) = gap.after.or(gap.before) else {
                continue;
            };
            let to = gap.before.or(last).unwrap_or(from);
            let cause = gap.cause.code().replace('_', " ");
            writeln!(out, "  {cause} :crit, {}, {}", Second(from), Second(to))?;
        }
    }
    Ok(())
}

/// A time without the fraction of its second.
struct Second(ServerTime);

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        ServerTime::from_micros(micros - micros.rem_euclid(1_000_000)).fmt(f)
    }
}

/// Text that cannot end a label or be markup.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("#quot;")?,
                '<' => f.write_str("#lt;")?,
                '>' => f.write_str("#gt;")?,
                ':' | ';' | '#' | ',' => f.write_char('_')?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
