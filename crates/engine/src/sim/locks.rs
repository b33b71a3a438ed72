//! Locks on rows.

use std::collections::HashMap;

/// Which transaction has changed a row and is not over.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    owners: HashMap<u64, u64>,
    held: HashMap<u64, Vec<u64>>,
}

impl Locks {
    /// Locks a row; `false` if another transaction has it.
    pub(crate) fn take(&mut self, tx: u64, key: u64) -> bool {
        if let Some(owner) = self.owners.get(&key) {
            return *owner == tx;
        }
        self.owners.insert(key, tx);
        self.held.entry(tx).or_default().push(key);
        true
    }

    pub(crate) fn owner(&self, key: u64) -> Option<u64> {
        self.owners.get(&key).copied()
    }

    /// The transaction is over.
    pub(crate) fn release(&mut self, tx: u64) {
        for key in self.held.remove(&tx).unwrap_or_default() {
            self.owners.remove(&key);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_free_again_when_its_transaction_is_over() {
        let mut locks = Locks::default();
        assert!(locks.take(1, 7) && locks.take(1, 7) && !locks.take(2, 7));
        locks.release(1);
        assert!(locks.take(2, 7));
        assert_eq!(locks.owner(7), Some(2));
    }
}
