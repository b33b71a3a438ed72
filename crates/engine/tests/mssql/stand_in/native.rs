//! Backups that are real streams of the tape format.

use std::thread;

use vab_chain::{BackupSet, BackupSetId, Lsn};
use vab_engine::{BackupRequest, mtf};
use vab_vdi::{Direction, EngineDevice, EngineError, EngineTransport, OpenSetRequest};

/// Writes a stream to each device, all at once, and gives the facts of the set.
pub(super) fn write(
    request: &BackupRequest,
    streams: &[Vec<u8>],
    transport: &dyn EngineTransport,
) -> Result<BackupSet, EngineError> {
    let open = OpenSetRequest::new(request.devices.clone(), Direction::Backup, request.geometry);
    let mut set = transport.open_set(open, request.timeout)?;
    let devices = set.devices();
    assert_eq!(devices.len(), streams.len());
    thread::scope(|scope| {
        let pairs = devices.into_iter().zip(streams);
        let writing: Vec<_> = pairs
            .map(|(device, stream)| scope.spawn(move || one(device, stream)))
            .collect();
        writing
            .into_iter()
            .try_for_each(|writing| writing.join().unwrap())
    })?;
    set.close()?;
    Ok(facts(request, &streams[0]))
}

fn one(mut device: EngineDevice, stream: &[u8]) -> Result<(), EngineError> {
    device.write(stream)?;
    device.flush()?;
    device.complete()?;
    device.close()
}

/// What stands in the stream; of one that cannot be read, what was asked for.
fn facts(request: &BackupRequest, stream: &[u8]) -> BackupSet {
    let stripes = u16::try_from(request.devices.len()).unwrap();
    let mut reader = mtf::StreamingReader::new();
    for piece in stream.chunks(512) {
        if reader.push(piece).is_err() {
            break;
        }
        let set = reader
            .sets()
            .first()
            .and_then(|set| set.last.as_ref().map(|_| set));
        if let Some(set) = set.or_else(|| reader.sets().first().filter(|_| is_torn(stream))) {
            return set.backup_set(stripes).unwrap();
        }
    }
    let id = BackupSetId(uuid::Uuid::from_u128(7));
    let time = vab_chain::ServerTime::from_calendar(2026, 11, 22, 12, 0, 0).unwrap();
    let lsns = Lsn::new(30, 1, 1)..Lsn::new(30, 2, 1);
    let mut set = BackupSet::new(
        id,
        request.database.as_str(),
        request.kind,
        lsns,
        time,
        time,
    );
    set.stripes = stripes;
    set
}

/// Whether it cannot be read to its end.
fn is_torn(stream: &[u8]) -> bool {
    mtf::read_bytes(stream).is_err()
}
