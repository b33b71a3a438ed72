//! Holds what the server wrote down about a backup against what passed by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vab_chain::{BackupSet, BackupSetId, Lsn};

use crate::mtf::{MtfError, NativeMedium, SetFacts, StreamingReader, UnsupportedKind};
use crate::watch::{self, BackupWatch, StreamTap, Watched};

/// Reads the headers of every stripe of a backup while its bytes pass by.
///
/// Give it the bytes of each stream as they come ([`StreamWatch::observe`]) and ask at the end
/// whether they are the backup that the server says it made ([`StreamWatch::compare`]).
///
/// What it can read and is another backup is an error. What it cannot read is none, and is said: a
/// log that was backed up is gone from the server, and must not be thrown away because a reader
/// has never seen such a stream.
#[derive(Debug)]
pub struct StreamWatch {
    stripes: Vec<Arc<Mutex<Stripe>>>,
}

#[derive(Debug, Default)]
struct Stripe {
    reader: StreamingReader,
    /// The set, as the beginning of the stream has it.
    beginning: Option<SetFacts>,
    /// The first error; nothing is read after it.
    failed: Option<MtfError>,
}

/// What the server says of a backup is not what its stream says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// A stripe has another number of sets than one.
    #[error("stripe {stripe} holds {found} backup sets; a new one holds one")]
    Sets {
        /// The stripe, from 1.
        stripe: usize,
        /// How many.
        found: usize,
    },
    /// A kind of backup that nobody asked for.
    #[error("stripe {stripe} holds a backup of another kind")]
    Kind {
        /// The stripe, from 1.
        stripe: usize,
        /// Which.
        #[source]
        error: UnsupportedKind,
    },
    /// Another backup set.
    #[error("the server says that it made backup set {told}, and stripe {stripe} holds {found}")]
    Set {
        /// The stripe, from 1.
        stripe: usize,
        /// What the server says.
        told: BackupSetId,
        /// What the stream says.
        found: BackupSetId,
    },
    /// A fact is another one.
    #[error(
        "the server says that the {what} of the backup is {told}, and stripe {stripe} says {found}"
    )]
    Fact {
        /// The stripe, from 1.
        stripe: usize,
        /// Which fact.
        what: &'static str,
        /// What the server says.
        told: String,
        /// What the stream says.
        found: String,
    },
}

impl StreamWatch {
    /// A watch over this many stripes.
    pub fn new(stripes: usize) -> Self {
        let mut all = Vec::new();
        all.resize_with(stripes, Arc::default);
        Self { stripes: all }
    }

    /// Takes the next bytes of a stripe, counted from 0.
    pub fn observe(&self, stripe: usize, bytes: &[u8]) {
        if let Some(stripe) = self.stripes.get(stripe) {
            lock(stripe).observe(bytes);
        }
    }

    /// Whether all that passed is the backup that the server tells of, as far as it can be read.
    ///
    /// # Errors
    /// The first fact in which they differ.
    pub fn compare(&self, told: &BackupSet) -> Result<Watched, Disagreement> {
        let mut watched = Watched::Whole;
        for (number, stripe) in (1..).zip(&self.stripes) {
            let stripe = std::mem::take(&mut *lock(stripe));
            let found = stripe.compare(number, told)?;
            watched = match (watched, found) {
                (Watched::Whole, found)
                | (Watched::Beginning { .. }, found @ Watched::Nothing { .. }) => found,
                (watched, _) => watched,
            };
        }
        Ok(watched)
    }
}

impl BackupWatch for StreamWatch {
    fn tap(&mut self, stream: usize) -> StreamTap {
        match self.stripes.get(stream).cloned() {
            Some(stripe) => Box::new(move |bytes| lock(&stripe).observe(bytes)),
            None => Box::new(|_| {}),
        }
    }

    fn check(self: Box<Self>, told: &BackupSet) -> Result<Watched, watch::Disagreement> {
        self.compare(told).map_err(watch::Disagreement::new)
    }
}

