//! `vab timeline`

use std::collections::BTreeMap;
use std::process::ExitCode;

use vab_manager::chain::render;
use vab_manager::{Filter, PointInfo, listing};

use super::Failure;
use crate::args::{TimelineArguments, TimelineFormat};
use crate::print::out::outln;

/// Characters of a line on a terminal that most people have.
const WIDTH: u32 = 72;

pub(crate) async fn run(arguments: TimelineArguments) -> Result<ExitCode, Failure> {
    let catalog = super::catalog(&arguments.catalog).await?;
    let filter = Filter {
        job: arguments.filter.job,
        database: arguments.filter.database,
    };
    let points = catalog.points(&filter).await?;
    let mut databases: BTreeMap<(&str, &str), Vec<&PointInfo>> = BTreeMap::new();
    for point in &points {
        let key = (point.job.as_str(), point.database.as_str());
        databases.entry(key).or_default().push(point);
    }
    if databases.len() > 1 && !matches!(arguments.format, TimelineFormat::Text) {
        let names: Vec<_> = databases
            .keys()
            .map(|(job, database)| format!("{database} of {job}"))
            .collect();
        return Err(format!(
            "a picture shows one database; choose one of {} with --database and --job",
            names.join(", ")
        )
        .into());
    }
    for ((job, database), points) in databases {
        let chain = listing::chain_of(points.iter().copied());
        let file = |id| {
            points
                .iter()
                .find(|point| point.id == id)
                .map(|point| point.file.clone())
        };
        let drawn = match arguments.format {
            TimelineFormat::Text => {
                format!("{database} of {job}\n{}", render::timeline(&chain, WIDTH))
            }
            TimelineFormat::Svg => render::svg(&chain, file),
            TimelineFormat::Mermaid => render::mermaid_timeline(&chain),
        };
        outln!("{drawn}");
    }
    Ok(ExitCode::SUCCESS)
}
