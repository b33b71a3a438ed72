//! Which backups to restore, and in which order, from what SQL Server says about them.
//!
//! Reads a JSON array of `RESTORE HEADERONLY` rows, or of rows of `msdb.dbo.backupset`, and prints
//! the steps of the shortest correct restore.

#![forbid(unsafe_code)]

mod cell;
mod history;
mod json;
mod row;
mod tsql;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vab_chain::{Lsn, Plan, PlanOptions, ServerTime, Standing, Target, Unreachable};

use history::{Database, History};

/// Plan a restore from RESTORE HEADERONLY rows.
///
/// Exit codes: 0 planned, 2 wrong arguments or input, 3 not reachable.
#[derive(Debug, Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
struct Arguments {
    /// A JSON array of rows, as `ConvertTo-Json` writes it; `-` for standard input.
    file: PathBuf,
    /// The database, where the rows are of several.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The time to restore to, on the server's clock: 2026-11-22T14:30:00. Default: the latest.
    #[arg(long, value_name = "TIME", value_parser = cell::time)]
    at: Option<ServerTime>,
    /// Use no differentials.
    #[arg(long)]
    no_diff: bool,
    /// Use no logs; a time is then met by the last backup before.
    #[arg(long)]
    no_log: bool,
    /// Go on with a database that stands restoring or in standby at this LSN.
    #[arg(long, value_name = "LSN")]
    continue_from: Option<Lsn>,
    /// Print JSON.
    #[arg(long, conflicts_with = "tsql")]
    json: bool,
    /// Print the RESTORE statements.
    #[arg(long)]
    tsql: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("plan-restore: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether there is a plan.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let text = read(&arguments.file)?;
    let history = History::read(&text)?;
    let (database, notes) = history.database(arguments.database.as_deref())?;
    match plan(arguments, database) {
        Ok(plan) => {
            if arguments.json {
                println!("{}", json::plan(&plan, database, &notes));
            } else if arguments.tsql {
                print!("{}", tsql::plan(&plan, database, &notes));
            } else {
                print_plan(&plan, database, &notes);
            }
            Ok(true)
        }
        Err(unreachable) => {
            if arguments.json {
                println!("{}", json::unreachable(&unreachable, database, &notes));
            } else {
                print_unreachable(&unreachable, &notes);
            }
            Ok(false)
        }
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, String> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    bytes.map_err(|error| format!("{}: {error}", file.display()))
}

fn plan(arguments: &Arguments, database: &Database) -> Result<Plan, Unreachable> {
    let options = PlanOptions {
        differentials: !arguments.no_diff,
        logs: !arguments.no_log,
        ..PlanOptions::default()
    };
    let target = arguments.at.map_or(Target::Latest, Target::Time);
    match arguments.continue_from {
        None => database.chain.plan_with(&target, &options),
        Some(lsn) => {
            let standing = Standing {
                lsn,
                fork: None,
                base: None,
            };
            database.chain.plan_from(&standing, &target, &options)
        }
    }
}

fn print_plan(plan: &Plan, database: &Database, notes: &[String]) {
    println!("database {}", database.chain.database());
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(facts) = database.chain.point(step.point) else {
            continue;
        };
        print!("{:>3}. {:<4} {}", index + 1, step.kind, facts.finished);
        print!("  {}..{}", facts.first_lsn, facts.last_lsn);
        if let Some(stop) = &step.stop_at {
            print!("  {stop}");
        }
        println!();
        for file in database.files(step.point) {
            println!("       {}", file.name);
        }
    }
    if plan.steps.is_empty() {
        println!("nothing to restore: the database is there already");
    }
    println!("reaches {}", plan.reaches);
    for note in &plan.notes {
        println!("note: {}", database.explain(note));
    }
    for note in notes {
        println!("note: {note}");
    }
}

fn print_unreachable(unreachable: &Unreachable, notes: &[String]) {
    println!("{unreachable}");
    for note in notes {
        println!("note: {note}");
    }
}