fn lock(stripe: &Mutex<Stripe>) -> MutexGuard<'_, Stripe> {
    // A reader that was left half way says nothing that is wrong.
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stripe {
    fn observe(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.failed = self.reader.push(bytes).err();
        if self.beginning.is_none() {
            self.beginning = self.reader.sets().first().cloned();
        }
    }

    fn compare(self, stripe: usize, told: &BackupSet) -> Result<Watched, Disagreement> {
        let medium = match self.failed {
            Some(error) => Err(error),
            None => self.reader.finish(),
        };
        let error = match &medium {
            Ok(medium) => match medium.native() {
                Some(native) => return whole(stripe, native, told).map(|()| Watched::Whole),
                None => "it is a compressed or encrypted backup of a layout that is not published"
                    .to_owned(),
            },
            Err(error) => error.to_string(),
        };
        let reason = format!("stripe {stripe}: {error}");
        match self.beginning {
            None => Ok(Watched::Nothing { reason }),
            Some(facts) => {
                beginning(stripe, &facts, told)?;
                Ok(Watched::Beginning { reason })
            }
        }
    }
}

/// A stripe that was read to its end.
fn whole(stripe: usize, native: &NativeMedium, told: &BackupSet) -> Result<(), Disagreement> {
    let [facts] = native.sets.as_slice() else {
        let found = native.sets.len();
        return Err(Disagreement::Sets { stripe, found });
    };
    let found = facts
        .backup_set(native.family.count)
        .map_err(|error| Disagreement::Kind { stripe, error })?;
    let lsn = |lsn: Lsn| lsn.to_string();
    same_set(stripe, told, &found)?;
    differ(
        stripe,
        [
            ("first LSN", lsn(told.first_lsn), lsn(found.first_lsn)),
            ("last LSN", lsn(told.last_lsn), lsn(found.last_lsn)),
            (
                "checkpoint LSN",
                lsn(told.checkpoint_lsn),
                lsn(found.checkpoint_lsn),
            ),
            (
                "number of stripes",
                told.stripes.to_string(),
                found.stripes.to_string(),
            ),
        ],
    )
}

/// A stripe of which only the beginning was read: what is known before the data.
fn beginning(stripe: usize, facts: &SetFacts, told: &BackupSet) -> Result<(), Disagreement> {
    let found = facts
        .backup_set(told.stripes)
        .map_err(|error| Disagreement::Kind { stripe, error })?;
    same_set(stripe, told, &found)
}

fn same_set(stripe: usize, told: &BackupSet, found: &BackupSet) -> Result<(), Disagreement> {
    if told.id != found.id {
        return Err(Disagreement::Set {
            stripe,
            told: told.id,
            found: found.id,
        });
    }
    differ(
        stripe,
        [
            ("database", told.database.clone(), found.database.clone()),
            ("kind", told.kind.to_string(), found.kind.to_string()),
        ],
    )
}

