//! A tree as text: fulls, their differentials, and the logs after each.

use std::fmt::{self, Write};

use crate::chain::track::Slot;
use crate::{BackupKind, Chain, Lsn, PointFacts, PointId};

/// The chain as a tree of text: per recovery fork the fulls, under each its differentials and the
/// logs that follow, each with its times, LSN range, and what is wrong with it, if anything.
pub fn tree(chain: &Chain) -> String {
    tree_with_files(chain, |_| None)
}

/// Like [`tree`], with the file of each point.
pub fn tree_with_files(chain: &Chain, file: impl Fn(PointId) -> Option<String>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_tree(chain, &file, &mut text);
    text
}

type Files<'f> = &'f dyn Fn(PointId) -> Option<String>;

struct Node<'c> {
    facts: &'c PointFacts,
    children: Vec<Node<'c>>,
}

fn write_tree(chain: &Chain, file: Files<'_>, out: &mut String) -> fmt::Result {
    let mut forks: Vec<_> = chain.forks_by_age().collect();
    forks.reverse();
    for fork in forks {
        let name = super::fork_name(chain, fork);
        write!(out, "recovery fork {name}")?;
        if let Some(branch) = chain.tree().branch_of(fork) {
            let parent = super::fork_name(chain, branch.parent);
            write!(out, ", from {parent} at LSN {}", branch.at)?;
        }
        writeln!(out)?;
        let mut points: Vec<(Slot, &PointFacts)> = chain
            .slots()
            .filter(|(_, facts)| chain.fork_of(facts) == Some(fork))
            .collect();
        points.sort_by_key(|(_, facts)| (facts.last_lsn, facts.finished, facts.kind, facts.id));
        write_nodes(chain, file, out, &nest(chain, &points), "")?;
    }
    Ok(())
}

/// Puts differentials under their full, and logs under the last data backup before.
fn nest<'c>(chain: &Chain, points: &[(Slot, &'c PointFacts)]) -> Vec<Node<'c>> {
    let mut top: Vec<Node<'c>> = Vec::new();
    // For each top node, and each of its children, where it stands.
    let mut place_of = std::collections::HashMap::new();
    let mut last_data: Option<(usize, Option<usize>)> = None;
    for (slot, facts) in points {
        let node = Node {
            facts,
            children: Vec::new(),
        };
        let (parent, is_data) = match facts.kind {
            BackupKind::Full => (None, true),
            BackupKind::Differential => {
                let base = chain
                    .base(*slot)
                    .and_then(|base| place_of.get(&base).copied());
                (base.map(|full: usize| (full, None)), true)
            }
            BackupKind::Log => (last_data, false),
        };
        let place = insert(&mut top, parent, node);
        if facts.kind == BackupKind::Full {
            place_of.insert(*slot, place.0);
        }
        if is_data {
            last_data = Some(place);
        }
    }
    top
}

fn insert<'c>(
    top: &mut Vec<Node<'c>>,
    parent: Option<(usize, Option<usize>)>,
    node: Node<'c>,
) -> (usize, Option<usize>) {
    let Some((full, child)) = parent else {
        top.push(node);
        return (top.len().saturating_sub(1), None);
    };
    let Some(full_node) = top.get_mut(full) else {
        return (full, child);
    };
    if let Some(under) = child.and_then(|child| full_node.children.get_mut(child)) {
        under.children.push(node);
        return (full, child);
    }
    full_node.children.push(node);
    (full, Some(full_node.children.len().saturating_sub(1)))
}

fn write_nodes(
    chain: &Chain,
    file: Files<'_>,
    out: &mut String,
    nodes: &[Node<'_>],
    indent: &str,
) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        let is_last = index + 1 == nodes.len();
        let (branch, deeper) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        write!(out, "{indent}{branch}")?;
        write_point(chain, out, node.facts)?;
        if let Some(file) = file(node.facts.id) {
            write!(out, "  {file}")?;
        }
        writeln!(out)?;
        write_nodes(
            chain,
            file,
            out,
            &node.children,
            &format!("{indent}{deeper}"),
        )?;
    }
    Ok(())
}

fn write_point(chain: &Chain, out: &mut String, facts: &PointFacts) -> fmt::Result {
    write!(out, "{:<4} {}  ", facts.kind, facts.finished)?;
    write_range(out, facts.first_lsn, facts.last_lsn)?;
    if facts.copy_only {
        out.push_str("  copy-only");
    }
    if facts.is_empty_log() {
        out.push_str("  empty");
    }
    if facts.flags.bulk_logged {
        out.push_str("  bulk-logged");
    }
    if facts.flags.tail {
        out.push_str("  tail");
    }
    if let Some(state) = chain.state(facts.id).filter(|state| !state.is_restorable()) {
        write!(out, "  [{}]", state.label())?;
    }
    write!(out, "  {}", facts.id)
}

fn write_range(out: &mut String, from: Lsn, to: Lsn) -> fmt::Result {
    write!(out, "{from}..{to}")
}
