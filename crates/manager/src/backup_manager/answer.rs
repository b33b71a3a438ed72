//! Answers to the other manager's questions.

use vab_chain::PointId;
use vab_mover::target::Slots;
use vab_repository::{Repository, StoredPoint};

use crate::message::{self, Holds, PointsPage, Query, SlotsAnswer};
use crate::point::PointInfo;

/// Points in one page: a point with 64 file names of 1 KiB each still fits the mover's limit of
/// 16 MiB for an answer.
const PAGE: usize = 200;

pub(crate) fn to(query: &Query, repository: &Repository, slots: Option<&Slots>) -> Vec<u8> {
    match query {
        Query::Points {
            job,
            database,
            after,
        } => {
            let points = repository.points(job.as_deref(), database.as_deref());
            message::encode(&page(points, *after))
        }
        Query::Slots => message::encode(&SlotsAnswer {
            total: slots.and_then(Slots::total),
            free: slots.and_then(Slots::free),
        }),
        Query::Holds { job, backup_set } => {
            let points = repository.points(Some(job), None);
            let holds =
                |point: &StoredPoint| point.facts.known().map(|set| set.id) == Some(*backup_set);
            let point = points
                .iter()
                .find(|point| holds(point))
                .map(|point| point.id);
            message::encode(&Holds { point })
        }
    }
}

fn page(mut points: Vec<StoredPoint>, after: Option<PointId>) -> PointsPage {
    points.retain(|point| after.is_none_or(|after| point.id > after));
    points.sort_by_key(|point| point.id);
    PointsPage {
        more: points.len() > PAGE,
        points: points.iter().take(PAGE).map(PointInfo::from).collect(),
    }
}