/// The first of the facts that both have, and have otherwise.
fn differ<const N: usize>(
    stripe: usize,
    facts: [(&'static str, String, String); N],
) -> Result<(), Disagreement> {
    match facts.into_iter().find(|(_, told, found)| told != found) {
        None => Ok(()),
        Some((what, told, found)) => Err(Disagreement::Fact {
            stripe,
            what,
            told,
            found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::mtf::read_bytes;
    use crate::mtf::testing::{Set, Tape};

    fn stripes(count: u16) -> Vec<Vec<u8>> {
        let stripe = |number| {
            let tape = Tape {
                count,
                number,
                ..Tape::default()
            };
            tape.write()
        };
        (1..=count).map(stripe).collect()
    }

    fn told(stripe: &[u8]) -> BackupSet {
        let medium = read_bytes(stripe).unwrap();
        let native = medium.native().unwrap();
        native.sets[0].backup_set(native.family.count).unwrap()
    }

    /// The stripes as they pass, in pieces of this size, by turns.
    fn watched(stripes: &[Vec<u8>], piece: usize) -> StreamWatch {
        let watch = StreamWatch::new(stripes.len());
        let longest = stripes.iter().map(Vec::len).max().unwrap();
        for at in (0..longest).step_by(piece) {
            for (number, stripe) in stripes.iter().enumerate() {
                let end = stripe.len().min(at + piece);
                watch.observe(number, stripe.get(at..end).unwrap_or_default());
            }
        }
        watch
    }

    #[test]
    fn a_stream_that_is_what_the_server_says_passes() {
        for count in [1, 3] {
            let stripes = stripes(count);
            let told = told(&stripes[0]);
            for piece in [1, 1000, 1 << 20] {
                assert_eq!(watched(&stripes, piece).compare(&told), Ok(Watched::Whole));
            }
        }
    }

    #[test]
    fn every_fact_that_differs_is_found_with_its_stripe() {
        let stripes = stripes(2);
        let check = |change: fn(&mut BackupSet)| {
            let mut told = told(&stripes[0]);
            change(&mut told);
            watched(&stripes, 4096)
                .compare(&told)
                .unwrap_err()
                .to_string()
        };
        let finds = |change, part: &str| {
            let error = check(change);
            assert!(
                error.contains(part) && error.contains("stripe 1"),
                "{error}"
            );
        };
        finds(|told| told.id = BackupSetId(Uuid::nil()), "made backup set");
        finds(|told| told.first_lsn = Lsn::ZERO, "first LSN");
        finds(|told| told.last_lsn = Lsn::MAX, "last LSN");
        finds(|told| told.checkpoint_lsn = Lsn::ZERO, "checkpoint LSN");
        finds(|told| told.database.push('x'), "database");
        finds(|told| told.kind = vab_chain::BackupKind::Log, "kind");
        finds(|told| told.stripes = 3, "number of stripes");
    }

    #[test]
    fn a_stripe_of_another_set_is_found_and_an_unfinished_one_is_said() {
        let mut stripes = stripes(2);
        let told = told(&stripes[0]);
        let other = Tape {
            count: 2,
            number: 2,
            sets: vec![Set {
                id: Uuid::from_u128(0xc),
                ..Set::default()
            }],
            ..Tape::default()
        };
        let whole = std::mem::replace(&mut stripes[1], other.write());
        let found = watched(&stripes, 4096).compare(&told);
        let second = matches!(found, Err(Disagreement::Set { stripe: 2, .. }));
        assert!(second, "{found:?}");
        // What was read of it is right, and the rest was not seen.
        stripes[1] = whole[..whole.len() / 2].to_vec();
        let found = watched(&stripes, 4096).compare(&told).unwrap();
        assert!(matches!(found, Watched::Beginning { .. }), "{found}");
        assert!(found.to_string().contains("stripe 2"), "{found}");
    }

    #[test]
    fn a_stream_that_cannot_be_read_is_believed_and_said() {
        let whole = stripes(1);
        let told = told(&whole[0]);
        let container = [b"MSSQLBAK".as_slice(), &[9; 4096]].concat();
        for stream in [container, b"of no known form".to_vec(), Vec::new()] {
            let found = watched(&[stream], 1000).compare(&told).unwrap();
            assert!(matches!(found, Watched::Nothing { .. }), "{found}");
        }
    }

    #[test]
    fn a_stream_whose_end_cannot_be_read_is_held_to_its_beginning() {
        let mut stripes = stripes(1);
        let mut told = told(&stripes[0]);
        let length = stripes[0].len();
        // The last block of the set.
        stripes[0][length - 1024..].fill(0xee);
        let found = watched(&stripes, 1000).compare(&told).unwrap();
        assert!(matches!(found, Watched::Beginning { .. }), "{found}");
        told.database = "Other".to_owned();
        let found = watched(&stripes, 1000).compare(&told).unwrap_err();
        let text = found.to_string();
        assert!(text.contains("Other") && text.contains("Sales"), "{text}");
    }
}
