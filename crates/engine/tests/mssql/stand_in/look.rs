//! Looks at a backup on devices, and answers with the server's columns.

use std::thread;

use vab_engine::{Look, mtf};
use vab_vdi::{
    DeviceName, Direction, EngineDevice, EngineError, EngineTransport, Geometry, OpenSetRequest,
};

use super::StandIn;
use super::play::{Interruptible, Refused, WAIT, device};
use crate::tds::table::{Cell, Table, Type};

pub(super) fn look(
    server: &StandIn,
    look: Look,
    names: &[DeviceName],
    devices: &Interruptible,
) -> Result<Option<Table>, Refused> {
    let everything = look == Look::Verify;
    let streams =
        read(names, devices, everything).map_err(|error| device("virtual", true, &error))?;
    match look {
        Look::Verify => verify(&streams),
        Look::Files => Ok(Some(files())),
        Look::Header => Ok(Some(header(server, &streams[0]))),
        Look::Label => Ok(Some(label(&streams[0]))),
    }
}

/// Reads the first bytes, or everything.
fn read(
    names: &[DeviceName],
    devices: &Interruptible,
    everything: bool,
) -> Result<Vec<Vec<u8>>, EngineError> {
    let request = OpenSetRequest::new(names.to_vec(), Direction::Restore, Geometry::default());
    let mut set = devices.open_set(request, WAIT)?;
    let streams = thread::scope(|scope| {
        let read = |device| scope.spawn(move || one(device, everything));
        let reading: Vec<_> = set.devices().into_iter().map(read).collect();
        let streams = reading.into_iter().map(|reading| reading.join().unwrap());
        streams.collect::<Result<Vec<_>, _>>()
    })?;
    set.close()?;
    Ok(streams)
}

fn one(mut device: EngineDevice, everything: bool) -> Result<Vec<u8>, EngineError> {
    let mut stream = Vec::new();
    let mut piece = vec![0; 65_536];
    loop {
        let count = device.read(&mut piece)?;
        stream.extend_from_slice(&piece[..count]);
        if count == 0 || !everything {
            break;
        }
    }
    device.close()?;
    Ok(stream)
}

/// A stream of the tape format has to be whole; the embedded engine's has to be there.
fn verify(streams: &[Vec<u8>]) -> Result<Option<Table>, Refused> {
    for stream in streams {
        let damaged = if stream.starts_with(b"TAPE") {
            mtf::read_bytes(stream).is_err()
        } else {
            stream.is_empty()
        };
        if damaged {
            let text = "Damage to the backup set was detected.".to_owned();
            return Err(Refused(3189, text));
        }
    }
    Ok(None)
}

/// A few of the columns, with every type that there is among them.
fn header(server: &StandIn, stream: &[u8]) -> Table {
    let history = server.history.lock().unwrap();
    let mut reader = mtf::StreamingReader::new();
    let read = reader
        .push(stream)
        .is_ok()
        .then(|| reader.sets().first().cloned());
    let set = read.flatten().and_then(|facts| facts.backup_set(1).ok());
    let set = set
        .or_else(|| history.last().map(|(_, set)| set.clone()))
        .unwrap();
    let columns = [
        ("BackupName", Type::NVarChar),
        ("BackupType", Type::Int(1)),
        ("Position", Type::Int(2)),
        ("DatabaseName", Type::NVarChar),
        ("BackupSize", Type::Numeric),
        ("FirstLSN", Type::Numeric),
        ("BackupStartDate", Type::DateTime),
        ("HasBackupChecksums", Type::Bit),
        ("BackupSetGUID", Type::Guid),
        ("EncryptorThumbprint", Type::VarBinary),
    ];
    Table::new(&columns).row(vec![
        Cell::Null,
        1.into(),
        1.into(),
        set.database.as_str().into(),
        Cell::Number(u128::from(u64::MAX)),
        Cell::Number(set.first_lsn.to_string().parse().unwrap()),
        set.started.into(),
        true.into(),
        set.id.0.into(),
        Cell::Bytes(vec![0xca, 0xfe]),
    ])
}

fn label(stream: &[u8]) -> Table {
    let columns = [("MediaName", Type::NVarChar), ("FamilyCount", Type::Int(4))];
    Table::new(&columns).row(vec![Cell::Null, i64::from(!stream.is_empty()).into()])
}

fn files() -> Table {
    let file = |logical: &str, physical: &str, kind: &str| {
        vec![logical.into(), physical.into(), Cell::from(kind)]
    };
    let columns = [
        ("LogicalName", Type::NVarChar),
        ("PhysicalName", Type::NVarChar),
        ("Type", Type::Char(1)),
    ];
    Table::new(&columns)
        .row(file("Sales", r"C:\old\Sales.mdf", "D"))
        .row(file("Sales_log", r"C:\old\Sales_log.ldf", "L"))
}
