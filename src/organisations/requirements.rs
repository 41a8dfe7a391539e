//! What an organisation must have for its calls to succeed, beyond a valid file: a certificate that LRS accepts, settings of the gateway that
//! its products need, and secrets that stay secret.

use std::path::Path;

use super::registry::LoadReport;
use crate::domain::{Product, Ukprn};
use crate::file_watch::is_readable_by_others;
use crate::schema::Scalar as _;
use crate::tls::CertificateDetails;

/// What the LRS of this gateway requires of every organisation.
#[derive(Debug, Clone, Default)]
pub struct LrsRequirements {
    /// `true` if LRS rejects connections without a client certificate.
    pub client_certificate: bool,
    /// Settings of the gateway without a value, each with the product that needs one.
    pub missing_settings: Vec<(Product, &'static str)>,
}

impl LrsRequirements {
    /// Reports the settings of the gateway that the organisation's products need. Returns `true` if there are none.
    pub(super) fn check_products(&self, ukprn: &Ukprn, products: &[Product], report: &mut LoadReport) -> bool {
        let missing = self.missing_settings.iter().filter(|(product, _)| products.contains(product));
        let before = report.missing_settings.len();
        report.missing_settings.extend(missing.map(|(product, setting)| {
            let product = product.text();
            format!(
                "{setting}: is required with environment = \"live\": organisation {ukprn} has the product {product}, and LRS has published \
                 no value for it. Ask LRS"
            )
        }));
        report.missing_settings.len() == before
    }

    /// Reports the client certificate: as a remark, or as a warning if LRS will reject it. The organisation is used in any case: LRS decides.
    pub(super) fn report_certificate(&self, ukprn: &Ukprn, certificate: Option<&CertificateDetails>, report: &mut LoadReport) {
        let Some(certificate) = certificate else {
            if self.client_certificate {
                let missing = "client_certificate: is required: LRS rejects connections without a client certificate";
                report.warnings.push(format!("organisation {ukprn}: {missing}"));
            } else {
                report.remarks.push(format!("organisation {ukprn}: no client certificate"));
            }
            return;
        };
        let CertificateDetails { subject, issuer, purposes, validity } = certificate;
        let (not_before, not_after) = (validity.not_before, validity.not_after);
        if !validity.is_current() {
            report.warnings.push(format!(
                "organisation {ukprn}: client certificate is not valid now: its validity period is {not_before} to {not_after}"
            ));
        }
        let purposes = if purposes.is_empty() { "any".to_owned() } else { purposes.join(", ") };
        report.remarks.push(format!(
            "organisation {ukprn}: client certificate valid until {not_after}, since {not_before}; subject {subject}; issuer {issuer}; \
             purposes: {purposes}"
        ));
        if !certificate.is_for_clients() {
            report.remarks.push(format!(
                "warning: organisation {ukprn}: the client certificate is not for clients: its purposes lack clientAuth, so LRS may reject \
                 it. Ask LRS for a certificate with this purpose"
            ));
        }
    }
}

/// Returns a warning if every user of this machine can read a file with a secret.
pub fn secret_warning(setting: &str, file: &Path) -> Option<String> {
    is_readable_by_others(file).then(|| {
        let path = file.display();
        format!("warning: {setting}: every user of this machine can read {path}. Run `chmod 600` or `chmod 640` on it")
    })
}
