//! A cluster, a repository, and the managers between them.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use postgres_backup::{Cluster, ClusterOptions, Postgres};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use vab_chain::{BackupSet, Plan};
use vab_manager::{
    BackupError, BackupKind, BackupManager, Catalog, DatabaseBackup, Filter, Observer, PointInfo,
    RecoveryManager, Restore, RestoreError, RestoreReport, RestoreTarget, ServeOptions, ServerTime,
    SystemClock,
};

pub(crate) const CLUSTER: &str = "main";

/// What the rows of the table are, in one line.
const ROWS: &str = "select count(*), min(id), max(id), sum(hashtext(t::text)) from t";

pub(crate) struct Lab {
    pub(crate) engine: Arc<Postgres>,
    pub(crate) catalog: Catalog,
    recovery: RecoveryManager,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

/// A moment, and the rows of that moment.
pub(crate) struct Moment {
    pub(crate) time: ServerTime,
    pub(crate) rows: String,
}

impl Lab {
    /// `None`, and words, where there is no PostgreSQL.
    pub(crate) async fn start() -> Option<Self> {
        if let Err(error) = Postgres::is_installed() {
            eprintln!("skipped: {error}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("vab-").tempdir().unwrap();
        // The server's user has to reach the clusters inside.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let engine = Arc::new(Postgres::open(folder.path().join("pg")).unwrap());
        let repository = folder.path().join("repository");
        std::fs::create_dir(&repository).unwrap();
        let manager = BackupManager::open(&repository, Arc::new(SystemClock)).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let serving = manager
            .listen(listen, ServeOptions::default())
            .await
            .unwrap();
        let address = serving.address().to_string();
        let serving = tokio::spawn(async move {
            serving.until(std::future::pending()).await.unwrap();
        });
        let lab = Self {
            engine,
            catalog: Catalog::server(&address).await.unwrap(),
            recovery: RecoveryManager::connect(&address).await.unwrap(),
            serving,
            _folder: folder,
        };
        let mut options = ClusterOptions::default();
        options.segment_size = 1 << 20;
        lab.engine.create(CLUSTER, options).unwrap();
        lab.sql("create table t (id int primary key, what text)");
        Some(lab)
    }

    pub(crate) fn cluster(&self) -> Cluster {
        self.engine.cluster(CLUSTER).unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.cluster().query(sql).unwrap()
    }

    pub(crate) fn insert(&self, ids: std::ops::RangeInclusive<u32>) {
        let (from, to) = ids.into_inner();
        self.sql(&format!(
            "insert into t select i, md5(i::text) from generate_series({from}, {to}) i"
        ));
    }

    pub(crate) fn rows(&self, cluster: &str) -> String {
        self.engine.cluster(cluster).unwrap().query(ROWS).unwrap()
    }

    /// Now, with the rows that are there. Whatever is done next comes after it.
    pub(crate) fn moment(&self) -> Moment {
        let rows = self.rows(CLUSTER);
        let clock =
            "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";
        let time = self.sql(clock).parse().unwrap();
        Moment { time, rows }
    }

    pub(crate) async fn try_take(&self, kind: BackupKind) -> Result<PointInfo, BackupError> {
        let backup = DatabaseBackup::new("job", CLUSTER, kind);
        let engine = Arc::clone(&self.engine);
        let observer = Observer::default();
        self.recovery.backup(engine as _, &backup, &observer).await
    }

    /// Backs up, and lets the archive go of what is in the restore point.
    pub(crate) async fn take(&self, kind: BackupKind) -> PointInfo {
        let point = self.try_take(kind).await.unwrap();
        self.engine.release(CLUSTER, set(&point)).unwrap();
        point
    }

    pub(crate) async fn points(&self) -> Vec<PointInfo> {
        self.catalog.points(&Filter::default()).await.unwrap()
    }

    pub(crate) async fn plan(&self, target: RestoreTarget) -> Result<Plan, RestoreError> {
        let mut restore = Restore::new(CLUSTER);
        restore.target = target;
        restore.plan(&self.catalog).await.map(|(plan, _)| plan)
    }

    pub(crate) async fn restore(&self, target: RestoreTarget, name: &str) -> RestoreReport {
        let mut restore = Restore::new(CLUSTER);
        restore.target = target;
        restore.name = Some(name.to_owned());
        let engine = Arc::clone(&self.engine);
        let observer = Observer::default();
        restore
            .run(&self.catalog, engine as _, &observer)
            .await
            .unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.serving.abort();
        let databases = vab_engine::Engine::databases(&*self.engine).unwrap_or_default();
        for database in databases {
            let _ = self.engine.remove(&database.name);
        }
    }
}

pub(crate) fn set(point: &PointInfo) -> &BackupSet {
    point.set.as_ref().unwrap()
}
