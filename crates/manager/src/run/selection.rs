//! Which databases a run is about.

use vab_engine::DatabaseInfo;

use super::pattern::Pattern;

/// Which databases a run is about. Whether a backup of each is possible is decided later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    wanted: Wanted,
    excluded: Vec<Pattern>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    All,
    These(Vec<Pattern>),
}

/// What a [`Selection`] found on an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// The databases, in the order of the engine, each once.
    pub databases: Vec<DatabaseInfo>,
    /// Names without wildcards that no database has.
    pub missing: Vec<String>,
    /// Patterns that stand for no database.
    pub idle: Vec<String>,
}

impl Selection {
    /// Every database of the engine.
    pub fn all() -> Self {
        Self::default()
    }

    /// The databases that these names or patterns stand for.
    pub fn of(wanted: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            wanted: Wanted::These(patterns(wanted)),
            excluded: Vec::new(),
        }
    }

    /// Without those that these names or patterns stand for.
    #[must_use]
    pub fn without(mut self, excluded: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.excluded.extend(patterns(excluded));
        self
    }

    /// Looks the databases up among those of an engine.
    pub fn choose(&self, databases: &[DatabaseInfo]) -> Selected {
        let mut selected = Selected::default();
        let mut chosen = vec![false; databases.len()];
        match &self.wanted {
            Wanted::All => chosen.fill(true),
            Wanted::These(patterns) => {
                for pattern in patterns {
                    let meant = meant(pattern, databases);
                    if !meant.contains(&true) {
                        let list = if pattern.is_wild() {
                            &mut selected.idle
                        } else {
                            &mut selected.missing
                        };
                        list.push(pattern.as_str().to_owned());
                    }
                    chosen
                        .iter_mut()
                        .zip(meant)
                        .for_each(|(all, one)| *all |= one);
                }
            }
        }
        for pattern in &self.excluded {
            let meant = meant(pattern, databases);
            chosen
                .iter_mut()
                .zip(meant)
                .for_each(|(all, one)| *all &= !one);
        }
        let kept = databases.iter().zip(chosen).filter(|(_, chosen)| *chosen);
        selected.databases = kept.map(|(database, _)| database.clone()).collect();
        selected
    }
}

fn patterns(texts: impl IntoIterator<Item = impl Into<String>>) -> Vec<Pattern> {
    texts.into_iter().map(Pattern::new).collect()
}

/// For each database whether `pattern` means it: only the one that is called exactly so, if there
/// is one.
fn meant(pattern: &Pattern, databases: &[DatabaseInfo]) -> Vec<bool> {
    let exactly: Vec<bool> = databases
        .iter()
        .map(|database| database.name == pattern.as_str())
        .collect();
    if exactly.contains(&true) {
        return exactly;
    }
    databases
        .iter()
        .map(|database| pattern.matches(&database.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use vab_engine::{DatabaseState, RecoveryModel};

    use super::*;

    fn databases(names: &[&str]) -> Vec<DatabaseInfo> {
        let info =
            |name: &&str| DatabaseInfo::new(*name, DatabaseState::Online, RecoveryModel::Full);
        names.iter().map(info).collect()
    }

    fn chosen(selection: &Selection, names: &[&str]) -> Vec<String> {
        let selected = selection.choose(&databases(names));
        selected
            .databases
            .into_iter()
            .map(|info| info.name)
            .collect()
    }

    #[test]
    fn all_but_those_that_are_excluded() {
        let selection = Selection::all().without(["Test*", "scratch"]);
        let names = ["Orders", "Sales", "Scratch", "Test1"];
        assert_eq!(chosen(&selection, &names), ["Orders", "Sales"]);
    }

    #[test]
    fn a_database_that_two_patterns_mean_is_there_once() {
        let selection = Selection::of(["Sales*", "sales2026"]);
        let names = ["Orders", "Sales2025", "Sales2026"];
        assert_eq!(chosen(&selection, &names), ["Sales2025", "Sales2026"]);
    }

    #[test]
    fn the_exact_name_wins_over_another_case_and_over_its_wildcards() {
        assert_eq!(
            chosen(&Selection::of(["sales"]), &["SALES", "sales"]),
            ["sales"]
        );
        assert_eq!(chosen(&Selection::of(["sales"]), &["Sales"]), ["Sales"]);
        assert_eq!(chosen(&Selection::of(["a*"]), &["a*", "ab"]), ["a*"]);
    }

    #[test]
    fn a_name_that_nobody_has_is_missing_and_a_pattern_is_idle() {
        let selected = Selection::of(["Nobody", "No*"]).choose(&databases(&["Sales"]));
        assert_eq!(selected.missing, ["Nobody"]);
        assert_eq!(selected.idle, ["No*"]);
        assert!(selected.databases.is_empty());
    }

    #[test]
    fn what_is_excluded_was_not_missed() {
        let selected = Selection::of(["Sales"])
            .without(["S*"])
            .choose(&databases(&["Sales"]));
        assert_eq!(selected, Selected::default());
    }
}
