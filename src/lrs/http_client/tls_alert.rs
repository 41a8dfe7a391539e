//! What the other side's TLS says when it ends a connection.

use rustls::AlertDescription;

use crate::error_chain::causes;

/// What rustls has met, if it is behind this error.
pub(crate) fn rustls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The alert with which the other side has ended the connection. Only it can send one, and only about what we showed it.
pub(crate) fn alert(error: &reqwest::Error) -> Option<AlertDescription> {
    match rustls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        Some(_) => None,
        None => causes(error).find_map(|cause| alert_of_openssl(&cause.to_string())),
    }
}

/// OpenSSL tells alerts in words alone: `error:0A000418:SSL routines:…:SSL alert number 48`.
fn alert_of_openssl(text: &str) -> Option<AlertDescription> {
    let number = text.split_once("SSL alert number ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok().map(u8::into)
}

/// Is this alert, of a server, about the client's certificate? A server that misses one may say no more than that there is no agreement.
pub(crate) const fn about_certificates(alert: AlertDescription) -> bool {
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
    fn openssls_alerts_are_read_from_its_words() {
        let words =
            "error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1593:SSL alert number 48";
        assert_eq!(alert_of_openssl(words), Some(AlertDescription::UnknownCA));
        assert_eq!(alert_of_openssl(&format!("{words} (and more)")), Some(AlertDescription::UnknownCA));
        assert_eq!(alert_of_openssl("error:0A000086:SSL routines::certificate verify failed:"), None);
    }
}
