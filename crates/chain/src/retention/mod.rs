//! Which restore points are kept, and which files can be deleted.
//!
//! Points stay or go by whole chains: a full, the differentials on it, and the logs that follow.
//! A log that runs across the end of a full belongs to the later chain, which needs it; so a chain
//! that stays never needs one that goes. Nothing here reads a clock: asking for a later time gives
//! what would be left then.

mod groups;
mod policy;
mod verdict;

pub use policy::{Gfs, Period, RetentionPolicy};
pub use verdict::{ChainFate, FileFate, KeepReason, RemoveReason, Retention, Verdict};

use std::collections::{BTreeMap, HashMap};

use crate::{Chain, PointId, UtcTime};

use groups::Group;

/// Where a restore point is kept. A point that is in several files has several of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stored<F> {
    /// The restore point.
    pub point: PointId,
    /// The file it is in.
    pub file: F,
    /// When it was committed, on the repository's clock.
    pub committed: UtcTime,
    /// Whether somebody wants it kept, whatever the policy says.
    pub held: bool,
}

impl Chain {
    /// What is to become of the points of this database at `now`, on the repository's clock.
    ///
    /// `stored` says where each point is, and when it came there. A point that the chain does not
    /// know counts as one that depends on nothing.
    ///
    /// ```
    /// use vab_chain::{BackupKind, BackupSet, Chain, Lsn, PointId, RestorePoint, Stored};
    /// use vab_chain::{RetentionPolicy, UtcTime};
    /// # use uuid::Uuid;
    /// # let point = |n: u32| {
    /// #     let lsns = Lsn::new(1, n, 0)..Lsn::new(1, n + 1, 0);
    /// #     let time = format!("2026-11-{n:02}T00:00:00").parse().unwrap();
    /// #     let id = Uuid::from_u128(n.into());
    /// #     RestorePoint { id: PointId(id), set: BackupSet::new(id.into(), "db", BackupKind::Full, lsns, time, time) }
    /// # };
    /// let (first, second) = (point(1), point(8)); // two fulls, a week apart
    /// let stored = |point: &RestorePoint, day: &str| Stored {
    ///     point: point.id,
    ///     file: day.to_owned(),
    ///     committed: format!("2026-11-{day}T00:00:00Z").parse().unwrap(),
    ///     held: false,
    /// };
    /// let places = [stored(&first, "01"), stored(&second, "08")];
    /// let chain = Chain::new([first, second]);
    /// let now: UtcTime = "2026-11-08T01:00:00Z".parse()?;
    /// let fate = chain.retention(&places, &RetentionPolicy::days(7), now);
    /// assert_eq!(fate.deletable().collect::<Vec<_>>(), ["01"]);
    /// # Ok::<(), vab_chain::ParseTimeError>(())
    /// ```
    pub fn retention<F: Clone + Ord>(
        &self,
        stored: &[Stored<F>],
        policy: &RetentionPolicy,
        now: UtcTime,
    ) -> Retention<F> {
        let groups = groups::groups(self, stored);
        let chains = judge(&groups, policy, now);
        let files = files(stored, &chains);
        Retention { chains, files }
    }
}

fn judge(groups: &[Group], policy: &RetentionPolicy, now: UtcTime) -> Vec<ChainFate> {
    let by_number = by_number(groups, policy);
    let oldest_kept = groups
        .iter()
        .zip(&by_number)
        .filter(|(group, kept)| kept.is_some() || group.active)
        .map(|(group, _)| group.first)
        .min();
    groups
        .iter()
        .zip(&by_number)
        .map(|(group, kept)| {
            let keep = if policy.is_empty() {
                Some(KeepReason::NoPolicy)
            } else if group.active {
                Some(KeepReason::Active)
            } else if let Some(point) = group.held {
                Some(KeepReason::Held { point })
            } else {
                // What stays by number does so until other backups come; the rest only by time.
                kept.or_else(|| not_older(group, policy, oldest_kept))
                    .or_else(|| not_outdated(group, policy, now))
            };
            ChainFate {
                full: group.full,
                points: group.points.clone(),
                last: group.last,
                verdict: match keep {
                    Some(reason) => Verdict::Keep(reason),
                    None if group.full.is_some() => {
                        Verdict::Remove(RemoveReason::Outdated { last: group.last })
                    }
                    None => Verdict::Remove(RemoveReason::Orphaned { last: group.last }),
                },
            }
        })
        .collect()
}

