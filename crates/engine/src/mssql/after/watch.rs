//! Holds what the server wrote down about a backup against what passed by.

use vab_chain::{BackupSet, BackupSetId, Lsn};

use crate::mtf::{Medium, MtfError, StreamingReader, UnsupportedKind};

/// Reads the headers of every stripe of a backup while its bytes pass by.
///
/// Give it the bytes of each stream as they come ([`StreamWatch::observe`]) and ask at the end
/// whether they are the backup that the server says it made ([`StreamWatch::check`]).
#[derive(Debug)]
pub struct StreamWatch {
    stripes: Vec<Stripe>,
}

#[derive(Debug, Default)]
struct Stripe {
    reader: StreamingReader,
    /// The first error; nothing is read after it.
    failed: Option<MtfError>,
}

/// What the server says of a backup is not what its stream says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// A stripe is no whole backup stream.
    #[error("stripe {stripe} is not a whole backup stream")]
    Stream {
        /// The stripe, from 1.
        stripe: usize,
        /// What is wrong.
        #[source]
        error: MtfError,
    },
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
        all.resize_with(stripes, Stripe::default);
        Self { stripes: all }
    }

    /// Takes the next bytes of a stripe, counted from 0.
    pub fn observe(&mut self, stripe: usize, bytes: &[u8]) {
        if let Some(stripe) = self.stripes.get_mut(stripe)
            && stripe.failed.is_none()
        {
            stripe.failed = stripe.reader.push(bytes).err();
        }
    }

    /// Whether all that passed is the backup that the server tells of. A compressed backup of an
    /// unknown layout says nothing, and is believed.
    ///
    /// # Errors
    /// The first fact in which they differ.
    pub fn check(self, told: &BackupSet) -> Result<(), Disagreement> {
        for (stripe, Stripe { reader, failed }) in (1..).zip(self.stripes) {
            let medium = match failed {
                Some(error) => Err(error),
                None => reader.finish(),
            };
            let medium = medium.map_err(|error| Disagreement::Stream { stripe, error })?;
            check_medium(stripe, &medium, told)?;
        }
        Ok(())
    }
}

fn check_medium(stripe: usize, medium: &Medium, told: &BackupSet) -> Result<(), Disagreement> {
    let Some(native) = medium.native() else {
        return Ok(());
    };
    let [facts] = native.sets.as_slice() else {
        let found = native.sets.len();
        return Err(Disagreement::Sets { stripe, found });
    };
    let found = facts
        .backup_set(native.family.count)
        .map_err(|error| Disagreement::Kind { stripe, error })?;
    compare(stripe, told, &found)
}

/// The facts that both have. Times are in the stream in whole seconds.
fn compare(stripe: usize, told: &BackupSet, found: &BackupSet) -> Result<(), Disagreement> {
    if told.id != found.id {
        return Err(Disagreement::Set {
            stripe,
            told: told.id,
            found: found.id,
        });
    }
    let lsn = |lsn: Lsn| lsn.to_string();
    let facts = [
        ("database", told.database.clone(), found.database.clone()),
        ("kind", told.kind.to_string(), found.kind.to_string()),
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
    ];
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
        let mut watch = StreamWatch::new(stripes.len());
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
                assert_eq!(watched(&stripes, piece).check(&told), Ok(()));
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
                .check(&told)
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
    fn a_stripe_of_another_set_or_an_unfinished_one_is_found() {
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
        let found = watched(&stripes, 4096).check(&told);
        let second = matches!(found, Err(Disagreement::Set { stripe: 2, .. }));
        assert!(second, "{found:?}");
        stripes[1] = whole[..whole.len() / 2].to_vec();
        let found = watched(&stripes, 4096).check(&told);
        let second = matches!(found, Err(Disagreement::Stream { stripe: 2, .. }));
        assert!(second, "{found:?}");
    }
}
