//! The files with secrets that the configuration file names.

use std::path::Path;

use crate::config::file::ConfigFile;
use crate::organisations::secret_warning;

/// Returns a warning for each file with a secret that every user of this machine can read.
pub(super) fn warnings(config_file: &Path, settings: &ConfigFile, base: &Path) -> Vec<String> {
    let ConfigFile { server, auth, lrs, store, audit, .. } = settings;
    let issuers = auth.issuers.iter().enumerate();
    let shared_secrets =
        issuers.map(|(number, issuer)| (format!("auth.issuers.{number}.hmac_secret_file"), issuer.hmac_secret_file.as_ref()));
    let others = [
        ("server.tls.key_file", server.tls.as_ref().map(|tls| &tls.key_file)),
        ("lrs.proxy_password_file", lrs.proxy_password_file.as_ref()),
        ("store.encryption_key_file", store.encryption_key_file.as_ref()),
        ("store.sentinel_password_file", store.sentinel_password_file.as_ref()),
        ("audit.key_file", audit.key_file.as_ref()),
    ];
    let files = shared_secrets.chain(others.map(|(setting, file)| (setting.to_owned(), file)));
    let files = files.filter_map(|(setting, file)| Some((setting, base.join(file?))));
    // The configuration file is a secret if it contains the password of Redis.
    let has_password = store.redis_url.as_ref().is_some_and(|url| url.contains('@'));
    let config_file = has_password.then(|| ("store.redis_url".to_owned(), config_file.to_owned()));
    files.chain(config_file).filter_map(|(setting, file)| secret_warning(&setting, &file)).collect()
}