fn not_outdated(group: &Group, policy: &RetentionPolicy, now: UtcTime) -> Option<KeepReason> {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    let keep_for = i64::from(policy.days?).saturating_mul(DAY);
    let until = UtcTime::from_micros(group.last.as_micros().saturating_add(keep_for));
    (now < until).then_some(KeepReason::NotOutdated { until })
}

/// Rules that count speak of regular fulls; copy-only fulls and orphans among them stay.
fn not_older(
    group: &Group,
    policy: &RetentionPolicy,
    oldest_kept: Option<UtcTime>,
) -> Option<KeepReason> {
    let counts = policy.fulls.is_some() || policy.last.is_some() || policy.gfs != Gfs::default();
    let among = oldest_kept.is_some_and(|oldest| group.last >= oldest);
    (counts && !group.regular && among).then_some(KeepReason::NotOlder)
}

/// For each group, the rule by number that speaks for it.
fn by_number(groups: &[Group], policy: &RetentionPolicy) -> Vec<Option<KeepReason>> {
    let mut kept: Vec<Option<KeepReason>> = vec![None; groups.len()];
    let mut keep = |index: usize, reason| {
        if let Some(kept) = kept.get_mut(index) {
            kept.get_or_insert(reason);
        }
    };
    let mut fulls: Vec<(UtcTime, usize)> = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| group.regular)
        .map(|(index, group)| (group.first, index))
        .collect();
    fulls.sort_unstable();
    fulls.reverse();

    let count = policy.fulls.unwrap_or(0);
    for ((_, index), position) in fulls.iter().zip(0..count) {
        keep(
            *index,
            KeepReason::AmongFulls {
                fulls_to_come: count - position,
            },
        );
    }
    let mut points: Vec<(UtcTime, usize)> = groups
        .iter()
        .enumerate()
        .flat_map(|(index, group)| group.committed.iter().map(move |at| (*at, index)))
        .collect();
    points.sort_unstable();
    for ((_, index), _) in points.iter().rev().zip(0..policy.last.unwrap_or(0)) {
        keep(*index, KeepReason::AmongLast);
    }
    let periods = [
        (Period::Day, policy.gfs.daily),
        (Period::Week, policy.gfs.weekly),
        (Period::Month, policy.gfs.monthly),
        (Period::Year, policy.gfs.yearly),
    ];
    for (period, count) in periods {
        let mut last_seen = None;
        let mut seen = 0;
        for (at, index) in &fulls {
            let this = at.period(period);
            if last_seen != Some(this) {
                last_seen = Some(this);
                seen += 1;
                if seen > count {
                    break;
                }
                keep(*index, KeepReason::Gfs { period });
            }
        }
    }
    kept
}

fn files<F: Clone + Ord>(stored: &[Stored<F>], chains: &[ChainFate]) -> Vec<FileFate<F>> {
    let mut verdicts: HashMap<PointId, Verdict> = HashMap::new();
    for chain in chains {
        for point in &chain.points {
            // A log that two chains need stays with either.
            let verdict = verdicts.entry(*point).or_insert(chain.verdict);
            if !verdict.keeps() {
                *verdict = chain.verdict;
            }
        }
    }
    let mut files: BTreeMap<&F, FileFate<F>> = BTreeMap::new();
    for place in stored {
        let fate = files.entry(&place.file).or_insert_with(|| FileFate {
            file: place.file.clone(),
            delete: true,
            stay: Vec::new(),
            go: Vec::new(),
            because: None,
            until: None,
        });
        match verdicts.get(&place.point) {
            Some(Verdict::Keep(reason)) => {
                fate.stay.push(place.point);
                // One that waits for other backups waits longer than one that waits for a day.
                let longer = match (fate.because.map(|because| because.until()), reason.until()) {
                    (None, _) | (Some(Some(_)), None) => true,
                    (Some(Some(old)), Some(new)) => new > old,
                    (Some(None), _) => false,
                };
                if longer {
                    fate.because = Some(*reason);
                }
                fate.until = fate.because.and_then(|because| because.until());
                fate.delete = false;
            }
            Some(Verdict::Remove(_)) | None => fate.go.push(place.point),
        }
    }
    files.into_values().collect()
}
