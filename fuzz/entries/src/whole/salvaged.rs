//! A damaged data file without a repository around it.

use std::io::{Cursor, Read};
use std::sync::Arc;

use vab_format::io::VabReader;
use vab_repository::salvage::salvage_on;
use vab_repository::storage::{LocalDirectory, Storage};

use super::archive::now;
use super::memory::Memory;
use super::{hostile, whole_points};
use crate::input::Input;

/// The files of [`super::repository`], read with the codec's own reader and saved into a new
/// repository: what is saved is whole.
pub fn salvage(data: &[u8]) {
    let mut input = Input(data);
    let (_, right, data, metadata) = hostile(&mut input);
    if let Ok(mut reader) = VabReader::open(Cursor::new(&data)) {
        let _ = reader.verify_all();
        for session in reader.salvage().unwrap_or_default() {
            let streams = 0..session.commit.session.streams.len();
            for stream in streams.filter_map(|stream| u16::try_from(stream).ok()) {
                let mut raw = Vec::new();
                let mut stream = reader.stream(&session, stream).take(1 << 20);
                let _ = stream.read_to_end(&mut raw);
            }
        }
    }
    if right % 16 >= 8 {
        return;
    }
    let memory = Arc::new(Memory::default());
    let storage: Arc<dyn Storage> =
        Arc::new(LocalDirectory::over(Arc::<Memory>::clone(&memory) as Arc<_>));
    let Ok(report) = salvage_on(Cursor::new(data), "file", metadata, &storage, now()) else {
        return;
    };
    if report.saved() > 0 {
        let whole = whole_points(&memory.open_for_reading(), &[]);
        assert!(
            whole.len() <= report.saved(),
            "more is there than was saved"
        );
    }
}
