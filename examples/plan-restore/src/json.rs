//! The answer as JSON.

use serde_json::{Value, json};
use vab_chain::{Near, Plan, StopAt, Unreachable, UnreachableCause};

use crate::history::Database;

pub(crate) fn plan(plan: &Plan, database: &Database, notes: &[String]) -> Value {
    let steps = plan.steps.iter().filter_map(|step| {
        let facts = database.chain.point(step.point)?;
        let files = database.files(step.point).iter().map(|file| &file.name);
        Some(json!({
            "backup_set_id": database.set_id(step.point).map(|id| id.to_string()),
            "kind": step.kind.to_string(),
            "first_lsn": facts.first_lsn.to_string(),
            "last_lsn": facts.last_lsn.to_string(),
            "files": files.collect::<Vec<_>>(),
            "stop_at": step.stop_at.as_ref().map(stop),
        }))
    });
    json!({
        "database": database.chain.database(),
        "steps": steps.collect::<Vec<_>>(),
        "reaches": {
            "time": plan.reaches.time.map(|time| time.to_string()),
            "lsn": plan.reaches.lsn.map(|lsn| lsn.to_string()),
            "recovery_fork": plan.reaches.fork.map(|fork| fork.to_string()),
        },
        "notes": all_notes(plan, database, notes),
    })
}

pub(crate) fn unreachable(
    unreachable: &Unreachable,
    database: &Database,
    notes: &[String],
) -> Value {
    let mut value = json!({
        "reason": unreachable.cause.code(),
        "message": unreachable.to_string(),
        "database": database.chain.database(),
        "nearest_before": unreachable.before.as_ref().map(near),
        "nearest_after": unreachable.after.as_ref().map(near),
        "notes": notes,
    });
    let details = match unreachable.cause.as_ref() {
        UnreachableCause::LogGap { from, to, next, .. } => json!({
            "from_lsn": from.to_string(),
            "to_lsn": to.to_string(),
            "next": database.set_id(*next).map(|id| id.to_string()),
        }),
        UnreachableCause::BaseMissing {
            differential,
            base,
            base_lsn,
        } => json!({
            "differential": database.set_id(*differential).map(|id| id.to_string()),
            "base": base.map(|id| id.to_string()),
            "base_lsn": base_lsn.to_string(),
        }),
        UnreachableCause::PastEnd { lsn, .. } => json!({ "lsn": lsn.to_string() }),
        UnreachableCause::BulkLogged { log } => json!({
            "log": database.set_id(*log).map(|id| id.to_string()),
        }),
        UnreachableCause::AlreadyPassed { standing } => json!({
            "standing_lsn": standing.to_string(),
        }),
        _ => json!({}),
    };
    if let (Value::Object(value), Value::Object(details)) = (&mut value, details) {
        value.extend(details);
    }
    json!({ "unreachable": value })
}

pub(crate) fn all_notes(plan: &Plan, database: &Database, notes: &[String]) -> Vec<String> {
    let own = plan.notes.iter().map(|note| database.explain(note));
    own.chain(notes.iter().cloned()).collect()
}

fn near(near: &Near) -> String {
    near.time.to_string()
}

fn stop(stop: &StopAt) -> String {
    match stop {
        StopAt::Time(time) => time.to_string(),
        StopAt::BeforeLsn(lsn) => format!("before lsn:{lsn}"),
        StopAt::AtLsn(lsn) => format!("at lsn:{lsn}"),
        other => other.to_string(),
    }
}
