//! Begins the corpus of every target: `cargo run -p vab-fuzz-entries --example seed_corpus -- FOLDER`

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(
        std::env::args_os()
            .nth(1)
            .unwrap_or_else(|| "corpus".into()),
    );
    for (number, (target, input)) in vab_fuzz_entries::seeds().into_iter().enumerate() {
        std::fs::create_dir_all(folder.join(target))?;
        std::fs::write(folder.join(target).join(format!("seed-{number:03}")), input)?;
    }
    Ok(())
}
