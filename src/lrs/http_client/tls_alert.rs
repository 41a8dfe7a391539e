//! TLS alerts: the reason that the server gives when it ends a connection.

use std::error::Error;

use rustls::AlertDescription;

use crate::error_chain::causes;

/// Returns the rustls error that caused an HTTP error.
pub(crate) fn rustls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Returns the alert with which the server ended the connection. Alerts that this side sent are not included.
pub(crate) fn received_alert(error: &(dyn Error + 'static)) -> Option<AlertDescription> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        Some(_) => None,
        None => causes(error).find_map(|cause| openssl_alert(&cause.to_string())),
    }
}

/// Parses an alert from an OpenSSL error text, such as `error:0A000418:SSL routines:…:SSL alert number 48`. OpenSSL has no other form.
fn openssl_alert(text: &str) -> Option<AlertDescription> {
    let number = text.split_once("SSL alert number ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok().map(u8::into)
}

/// Returns `true` if a server's alert is about the client certificate. A server without the expected certificate may only report a
/// handshake failure.
pub(crate) const fn is_certificate_alert(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::CertificateRequired
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssl_alert_is_parsed_from_error_text() {
        let text =
            "error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1593:SSL alert number 48";
        assert_eq!(openssl_alert(text), Some(AlertDescription::UnknownCA));
        assert_eq!(openssl_alert(&format!("{text} (and more)")), Some(AlertDescription::UnknownCA));
        assert_eq!(openssl_alert("error:0A000086:SSL routines::certificate verify failed:"), None);
    }
}
