//! `vab demo`

use std::path::PathBuf;
use std::process::ExitCode;

use super::Failure;
use crate::args::DemoArguments;
use crate::demo::{Demo, folders};
use crate::print::out::outln;
use crate::print::tree::tree;

pub(crate) async fn run(arguments: DemoArguments) -> Result<ExitCode, Failure> {
    let folder = match arguments.folder {
        Some(folder) => folder,
        None => default_folder(),
    };
    let demo = Demo::start(&folder).await?;
    outln!(
        "the backup manager listens on {}, its repository is {}",
        demo.address(),
        demo.repository().display()
    );

    outln!("\n-- the embedded engine gets two databases");
    demo.create_databases()?;

    outln!("\n-- full backups, both databases at once, four parallel streams each");
    demo.back_up_both("full", 4).await?;
    outln!("\n-- work, logs, a differential, more logs");
    demo.work(1)?;
    demo.back_up_both("log", 1).await?;
    demo.work(2)?;
    demo.back_up_both("diff", 2).await?;
    demo.work(3)?;
    demo.back_up_both("log", 1).await?;
    let moment = demo.work_with_a_moment_to_return_to()?;
    demo.back_up_both("log", 1).await?;

    outln!("\n-- the repository");
    for line in folders::sizes(demo.repository())? {
        outln!("{line}");
    }
    outln!("\n-- the restore points");
    crate::print::out::write(format_args!("{}", tree(&demo.list().await?)));

    outln!(
        "\n-- a restore to {}, in the middle of the last log, under another name",
        moment.time
    );
    let restored = demo.restore(&moment).await?;
    outln!("{restored}");
    demo.prove(&moment)?;

    demo.stop().await?;
    outln!("\neverything was left in {}", folder.display());
    outln!(
        "look again with: vab list --repository {}",
        folder.join("repository").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A new folder beside other temporary files.
fn default_folder() -> PathBuf {
    let temporary = std::env::temp_dir();
    let mut number = std::process::id();
    loop {
        let folder = temporary.join(format!("vab-demo-{number}"));
        if !folder.exists() {
            return folder;
        }
        number = number.wrapping_add(1);
    }
}
