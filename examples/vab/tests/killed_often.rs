//! A real server killed with no warning, again and again, at moments drawn from a seed.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and the lints know only test functions"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use common::{JOB, Server, empty_repository, list, run, text, vab};

/// Kills of a run with the default effort.
const KILLS: u64 = 12;

/// A small generator; its whole state is the seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn confirmed_restore_points_survive_every_kill() {
    let seed = number("VAB_SEED").unwrap_or(1);
    let kills = number("VAB_EFFORT").unwrap_or(1) * KILLS;
    let mut draws = Draws(seed);
    let (folder, repository) = empty_repository();
    let repository_text = repository.to_str().unwrap();
    let mut confirmed: Vec<String> = Vec::new();
    let mut in_doubt = 0;

    for kill in 0..kills {
        let server = if kill % 3 == 0 {
            Server::start_direct(&repository)
        } else {
            Server::start(&repository)
        };
        let file = folder.path().join(format!("backup {kill}.bak"));
        let mut bytes = b"MSSQLBAK".to_vec();
        let length = draws.below(6 << 20);
        bytes.extend((0..length).map(|i| i.wrapping_mul(seed + kill + 7).to_le_bytes()[1]));
        std::fs::File::create(&file)
            .unwrap()
            .write_all(&bytes)
            .unwrap();
        let mut import = vab(["import", "--server", &server.address, "--job", JOB])
            // Half with the default, so that coders are killed too.
            .args(["--compression", if kill % 2 == 0 { "none" } else { "auto" }])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(import.stdout.take().unwrap()).lines();
        std::thread::sleep(Duration::from_millis(draws.below(500)));
        server.kill();
        import.kill().unwrap();
        import.wait().unwrap();
        // The first line names the restore point; whoever has read it relies on it.
        let told = said.find_map(|line| line.ok()?.split_once(' ').map(|(id, _)| id.to_owned()));
        confirmed.extend(told.filter(|id| id.len() == 36));

        let rows = list(["--repository", repository_text]);
        for id in &confirmed {
            assert!(
                rows.iter().any(|row| text(row, "id") == id),
                "restore point {id} is lost after kill {kill}; again with VAB_SEED={seed} VAB_EFFORT={} \
                 cargo test -p vab --test killed_often",
                kills / KILLS
            );
        }
        in_doubt = rows.len() - confirmed.len();
        run(["verify", "--repository", repository_text]).success();
    }
    let server = Server::start(&repository);
    assert!(list(["--server", &server.address]).len() >= confirmed.len());
    println!(
        "server kills: {kills}, {} restore points confirmed, 0 lost, {in_doubt} committed and not told",
        confirmed.len()
    );
}
