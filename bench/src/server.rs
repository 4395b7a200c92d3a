//! A private PostgreSQL: made anew below /tmp, reached by its socket only, gone when dropped.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use crate::{Outcome, sentence};

pub struct Server {
    folder: PathBuf,
    bindir: PathBuf,
    pub pg_config: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    postmaster: Child,
}

/// What the server says of itself with `pg_config OPTION`.
pub fn ask_pg_config(pg_config: &Path, option: &str) -> Outcome<String> {
    let output = Command::new(pg_config)
        .arg(option)
        .output()
        .map_err(|error| format!("PG_CONFIG={}: {error}", pg_config.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn identity(option: &str, user: &str) -> Outcome<u32> {
    let output = Command::new("id").args([option, user]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    text.parse().map_err(|_| format!("there is no user {user} for the server to run as").into())
}

impl Server {
    /// `settings`: lines of postgresql.conf beside those that every private server has.
    pub fn start(settings: &str) -> Outcome<Server> {
        let pg_config = PathBuf::from(
            std::env::var("PG_CONFIG").unwrap_or_else(|_| "/usr/lib/postgresql/15/bin/pg_config".to_string()),
        );
        let bindir = PathBuf::from(ask_pg_config(&pg_config, "--bindir")?);
        // PostgreSQL refuses root.
        let is_root = Command::new("id").arg("-u").output()?.stdout.starts_with(b"0");
        let owner = if is_root { Some((identity("-u", "postgres")?, identity("-g", "postgres")?)) } else { None };
        let port: u16 = std::env::var("BENCH_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(54450);
        let mut number = 0;
        let folder = loop {
            let folder = std::env::temp_dir().join(format!("cab{}_{number}", std::process::id()));
            match std::fs::create_dir(&folder) {
                Ok(()) => break folder,
                Err(_) if number < 100 => number += 1,
                Err(error) => return Err(format!("cannot make {}: {error}", folder.display()).into()),
            }
        };
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
        }
        let data = folder.join("data");
        let made = as_owner(owner, &folder, &bindir.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
            .output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let mut conf = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        writeln!(
            conf,
            "listen_addresses = ''\nunix_socket_directories = '{}'\nport = {port}\nfsync = off\nfull_page_writes = off\n\
             autovacuum = off\njit = off\nlc_messages = 'C'\ntimezone = 'UTC'\n{settings}",
            folder.display()
        )?;
        drop(conf);
        let log = std::fs::File::create(folder.join("log"))?;
        let postmaster = as_owner(owner, &folder, &bindir.join("postgres"))
            .arg("-D")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Server { folder, bindir, pg_config, port, owner, postmaster };
        let started = Instant::now();
        loop {
            match server.connect("postgres") {
                Ok(_) => return Ok(server),
                Err(error) if started.elapsed() > Duration::from_secs(60) => {
                    return Err(format!("the server did not start: {}", sentence(error.as_ref())).into());
                }
                Err(_) => {
                    if server.postmaster.try_wait()?.is_some() {
                        return Err(format!("the server ended at once: {}", server.log()).into());
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }

    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).port(self.port).user("postgres").dbname(database);
        config
    }

    pub fn connect(&self, database: &str) -> Outcome<Client> {
        Ok(self.config(database).connect(NoTls)?)
    }

    /// A place that the server can read.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program of the server, told where the server is, as the user who may enter its folder.
    pub fn program(&self, name: &str) -> Command {
        let mut command = as_owner(self.owner, &self.folder, &self.bindir.join(name));
        command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        command
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The extension, or what stands in for it. Errors that name what is missing.
    pub fn create_database(&self, name: &str, setup: &str) -> Outcome<()> {
        self.connect("postgres")?.batch_execute(&format!("CREATE DATABASE {name}"))?;
        self.connect(name)?.batch_execute(setup)?;
        Ok(())
    }
}

fn as_owner(owner: Option<(u32, u32)>, folder: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGSERVICE", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = as_owner(self.owner, &self.folder, &self.bindir.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-m", "immediate", "-s", "-w", "stop"])
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.postmaster.kill();
        }
        let _ = self.postmaster.wait();
        if std::env::var_os("BENCH_KEEP").is_some() {
            eprintln!("kept: {}", self.folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
