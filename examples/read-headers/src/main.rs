//! Prints what native SQL Server backup files say about themselves, without a server.
//!
//!     cargo run -p read-headers -- FOLDER-OR-FILE...

use std::process::ExitCode;

use vab_engine::bak;

fn main() -> ExitCode {
    let paths: Vec<_> = std::env::args_os().skip(1).collect();
    if paths.is_empty() {
        eprintln!("usage: read-headers FOLDER-OR-FILE...");
        return ExitCode::from(2);
    }
    let found = bak::discover(paths);
    for set in &found.sets {
        println!("{set}");
        for stripe in set.stripes() {
            println!(
                "  {} ({} bytes)",
                stripe.path.display(),
                stripe.medium.length()
            );
        }
    }
    for note in &found.notes {
        println!("note: {note}");
    }
    for problem in &found.problems {
        eprintln!("problem: {problem}");
    }
    if found.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
