//! Puts the stripes of one media set together.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use uuid::Uuid;
use vab_chain::BackupSetId;

use super::{MediaSet, Note, Problem, Stripe};
use crate::mtf::{Family, NativeMedium, SetFacts};

/// What the stripes of one backup have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    media_set: Uuid,
    backup_set: BackupSetId,
    count: u16,
}

impl GroupKey {
    pub(super) fn new(family: Family, set: &SetFacts) -> Self {
        Self {
            media_set: family.media_set,
            backup_set: BackupSetId(set.start.id),
            count: family.count,
        }
    }
}

/// Files that say that they are of one backup.
pub(super) struct Group {
    key: GroupKey,
    /// The facts as the first file tells them.
    set: SetFacts,
    members: Vec<Member>,
}

/// A file, and what it says.
struct Member {
    stripe: Stripe,
    medium: NativeMedium,
}

impl Member {
    fn number(&self) -> u16 {
        self.medium.family.number
    }

    fn path(&self) -> &Path {
        &self.stripe.path
    }
}

impl Group {
    pub(super) fn new(key: GroupKey, set: SetFacts) -> Self {
        Self {
            key,
            set,
            members: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, stripe: Stripe, medium: NativeMedium) {
        self.members.push(Member { stripe, medium });
    }

    /// The media set, if all its stripes are there.
    pub(super) fn finish(mut self, notes: &mut Vec<Note>) -> Result<MediaSet, Problem> {
        self.members.sort_by_key(Member::number);
        self.drop_duplicates(notes)?;
        self.check_whole()?;
        self.check_agreement()?;
        let facts = match self.set.backup_set(self.key.count) {
            Ok(facts) => facts,
            Err(error) => {
                let paths = self.members.into_iter().map(|member| member.stripe.path);
                return Err(Problem::Unsupported {
                    paths: paths.collect(),
                    error,
                });
            }
        };
        let stripes = self.members.into_iter().map(|member| member.stripe);
        Ok(MediaSet::known(
            self.key.media_set,
            facts,
            stripes.collect(),
        ))
    }

    fn drop_duplicates(&mut self, notes: &mut Vec<Note>) -> Result<(), Problem> {
        let mut kept: Vec<Member> = Vec::new();
        for member in std::mem::take(&mut self.members) {
            let number = member.number();
            let Some(first) = kept.last().filter(|last| last.number() == number) else {
                kept.push(member);
                continue;
            };
            if !is_copy(&member, first)? {
                return Err(Problem::TwoVersions {
                    number,
                    count: self.key.count,
                    media_set: self.key.media_set,
                    backup_set: self.key.backup_set,
                    database: self.set.first.database.clone(),
                    first: first.path().to_owned(),
                    second: member.stripe.path,
                });
            }
            notes.push(Note::Duplicate {
                path: member.stripe.path,
                of: first.path().to_owned(),
            });
        }
        self.members = kept;
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Problem> {
        let there = |number: &u16| self.members.iter().any(|it| it.number() == *number);
        let missing: Vec<u16> = (1..=self.key.count).filter(|it| !there(it)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Problem::MissingStripes {
            missing,
            count: self.key.count,
            media_set: self.key.media_set,
            backup_set: self.key.backup_set,
            database: self.set.first.database.clone(),
            found: self.members.iter().map(|it| it.path().to_owned()).collect(),
        })
    }

    /// All stripes have to tell the same about the backup sets.
    fn check_agreement(&self) -> Result<(), Problem> {
        let Some((first, rest)) = self.members.split_first() else {
            return Ok(());
        };
        for member in rest {
            if let Some(what) = difference(&first.medium, &member.medium) {
                return Err(Problem::StripesDisagree {
                    media_set: self.key.media_set,
                    first: first.path().to_owned(),
                    second: member.path().to_owned(),
                    what,
                });
            }
        }
        Ok(())
    }
}

fn is_copy(member: &Member, of: &Member) -> Result<bool, Problem> {
    if member.stripe.medium != of.stripe.medium {
        return Ok(false);
    }
    same_bytes(member.path(), of.path()).map_err(|error| Problem::Unreadable {
        path: member.path().to_owned(),
        error,
    })
}

fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    const PIECE: usize = 256 * 1024;
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        let limit = u64::try_from(PIECE).unwrap_or(u64::MAX);
        (&mut a).take(limit).read_to_end(&mut left)?;
        (&mut b).take(limit).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

/// In what two stripes differ that have to tell the same.
fn difference(one: &NativeMedium, other: &NativeMedium) -> Option<&'static str> {
    if one.sets.len() != other.sets.len() {
        return Some("the number of backup sets");
    }
    one.sets.iter().zip(&other.sets).find_map(|(one, other)| {
        if one.start.id != other.start.id {
            Some("the identity of a backup set")
        } else if one.first != other.first {
            Some("the first configuration record")
        } else if one.last != other.last {
            Some("the last configuration record")
        } else {
            None
        }
    })
}
