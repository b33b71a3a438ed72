//! Writes the golden files of the current format version into a folder:
//! `cargo run -p vab-format --example golden -- crates/vab-format/tests/golden/v1`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err("usage: golden FOLDER".into());
    };
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in common::golden() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
