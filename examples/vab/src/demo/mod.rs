//! What the demo shows, step by step.

pub(crate) mod folders;
mod work;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vab_manager::engine::sim::{Digest, Instance, ManualClock, Options};
use vab_manager::{
    BackupKind, BackupManager, Catalog, Clock, DatabaseBackup, Filter, RecoveryManager, Restore,
    RestoreTarget, Row, ServeOptions, ServerTime, SystemClock, listing,
};

use crate::commands::Failure;
use crate::print::bars::Bars;
use crate::print::bytes::Bytes;
use crate::print::out::outln;

const JOB: &str = "SRV01 MSSQL backup (Backup Vol 01)";
const DATABASES: [&str; 2] = ["Orders", "Customers"];
/// Where one database is restored to.
const RESTORED: &str = "Orders restored";

/// A quarter of an hour in microseconds.
const QUARTER: i64 = 15 * 60 * 1_000_000;

/// A backup manager that serves, an embedded engine, and a recovery manager between them.
pub(crate) struct Demo {
    folder: PathBuf,
    address: SocketAddr,
    serving: JoinHandle<Result<(), Failed>>,
    stop: oneshot::Sender<()>,
    clock: Arc<ManualClock>,
    instance: Arc<Instance>,
    manager: RecoveryManager,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A moment, and what one database held then and later.
pub(crate) struct Moment {
    pub(crate) time: ServerTime,
    then: Digest,
    later: Digest,
}

impl Demo {
    /// Starts everything in `folder`, which must not be there yet.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Failure> {
        let repository = folder.join("repository");
        if folder.exists() {
            return Err(format!("{} is there already; name a new folder", folder.display()).into());
        }
        std::fs::create_dir_all(&repository)?;
        let backup_manager = BackupManager::open(&repository, Arc::new(SystemClock))?;
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let serving = backup_manager
            .listen(listen, ServeOptions::default())
            .await?;
        let address = serving.address();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                // A dropped sender ends it as well.
                let _either = stopped.await;
            };
            serving.until(stopped).await.map_err(Failed::from)
        });
        // The server's clock is the demo's to move: a quarter of an hour passes between backups.
        let start = ServerTime::from_micros(SystemClock.now().as_micros() / 1_000_000 * 1_000_000);
        let clock = Arc::new(ManualClock::ticking(start, 10));
        let options = Options::with_clock(Arc::clone(&clock) as _)
            .server("SRV01")
            .utc_offset(0);
        let instance = Arc::new(Instance::create(folder.join("engine"), options)?);
        let manager = RecoveryManager::connect(&address.to_string()).await?;
        Ok(Self {
            folder: folder.to_owned(),
            address,
            serving,
            stop,
            clock,
            instance,
            manager,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Backs up both databases at once.
    pub(crate) async fn back_up_both(&self, kind: &str, streams: u16) -> Result<(), Failure> {
        self.clock.advance(QUARTER);
        let kind = match kind {
            "full" => BackupKind::Full,
            "diff" => BackupKind::Differential,
            _ => BackupKind::Log,
        };
        let bars = Bars::default();
        let [orders, customers] = DATABASES.map(|database| {
            let mut backup = DatabaseBackup::new(JOB, database, kind);
            backup.streams = streams;
            let observer = bars.observer();
            async move {
                self.manager
                    .backup(Arc::clone(&self.instance) as _, &backup, &observer)
                    .await
            }
        });
        let (orders, customers) = tokio::join!(orders, customers);
        bars.clear();
        for point in [orders?, customers?] {
            let streams = point.streams;
            outln!(
                "{kind} of {}: {} in {streams} stream(s)",
                point.database,
                Bytes(point.bytes)
            );
        }
        Ok(())
    }

    /// The restore points as `vab list` shows them.
    pub(crate) async fn list(&self) -> Result<Vec<Row>, Failure> {
        let catalog = self.catalog().await?;
        Ok(listing::rows(&catalog.points(&Filter::default()).await?))
    }

    /// Restores the first database to the moment, under another name.
    pub(crate) async fn restore(&self, moment: &Moment) -> Result<String, Failure> {
        let mut restore = Restore::new(DATABASES[0]);
        restore.target = RestoreTarget::Time(moment.time);
        restore.name = Some(RESTORED.to_owned());
        let catalog = self.catalog().await?;
        let engine = Arc::clone(&self.instance) as _;
        let bars = Bars::default();
        let report = restore.run(&catalog, engine, &bars.observer()).await?;
        bars.clear();
        Ok(report.plan.to_string())
    }

    /// Compares the restored rows with those of the moment.
    pub(crate) fn prove(&self, moment: &Moment) -> Result<(), Failure> {
        let restored = self.instance.database(RESTORED)?.digest()?;
        let now = self.instance.database(DATABASES[0])?.digest()?;
        outln!(
            "rows at that moment   {:>7}, digest {}",
            moment.then.rows(),
            moment.then
        );
        outln!(
            "rows restored         {:>7}, digest {restored}",
            restored.rows()
        );
        outln!(
            "rows of the next one  {:>7}, digest {}",
            moment.later.rows(),
            moment.later
        );
        if restored != moment.then {
            return Err("the restored rows are not those of the moment".into());
        }
        if now != moment.later {
            return Err("the database that was backed up has changed".into());
        }
        outln!(
            "proved: the restored rows are exactly those of {}",
            moment.time
        );
        Ok(())
    }

    /// Ends the backup manager.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // It may have ended by itself; then its result says why.
        let _ended = self.stop.send(());
        self.serving.await?.map_err(|error| -> Failure { error })
    }

    async fn catalog(&self) -> Result<Catalog, Failure> {
        Ok(Catalog::server(&self.address.to_string()).await?)
    }
}
