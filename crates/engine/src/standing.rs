//! How a database stands, in the terms of the chain.

use vab_chain::EngineState;

use crate::engine::{DatabaseInfo, RecoveryModel};

impl From<RecoveryModel> for vab_chain::RecoveryModel {
    fn from(model: RecoveryModel) -> Self {
        match model {
            RecoveryModel::Simple => Self::Simple,
            RecoveryModel::Full => Self::Full,
            RecoveryModel::BulkLogged => Self::BulkLogged,
        }
    }
}

impl From<&DatabaseInfo> for EngineState {
    /// What the chain guard looks at before a backup.
    fn from(info: &DatabaseInfo) -> Self {
        let mut state = Self::new(info.recovery_model.into());
        state.last_log_backup_lsn = info.last_log_backup_lsn;
        state.recovery_fork = info.fork;
        state.differential_base = info.differential_base.and_then(|base| base.id);
        state
    }
}
