//! What the program's end says to whoever started it.

use std::process::ExitCode;

use vab_manager::RunOutcome;
use vab_manager::run::FailureClass;

/// Something failed.
pub(crate) const FAILED: u8 = 1;
/// The moment or state that was asked for cannot be restored, or something stored is damaged, or cut
/// off from what it builds on.
pub(crate) const NOT_RESTORABLE: u8 = 3;
/// Some databases have a backup, others failed.
pub(crate) const PARTIAL: u8 = 4;
/// No database needed or could have a backup.
pub(crate) const NOTHING_TO_DO: u8 = 5;
/// Another replica is the preferred one.
pub(crate) const NOT_PREFERRED: u8 = 6;
/// The chain is broken, and the policy forbids another backup.
pub(crate) const CHAIN_BROKEN: u8 = 7;
/// The repository has no space.
pub(crate) const REPOSITORY_FULL: u8 = 8;
/// The engine, the repository, or the care for what is there says no.
pub(crate) const REFUSED: u8 = 9;
/// Ctrl-C, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The list for `vab help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  success
    1  failed
    2  wrong arguments
    3  the moment cannot be reached, or a restore point is damaged or cut off
    4  partial: some databases were backed up, others failed
    5  nothing to do: no database needed or could have a backup
    6  another replica is the preferred one, nothing was done
    7  the chain is broken and --on-broken-chain forbids another backup
    8  the repository is full
    9  refused by the engine or the repository, or an existing database is in the way
  130  ended by Ctrl-C or SIGTERM; what ran was aborted and left nothing";

/// The code for the outcome of a run.
pub(crate) fn of_run(outcome: RunOutcome) -> ExitCode {
    ExitCode::from(match outcome {
        RunOutcome::Success => 0,
        RunOutcome::Partial => PARTIAL,
        RunOutcome::NothingToDo => NOTHING_TO_DO,
        RunOutcome::NotPreferred => NOT_PREFERRED,
        RunOutcome::ChainBroken => CHAIN_BROKEN,
        RunOutcome::RepositoryFull => REPOSITORY_FULL,
        RunOutcome::Refused => REFUSED,
        RunOutcome::Cancelled => INTERRUPTED,
        _ => FAILED,
    })
}

/// The code for a failure of this class.
pub(crate) fn of_failure(class: FailureClass) -> ExitCode {
    ExitCode::from(match class {
        FailureClass::ChainBroken => CHAIN_BROKEN,
        FailureClass::RepositoryFull => REPOSITORY_FULL,
        FailureClass::Refused => REFUSED,
        _ => FAILED,
    })
}
