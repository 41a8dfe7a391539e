//! Texts from LRS in parts: codes, and words for the state of a job. Callers read them verbatim. A text that could be personal data is stored
//! encrypted.

use crate::batches::batch_kind::ReportedJob;
use crate::batches::model::{BatchId, JobReport, JobTime, LrsText, Part, bounded_text};
use crate::batches::service::BatchService;
use crate::lrs::response_codes::LrsCode;

/// Maximum length of a status that is stored as it is.
const MAX_STATUS_LENGTH: usize = 40;

impl BatchService {
    /// Returns LRS's code as a part stores it.
    pub(super) fn stored_code(&self, id: BatchId, number: u32, code: Option<&LrsCode>) -> Option<LrsText> {
        self.stored_text(id, number, code?.as_str(), |text| LrsCode::new(text).loggable().is_some())
    }

    /// Returns LRS's own status and times of a job as a part stores them.
    pub(super) fn stored_report(&self, id: BatchId, number: u32, job: ReportedJob) -> JobReport {
        let status = job.status.and_then(|status| self.stored_text(id, number, &status, is_status_word));
        let stored_time = |time: Option<JobTime>| match time? {
            JobTime::Verbatim(LrsText::Plain(text)) => self.stored_text(id, number, &text, is_time).map(JobTime::Verbatim),
            time => Some(time),
        };
        JobReport { status, started_at: stored_time(job.started_at), finished_at: stored_time(job.finished_at) }
    }

    /// Returns a copy of a part with its texts decrypted, for an answer only: it no longer equals the stored part.
    pub fn decrypted_part(&self, id: BatchId, number: u32, part: &Part) -> Part {
        let decrypted = |text: &LrsText| match text {
            LrsText::Sealed { sealed } => self.cipher.decrypt_text(id, number, sealed).ok().map(LrsText::Plain),
            plain @ LrsText::Plain(_) => Some(plain.clone()),
        };
        let decrypted_time = |time: &JobTime| match time {
            JobTime::Verbatim(text) => decrypted(text).map(JobTime::Verbatim),
            JobTime::Known(time) => Some(JobTime::Known(*time)),
        };
        let JobReport { status, started_at, finished_at } = &part.job_report;
        let job_report = JobReport {
            status: status.as_ref().and_then(decrypted),
            started_at: started_at.as_ref().and_then(decrypted_time),
            finished_at: finished_at.as_ref().and_then(decrypted_time),
        };
        Part { lrs_code: part.lrs_code.as_ref().and_then(decrypted), job_report, ..part.clone() }
    }

    /// A text that cannot be encrypted is left out: what LRS has done with a part must be stored in any case.
    fn stored_text(&self, id: BatchId, number: u32, text: &str, is_plain: impl Fn(&str) -> bool) -> Option<LrsText> {
        let text = bounded_text(text)?;
        if is_plain(&text) {
            return Some(LrsText::Plain(text));
        }
        self.cipher.encrypt_text(id, number, &text).ok().map(|sealed| LrsText::Sealed { sealed })
    }
}

/// Returns `true` for one or two words. Longer text might contain personal data.
fn is_status_word(text: &str) -> bool {
    let has_letters_only = text.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte));
    text.len() <= MAX_STATUS_LENGTH && has_letters_only && text.split_whitespace().count() <= 2
}

/// Returns `true` for a text that can be a time in another notation than the documented ones.
fn is_time(text: &str) -> bool {
    let is_time_character = |byte: u8| byte.is_ascii_alphanumeric() || b" .:,/+-".contains(&byte);
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).count();
    text.len() <= 40 && text.bytes().all(is_time_character) && numbers >= 3
}
