//! The whole way, step by step.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres_backup::{ClusterOptions, Postgres};
use vab_manager::{
    BackupKind, BackupManager, Catalog, DatabaseBackup, Filter, Observer, PointInfo,
    RecoveryManager, Restore, RestoreTarget, ServeOptions, ServerTime, SystemClock,
};

type Failure = Box<dyn Error>;

const CLUSTER: &str = "orders";
const JOB: &str = "PostgreSQL";

pub(crate) async fn run(folder: Option<PathBuf>) -> Result<(), Failure> {
    if let Some(folder) = folder {
        std::fs::create_dir(&folder)?;
        return show(&folder).await;
    }
    let folder = tempfile::Builder::new().prefix("vab-pg-").tempdir()?;
    show(folder.path()).await
}

async fn show(folder: &Path) -> Result<(), Failure> {
    // The server's user has to reach the clusters inside.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    let engine = Arc::new(Postgres::open(folder.join("clusters"))?);
    let shown = way(folder, &engine).await;
    if engine.cluster(CLUSTER).is_ok() {
        engine.cluster(CLUSTER)?.stop()?;
    }
    shown
}

async fn way(folder: &Path, engine: &Arc<Postgres>) -> Result<(), Failure> {
    let repository = folder.join("repository");
    std::fs::create_dir(&repository)?;
    let manager = BackupManager::open(&repository, Arc::new(SystemClock))?;
    let listen = "127.0.0.1:0".parse()?;
    let serving = manager.listen(listen, ServeOptions::default()).await?;
    let address = serving.address().to_string();
    let server = tokio::spawn(serving.until(std::future::pending()));
    let recovery = RecoveryManager::connect(&address).await?;

    let mut options = ClusterOptions::default();
    options.segment_size = 1 << 20;
    let cluster = engine.create(CLUSTER, options)?;
    cluster.query("create table orders (id int primary key, what text)")?;
    println!(
        "a cluster with one table, in {}",
        cluster.folder().display()
    );

    let insert = |from: u32, to: u32| {
        let rows = format!(
            "insert into orders select i, 'order ' || i from generate_series({from}, {to}) i"
        );
        cluster.query(&rows)
    };
    insert(1, 1000)?;
    take(engine, &recovery, BackupKind::Full).await?;
    insert(1001, 2000)?;
    take(engine, &recovery, BackupKind::Log).await?;
    insert(2001, 2500)?;
    let wanted = "select count(*), sum(hashtext(orders::text)) from orders";
    let (then, moment) = (cluster.query(wanted)?, now(engine)?);
    cluster.query("delete from orders where id % 2 = 0")?;
    println!("at {moment} the table is `{then}`; after that, half of it is deleted by mistake");
    take(engine, &recovery, BackupKind::Log).await?;

    engine.remove(CLUSTER)?;
    println!("the cluster is gone");

    let catalog = Catalog::server(&address).await?;
    let mut restore = Restore::new(CLUSTER);
    restore.target = RestoreTarget::Time(moment);
    let report = restore
        .run(&catalog, Arc::clone(engine) as _, &Observer::default())
        .await?;
    println!("restored along the plan:\n{}", report.plan);
    let restored = engine.cluster(CLUSTER)?.query(wanted)?;
    if restored != then {
        return Err(format!("the table is `{restored}`, not `{then}`").into());
    }
    println!(
        "the table is `{restored}` again, on recovery fork {:?}",
        report.last.fork
    );

    take(engine, &recovery, BackupKind::Log).await?;
    let points = catalog.points(&Filter::default()).await?;
    println!(
        "the job has {} restore points, on both timelines",
        points.len()
    );
    server.abort();
    Ok(())
}

async fn take(
    engine: &Arc<Postgres>,
    recovery: &RecoveryManager,
    kind: BackupKind,
) -> Result<PointInfo, Failure> {
    let backup = DatabaseBackup::new(JOB, CLUSTER, kind);
    let point = recovery
        .backup(Arc::clone(engine) as _, &backup, &Observer::default())
        .await?;
    if let Some(set) = &point.set {
        // Only now that it is committed does the archive let go of it.
        let released = engine.release(CLUSTER, set)?;
        println!(
            "{kind} from {:#} to {:#}: {} bytes; {released} segments leave the archive",
            set.first_lsn, set.last_lsn, point.bytes
        );
    }
    Ok(point)
}

/// The server's clock, in UTC.
fn now(engine: &Postgres) -> Result<ServerTime, Failure> {
    let clock =
        "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";
    Ok(engine.cluster(CLUSTER)?.query(clock)?.parse()?)
}
