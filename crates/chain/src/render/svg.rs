//! A timeline as SVG.

use std::fmt::{self, Write};

use crate::{BackupKind, Chain, PointId};

use super::{fork_name, points_on, scale, span};

const WIDTH: u32 = 960;
const LEFT: u32 = 20;
const ROW: u32 = 90;

/// A timeline as an SVG document: per recovery fork a bar with what can be reached (green) and the
/// gaps (red), the backups above it, and where each fork left its parent. Every part has a
/// tooltip with its facts.
pub fn svg(chain: &Chain, file: impl Fn(PointId) -> Option<String>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_svg(&mut out, chain, &file);
    out
}

fn write_svg(
    out: &mut String,
    chain: &Chain,
    file: &dyn Fn(PointId) -> Option<String>,
) -> fmt::Result {
    let mut forks: Vec<_> = chain.forks_by_age().collect();
    forks.reverse();
    let rows = u32::try_from(forks.len()).unwrap_or(u32::MAX / ROW - 1);
    let (width, height) = (WIDTH + 2 * LEFT, 50 + rows.saturating_mul(ROW));
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">"#
    )?;
    if let Some(span) = span(chain) {
        let x = |time| LEFT + scale(time, span, WIDTH);
        let title = Escaped(chain.database());
        writeln!(
            out,
            r#"<text x="{LEFT}" y="20" font-weight="bold">{title}</text>"#
        )?;
        writeln!(
            out,
            r#"<text x="{LEFT}" y="38" fill="{GREY}">{} to {}</text>"#,
            span.0, span.1
        )?;
        let reachable = chain.reachable();
        for (row, fork) in (0..).zip(&forks) {
            let y = 60 + row * ROW;
            let name = fork_name(chain, *fork);
            writeln!(out, r#"<g transform="translate(0 {y})">"#)?;
            writeln!(
                out,
                r#"<text x="{LEFT}" y="10" fill="{GREY}">recovery fork {name}"#
            )?;
            if let Some(branch) = chain.tree().branch_of(*fork) {
                let parent = fork_name(chain, branch.parent);
                write!(out, ", from {parent} at LSN {}", branch.at)?;
            }
            writeln!(out, "</text>")?;
            let id = chain.tree().id(*fork);
            for reach in reachable.forks.iter().filter(|reach| reach.fork == id) {
                for gap in &reach.gaps {
                    let from = gap.after.map_or(LEFT, x);
                    let to = gap.before.map_or(LEFT + WIDTH, x);
                    bar(out, from, to, "#d9534f", &gap.to_string())?;
                }
                for interval in &reach.intervals {
                    let (from, to) = (x(interval.from), x(interval.to));
                    bar(out, from, to, "#4a9d5b", &format!("reachable: {interval}"))?;
                }
            }
            for facts in points_on(chain, *fork) {
                let (radius, colour) = match facts.kind {
                    BackupKind::Full => (7, "#1f4e79"),
                    BackupKind::Differential => (5, "#7a5195"),
                    BackupKind::Log => (3, "#555555"),
                };
                let state = chain.state(facts.id);
                let usable = state.as_ref().is_some_and(crate::PointState::is_restorable);
                let colour = if usable { colour } else { "none" };
                let copy_only = if facts.copy_only { " copy-only" } else { "" };
                let place = file(facts.id).unwrap_or_default();
                let state = state.map_or_else(String::new, |state| state.to_string());
                let tooltip = format!(
                    "{}{copy_only} {}\nLSN {} to {}\n{state}\n{place}\n{}",
                    facts.kind, facts.finished, facts.first_lsn, facts.last_lsn, facts.id
                );
                writeln!(
                    out,
                    r##"<circle cx="{}" cy="30" r="{radius}" fill="{colour}" stroke="#1f4e79"><title>{}</title></circle>"##,
                    x(facts.finished),
                    Escaped(&tooltip)
                )?;
            }
            writeln!(out, "</g>")?;
        }
    }
    writeln!(out, "</svg>")
}

const GREY: &str = "#666666";

fn bar(out: &mut String, from: u32, to: u32, fill: &str, tooltip: &str) -> fmt::Result {
    let width = to.saturating_sub(from).max(2);
    writeln!(
        out,
        r#"<rect x="{from}" y="45" width="{width}" height="14" fill="{fill}"><title>{}</title></rect>"#,
        Escaped(tooltip)
    )
}

/// Text that cannot be markup.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\n' => f.write_char('\n')?,
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
