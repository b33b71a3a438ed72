//! One restore point played back: its streams, the devices, and the engine's statement.

use vab_mover::Secrets;
use vab_mover::source::StreamError;
use vab_vdi::{DeviceName, EngineTransport};

use super::device_set::{DeviceSetError, OpenDevices, Statement};
use super::ends::Ends;
use crate::catalog::{Catalog, CatalogError, OpenPoint};
use crate::observer::Observer;
use crate::point::PointInfo;

/// Why a restore point was not played back. `E` is the error of the engine's statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveError<E: std::error::Error + 'static> {
    /// The engine's statement failed.
    #[error("the engine did not take the restore point")]
    Statement(#[source] E),
    /// The restore point could not be opened.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The devices failed.
    #[error(transparent)]
    Devices(#[from] DeviceSetError),
    /// The way from the repository, or the repository, failed.
    #[error(transparent)]
    Mover(#[from] vab_mover::source::RestoreError),
}

/// Runs `statement` against a new device set, in which the streams of `point` can be read.
pub(crate) async fn give<T, E>(
    (catalog, secrets): (&Catalog, &Secrets),
    point: &PointInfo,
    title: String,
    observer: &Observer,
    ends: Ends,
    statement: impl FnOnce(Vec<DeviceName>, &dyn EngineTransport) -> Result<T, E> + Send + 'static,
) -> Result<T, GiveError<E>>
where
    T: Send + 'static,
    E: std::error::Error + Send + 'static,
{
    let OpenPoint {
        session,
        target: _serving,
    } = catalog.open(point.id, secrets).await?;
    let Ends {
        client,
        engine,
        cancel,
    } = ends;
    let statement = move |devices| statement(devices, engine.as_ref());
    let (statement, opened) = Statement::start((client, cancel), point.streams, statement).await?;
    let OpenDevices { set, devices } = match opened {
        Ok(opened) => opened,
        Err(error) => return Err(cause(statement.abort().await?, error.into())),
    };
    let _shown = observer.transfer(title, Some(point.bytes));
    let tally = observer.tally(devices.len());
    let moved = session
        .run(devices, move |moved| tally.moved(moved.stream, moved.bytes))
        .await;
    match moved {
        Ok(_) => {
            let answer = statement.end().await?.map_err(GiveError::Statement)?;
            set.close().map_err(DeviceSetError::from)?;
            Ok(answer)
        }
        // The device error that follows a failed statement is not the cause; the failed statement
        // that follows an error on the way is not the cause either.
        Err(error) if is_device(&error) => Err(cause(statement.abort().await?, error.into())),
        Err(error) => {
            let _follows = statement.cancel().await;
            Err(error.into())
        }
    }
}

fn is_device(error: &vab_mover::source::RestoreError) -> bool {
    matches!(
        error,
        vab_mover::source::RestoreError::Stream {
            source: StreamError::Device(_),
            ..
        }
    )
}

/// The statement's own error where it has one, else what was seen at the devices.
fn cause<T, E: std::error::Error>(statement: Result<T, E>, seen: GiveError<E>) -> GiveError<E> {
    match statement {
        Err(error) => GiveError::Statement(error),
        Ok(_) => seen,
    }
}
