//! The file of maintenance windows, which is read again while the process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::file::MaintenanceSection;
use crate::file_watch::{self, FileContent, Poll, ReloadRequests, WatchedFiles};
use crate::lrs::maintenance::{MaintenanceSchedule, MaintenanceWindow};
use crate::schema::Settings;
use crate::schema::toml::from_content;

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
    files: WatchedFiles,
    schedule: MaintenanceSchedule,
    /// The windows of the configuration file, which always apply.
    configured: Arc<[MaintenanceWindow]>,
}

impl MaintenanceWatcher {
    /// Reads the file and adds its windows to the schedule, which has the windows of the configuration file.
    ///
    /// # Errors
    /// Returns every error of the file.
    pub fn load(path: PathBuf, schedule: MaintenanceSchedule) -> Result<Self, Vec<String>> {
        let (files, contents) = WatchedFiles::read([path.clone()]);
        let configured = schedule.windows();
        let watcher = Self { path, files, schedule, configured };
        watcher.apply(contents)?;
        Ok(watcher)
    }

    /// Updates the schedule when the file changes, until the future is dropped.
    pub async fn watch(self, requests: ReloadRequests) {
        file_watch::watch("maintenance windows", self, requests, Self::reload, |_, changes| log_change(changes)).await;
    }

    /// Reads the file if it has changed. Returns the number of windows in it, or its errors; `None` if it has not changed.
    fn reload(&mut self, poll: Poll) -> Option<Result<usize, Vec<String>>> {
        self.files.read_if_changed(poll).map(|contents| self.apply(contents))
    }

    /// Replaces the windows of the schedule, unless the file has an error. Returns the number of windows in the file.
    fn apply(&self, contents: Vec<FileContent>) -> Result<usize, Vec<String>> {
        let announced = contents.into_iter().map(|content| parse(&self.path, content)).collect::<Result<Vec<_>, _>>()?.concat();
        let count = announced.len();
        self.schedule.replace(self.configured.iter().cloned().chain(announced).collect());
        Ok(count)
    }
}

fn parse(path: &Path, content: FileContent) -> Result<Vec<MaintenanceWindow>, Vec<String>> {
    let file: MaintenanceFile = from_content(path, content)?;
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
