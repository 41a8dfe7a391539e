//! The file of maintenance windows, which is read again while the process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::file::MaintenanceSection;
use crate::file_watch::{self, FileContent, content_digest};
use crate::lrs::maintenance::{MaintenanceSchedule, MaintenanceWindow};
use crate::schema::Settings;
use crate::schema::toml::{from_table, parse_content};

/// Content of the file of maintenance windows.
#[derive(Debug, Settings)]
#[setting(page)]
pub struct MaintenanceFile {
    /// Announced maintenance of LRS. Calls are answered 503 `lrs_maintenance`, batches wait.
    #[setting(default = Vec::new())]
    maintenance: Vec<MaintenanceSection>,
}

/// Keeps the announced maintenance in step with its file.
#[derive(Debug)]
pub struct MaintenanceWatcher {
    path: PathBuf,
    schedule: MaintenanceSchedule,
    /// The windows of the configuration file, which always apply.
    configured: Arc<[MaintenanceWindow]>,
    digest: Vec<u8>,
}

impl MaintenanceWatcher {
    /// Reads the file and adds its windows to the schedule, which has the windows of the configuration file.
    ///
    /// # Errors
    /// Returns every error of the file.
    pub fn load(path: PathBuf, schedule: MaintenanceSchedule) -> Result<Self, Vec<String>> {
        let content = file_watch::read(&path);
        let configured = schedule.windows();
        let watcher = Self { digest: content_digest([&content]), configured, path, schedule };
        watcher.apply(content)?;
        Ok(watcher)
    }

    /// Updates the schedule when the file changes, until the future is dropped.
    pub async fn watch(self) {
        file_watch::watch("maintenance windows", self, Self::reload, |_, changes| log_change(changes)).await;
    }

    /// Reads the file. Returns the number of windows in it, or its errors; `None` if it has not changed.
    fn reload(&mut self) -> Option<Result<usize, Vec<String>>> {
        let content = file_watch::read(&self.path);
        let digest = content_digest([&content]);
        if digest == self.digest {
            return None;
        }
        self.digest = digest;
        Some(self.apply(content))
    }

    /// Replaces the windows of the schedule, unless the file has an error. Returns the number of windows in the file.
    fn apply(&self, content: FileContent) -> Result<usize, Vec<String>> {
        let announced = parse(&self.path, content)?;
        let count = announced.len();
        self.schedule.replace(self.configured.iter().cloned().chain(announced).collect());
        Ok(count)
    }
}

fn parse(path: &Path, content: FileContent) -> Result<Vec<MaintenanceWindow>, Vec<String>> {
    let file: MaintenanceFile = from_table(path, parse_content(path, content)?)?;
    Ok(file.maintenance.iter().map(MaintenanceWindow::from).collect())
}

fn log_change(change: Option<Result<usize, Vec<String>>>) {
    match change {
        None => {}
        Some(Ok(windows)) => tracing::info!(windows, "maintenance windows changed"),
        Some(Err(errors)) => {
            for error in errors {
                tracing::error!(error, "maintenance file cannot be used: maintenance windows unchanged");
            }
        }
    }
}
