//! Whether the chains are complete.

use std::collections::{BTreeMap, BTreeSet};

use vab_chain::{Catalog, Chain, RestorePoint, Unusable};

use super::PointReport;
use crate::point::StoredPoint;
use crate::repository::Repository;

/// Says of each report whether the chain leads to its restore point, over all restore points of
/// its job, also those that were not read.
pub(super) fn judge(repository: &Repository, reports: &mut [PointReport]) {
    let jobs: BTreeSet<_> = reports
        .iter()
        .map(|report| report.point.job.clone())
        .collect();
    let damaged: Vec<_> = reports
        .iter()
        .filter(|report| !report.is_whole())
        .map(|report| report.point.id)
        .collect();
    let mut states = BTreeMap::new();
    for job in jobs {
        let points = repository.points(Some(&job), None);
        let known: BTreeMap<_, RestorePoint> = points
            .iter()
            .filter_map(StoredPoint::restore_point)
            .map(|point| (point.id, point))
            .collect();
        for chain in Catalog::new(known.values().cloned()).chains() {
            let of_chain = chain
                .points()
                .iter()
                .filter_map(|point| known.get(&point.id).cloned());
            let mut builder = Chain::builder().points(of_chain);
            for point in &damaged {
                builder = builder.unusable(*point, Unusable::DataDamaged);
            }
            let chain = builder.build();
            states.extend(
                chain
                    .points()
                    .iter()
                    .filter_map(|point| Some((point.id, chain.state(point.id)?))),
            );
        }
    }
    for report in reports {
        report.state = states.remove(&report.point.id);
    }
}
