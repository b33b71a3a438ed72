//! One backup: the engine's statement, its devices, the source mover and the commit.

use vab_engine::{BackupWatch, Disagreement, Watched};
use vab_mover::source::StreamError;
use vab_mover::{Encoding, Source};
use vab_repository::{Facts, SessionFacts};
use vab_vdi::DeviceName;

use super::device_set::{DeviceSetError, OpenDevices, Statement};
use super::ends::Ends;
use crate::message::{self, BeginBackup, MessageError};
use crate::observer::{Happening, Observer};
use crate::point::PointInfo;

/// Why a backup left no restore point. `E` is the error of the engine's statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError<E: std::error::Error + 'static> {
    /// The engine's statement failed.
    #[error("the engine did not make the backup")]
    Statement(#[source] E),
    /// The streams are not the backup that the engine tells of.
    #[error(transparent)]
    Disagrees(#[from] Disagreement),
    /// The devices failed.
    #[error(transparent)]
    Devices(#[from] DeviceSetError),
    /// The way to the repository, or the repository, failed.
    #[error(transparent)]
    Mover(#[from] vab_mover::source::BackupError),
    /// The repository did not commit. Unless it says that it is in doubt, there is no restore
    /// point.
    #[error("the backup was not committed")]
    Commit(#[from] vab_mover::source::CommitError),
    /// What the engine said about the backup cannot be stored.
    #[error("what the engine says about the backup cannot be stored")]
    Facts(#[from] vab_format::EncodeError),
    /// The answer to the commit is not ours. The restore point may be there: list it.
    #[error("the backup was stored, but the answer cannot be read")]
    Receipt(#[from] MessageError),
}

/// What to take, and from where.
pub(crate) struct Take<'a> {
    pub(crate) source: &'a Source,
    pub(crate) ends: Ends,
    pub(crate) begin: BeginBackup,
    pub(crate) streams: u16,
    pub(crate) encoding: &'a Encoding,
    /// Bytes it will move, where that is known.
    pub(crate) bytes: Option<u64>,
    /// Who reads the streams as they pass.
    pub(crate) watch: Option<Box<dyn BackupWatch>>,
    pub(crate) observer: &'a Observer,
}

impl Take<'_> {
    /// Runs `statement` against a new device set while the streams go to the target, and commits
    /// when both have ended well. Anything else leaves nothing.
    pub(crate) async fn run<E: std::error::Error + Send + 'static>(
        self,
        statement: impl FnOnce(Vec<DeviceName>) -> Result<SessionFacts, E> + Send + 'static,
    ) -> Result<PointInfo, TakeError<E>> {
        let kind = self
            .begin
            .kind
            .map_or_else(|| "backup".to_owned(), |kind| kind.to_string());
        let title = format!("{kind} of {}", self.begin.database);
        let session = self
            .source
            .begin_backup_with(message::encode(&self.begin), self.streams, self.encoding)
            .await?;
        let point = session.session().into();
        self.observer.tell(Happening::Session { point });
        let devices = usize::from(self.streams);
        let (statement, opened) =
            Statement::start((self.ends.client, self.ends.cancel), devices, statement).await?;
        let OpenDevices { set, devices } = match opened {
            Ok(opened) => opened,
            Err(error) => {
                session.abort("the engine did not open the devices").await;
                return Err(cause(statement.abort().await?, error.into()));
            }
        };
        let _shown = self.observer.transfer(title, self.bytes);
        let tally = self.observer.tally(devices.len());
        let mut watch = self.watch;
        let taps = match &mut watch {
            Some(watch) => (0..devices.len()).map(|stream| watch.tap(stream)).collect(),
            None => Vec::new(),
        };
        let moved = session
            .run_tapped(devices, taps, move |moved| {
                tally.moved(moved.stream, moved.bytes);
            })
            .await;
        let streamed = match moved {
            Ok(streamed) => streamed,
            // The device error that follows a failed statement is not the cause; the failed
            // statement that follows an error on the way is not the cause either.
            Err(error) if is_device(&error) => {
                return Err(cause(statement.abort().await?, error.into()));
            }
            Err(error) => {
                let _follows = statement.cancel().await;
                return Err(error.into());
            }
        };
        let facts = match statement.end().await? {
            Ok(facts) => facts,
            Err(error) => {
                streamed.abort("the engine's statement failed").await;
                return Err(TakeError::Statement(error));
            }
        };
        set.close().map_err(DeviceSetError::from)?;
        if let Some(watch) = watch
            && let Err(disagreement) = hold_against(watch, &facts)
        {
            streamed.abort("the streams are another backup").await;
            return Err(disagreement.into());
        }
        let facts = facts.encode()?;
        self.observer.tell(Happening::Commits);
        let receipt = streamed.commit(facts).await?;
        Ok(message::decode(&receipt, "receipt")?)
    }
}

/// Holds what passed against what the engine says.
fn hold_against(watch: Box<dyn BackupWatch>, told: &SessionFacts) -> Result<(), Disagreement> {
    let Facts::Known(told) = &told.facts else {
        return Ok(());
    };
    match watch.check(told)? {
        Watched::Whole => tracing::info!("{}", Watched::Whole),
        part => tracing::warn!("{} of {}: {part}", told.kind, told.database),
    }
    Ok(())
}

fn is_device(error: &vab_mover::source::BackupError) -> bool {
    matches!(
        error,
        vab_mover::source::BackupError::Stream {
            source: StreamError::Device(_),
            ..
        }
    )
}

/// The statement's own error where it has one, else what was seen at the devices.
fn cause<T, E: std::error::Error>(statement: Result<T, E>, seen: TakeError<E>) -> TakeError<E> {
    match statement {
        Err(error) => TakeError::Statement(error),
        Ok(_) => seen,
    }
}
