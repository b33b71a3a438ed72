//! A timeline as text.

use std::fmt::Write;

use crate::Chain;

use super::{fork_name, letter, points_on, scale, span};

/// Per recovery fork: a line with the backups (`F` full, `D` differential, `L` log; small when
/// copy-only), a line with what can be reached, and the intervals and gaps in words. `width` is
/// the number of columns.
pub fn timeline(chain: &Chain, width: u32) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_timeline(&mut out, chain, width.clamp(10, 1000));
    out
}

fn write_timeline(out: &mut String, chain: &Chain, width: u32) -> std::fmt::Result {
    let Some(span) = span(chain) else {
        return Ok(());
    };
    let column = |time| scale(time, span, width - 1) as usize;
    let mut forks: Vec<_> = chain.forks_by_age().collect();
    forks.reverse();
    writeln!(out, "{}  {} to {}", chain.database(), span.0, span.1)?;
    let reachable = chain.reachable();
    for fork in forks {
        writeln!(out, "recovery fork {}", fork_name(chain, fork))?;
        let mut backups = vec![' '; width as usize];
        for facts in points_on(chain, fork) {
            let letter = letter(facts);
            if let Some(cell) = backups.get_mut(column(facts.finished)) {
                // Where several fall together, the one that more depends on is shown.
                let rank = |letter| "lLDfF".find(letter);
                if rank(letter) >= rank(*cell) {
                    *cell = letter;
                }
            }
        }
        let last = points_on(chain, fork).map(|facts| facts.finished).max();
        let first = points_on(chain, fork).map(|facts| facts.started).min();
        let (first, last) = (first.map_or(0, column), last.map_or(0, column));
        let mut line = vec![' '; width as usize];
        for cell in line.iter_mut().take(last + 1).skip(first) {
            *cell = '·';
        }
        let intervals = chain.intervals(fork);
        for interval in &intervals {
            let (from, to) = (column(interval.from), column(interval.to));
            for cell in line.iter_mut().take(to + 1).skip(from) {
                *cell = '━';
            }
        }
        let text = |cells: Vec<char>| cells.into_iter().collect::<String>();
        writeln!(out, "  {}", text(backups).trim_end())?;
        writeln!(out, "  {}", text(line).trim_end())?;
        let id = chain.tree().id(fork);
        for reach in reachable.forks.iter().filter(|reach| reach.fork == id) {
            for interval in &reach.intervals {
                writeln!(out, "  reachable {interval}")?;
            }
            for gap in &reach.gaps {
                writeln!(out, "  gap {gap}")?;
            }
        }
    }
    Ok(())
}
