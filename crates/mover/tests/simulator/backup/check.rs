//! What has to hold when a run is over.

use uuid::Uuid;
use vab_mover::proto::Failure;

use super::{Outcome, World};
use crate::tally::Tally;

impl World {
    pub(super) fn check(mut self) -> (Outcome, Tally) {
        let outcome = self
            .outcome
            .take()
            .expect("the source never came to an end");
        let last = self.attempt.as_ref().unwrap();
        let (session, confirmed, commit_sent) = (last.session, last.confirmed, last.commit_sent);
        let made = session.is_some_and(|session| self.disk.committed.contains_key(&session));
        match &outcome {
            Outcome::Committed => self.check_restore_point(session.unwrap()),
            Outcome::Failed(Failure::CommitInDoubt { .. }) => assert!(commit_sent),
            Outcome::Failed(failure) => {
                assert!(!made, "a restore point after {failure}");
                // A source that was never heard of is not waited for as long as others.
                let away = matches!(failure, Failure::Refused(_) | Failure::ByTarget { .. });
                let unknown = away && !confirmed;
                let excuses = self.excuses;
                let good_reason = excuses.aborted
                    || excuses.store
                    || excuses.jumped
                    || excuses.displaced
                    || unknown;
                assert!(good_reason, "failed for no good reason: {failure}");
            }
        }
        for session in self.disk.committed.keys() {
            assert!(
                self.asked_to_commit(*session),
                "a restore point that no source asked for"
            );
        }
        self.check_nothing_left();
        (outcome, self.network.tally)
    }

    /// A confirmed backup restores byte for byte.
    fn check_restore_point(&self, session: Uuid) {
        let committed = &self.disk.committed[&session];
        assert_eq!(committed.facts, b"facts");
        assert_eq!(committed.streams.len(), self.scripts.len());
        assert_eq!(committed.ends.len(), self.scripts.len());
        for ((script, blocks), end) in self
            .scripts
            .iter()
            .zip(&committed.streams)
            .zip(&committed.ends)
        {
            let wrote: Vec<u8> = script.blocks.concat();
            let stored: Vec<u8> = blocks
                .iter()
                .flat_map(|block| block.payload.to_vec())
                .collect();
            assert_eq!(stored, wrote, "what is stored is not what was written");
            assert_eq!(end.crc, vab_format::checksum::crc32c(&wrote));
        }
    }

    fn asked_to_commit(&self, session: Uuid) -> bool {
        let last = self.attempt.as_ref().map(super::Attempt::past);
        self.past
            .iter()
            .chain(&last)
            .any(|past| past.session == Some(session) && past.commit_sent)
    }

    /// No session is held, and nothing of an aborted one is on the disk; what an earlier process
    /// of the target left there is cut off by whoever appends next.
    fn check_nothing_left(&self) {
        let held = self
            .process
            .as_ref()
            .map_or(0, |process| process.sessions.len());
        assert_eq!(held, 0, "the target still holds a session");
        for (session, open) in &self.disk.open {
            assert!(
                open.life < self.life,
                "session {session} was aborted and is still there"
            );
        }
    }
}
