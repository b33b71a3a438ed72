//! A media set: the files of one backup.

use std::fmt;
use std::path::{Path, PathBuf};

use uuid::Uuid;
use vab_chain::BackupSet;

use crate::mtf::Medium;

/// A whole media set: all stripes of one backup, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSet {
    id: Option<Uuid>,
    facts: Option<BackupSet>,
    stripes: Vec<Stripe>,
}

/// One file of a media set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stripe {
    /// The file.
    pub path: PathBuf,
    /// What it said when it was found.
    pub medium: Medium,
}

impl Stripe {
    pub(super) fn new(path: PathBuf, medium: Medium) -> Self {
        Self { path, medium }
    }

    /// The file's name, without its folder; what is not Unicode becomes U+FFFD.
    pub fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

impl MediaSet {
    pub(super) fn known(id: Uuid, facts: BackupSet, stripes: Vec<Stripe>) -> Self {
        Self {
            id: Some(id),
            facts: Some(facts),
            stripes,
        }
    }

    pub(super) fn unknown(stripe: Stripe) -> Self {
        Self {
            id: None,
            facts: None,
            stripes: vec![stripe],
        }
    }

    /// The identity of the media set; `None` of a compressed container of unknown layout.
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// The facts of its first backup set. `None` of a compressed container of unknown layout: its
    /// kind, LSNs and database are not known.
    pub fn facts(&self) -> Option<&BackupSet> {
        self.facts.as_ref()
    }

    /// Its files, at least one.
    pub fn stripes(&self) -> &[Stripe] {
        &self.stripes
    }

    /// Bytes of all its files together.
    pub fn length(&self) -> u64 {
        let lengths = self.stripes.iter().map(|stripe| stripe.medium.length());
        lengths.fold(0, u64::saturating_add)
    }

    /// How many backup sets it holds; 0 when that is not known.
    pub fn sets(&self) -> usize {
        let native = self.stripes.first().and_then(|it| it.medium.native());
        native.map_or(0, |medium| medium.sets.len())
    }

    pub(super) fn first_path(&self) -> &Path {
        self.stripes
            .first()
            .map_or(Path::new(""), |stripe| &stripe.path)
    }
}

impl fmt::Display for MediaSet {
    /// Writes `full of Sales, 24000000041900037..24000000043500001, finished …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.facts {
            Some(set) => write!(
                f,
                "{} of {}, {}..{}, finished {}",
                set.kind, set.database, set.first_lsn, set.last_lsn, set.finished
            ),
            None => write!(f, "compressed backup {}", self.first_path().display()),
        }
    }
}
