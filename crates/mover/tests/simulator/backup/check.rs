//! What has to hold when a run is over.

use vab_mover::proto::Failure;

use super::{Outcome, World};

impl World {
    pub(super) fn check(mut self, aborted: bool, faulty: bool) -> Outcome {
        let outcome = self
            .outcome
            .take()
            .expect("the source never came to an end");
        match &outcome {
            Outcome::Committed => {
                assert_eq!(self.disk.committed.len(), 1, "restore points");
                let committed = &self.disk.committed[&self.session.unwrap()];
                assert_eq!(committed.facts, b"facts");
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
            Outcome::Failed(Failure::CommitInDoubt { .. }) => {
                assert!(self.disk.committed.len() <= 1);
            }
            Outcome::Failed(failure) => {
                assert_eq!(
                    self.disk.committed.len(),
                    0,
                    "a restore point after {failure}"
                );
                // A source that was never heard of is not waited for as long as others.
                let unknown = matches!(failure, Failure::Refused(_)) && !self.confirmed;
                let excused = aborted
                    || faulty
                    || unknown
                    || matches!(failure, Failure::LostBeforeBegin { .. });
                assert!(excused, "failed for no good reason: {failure}");
            }
        }
        let left = self
            .process
            .as_ref()
            .map_or(0, |process| process.sessions.len());
        assert_eq!(left, 0, "the target still holds a session");
        outcome
    }
}
