//! Metadata of a batch: the submitter and the options of the submission.

use crate::batches::model::BatchId;
use crate::domain::{EmailAddress, JobType, SubmissionType, UserName};
use crate::organisations::{CallContext, CallOrigin, PartReference};
use crate::schema::Request;

/// Metadata of a batch, stored encrypted until the batch is deleted.
#[derive(Debug, Clone, Request)]
#[request(stored)]
pub struct BatchMetadata {
    /// The user who submitted the batch. Every call to LRS names this user, except calls about a part that another user resubmitted.
    pub user: UserName,
    /// Job type of a registration batch.
    pub job_type: Option<JobType>,
    /// Address that LRS notifies when the job is done.
    pub notify_email: Option<EmailAddress>,
    /// Whether achievements are final.
    pub submission_type: Option<SubmissionType>,
    /// Id of the request that submitted the batch.
    pub request_id: Option<String>,
    /// Issuer of the caller's token.
    pub issuer: Option<String>,
    /// The calling program.
    pub client: Option<String>,
}

impl BatchMetadata {
    /// Creates metadata with the submitter only.
    pub fn submitted_by(context: &CallContext) -> Self {
        let CallOrigin { request_id, issuer, client, .. } = &*context.origin;
        let [request_id, issuer, client] =
            [&**request_id, &**issuer, &**client].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        Self { user: context.user.clone(), job_type: None, notify_email: None, submission_type: None, request_id, issuer, client }
    }

    /// Returns the origin of calls about a part of the batch.
    pub fn origin(&self, batch: BatchId, part: u32) -> CallOrigin {
        let [request_id, issuer, client] = [&self.request_id, &self.issuer, &self.client].map(|text| text.as_deref().unwrap_or_default());
        CallOrigin {
            request_id: request_id.into(),
            issuer: issuer.into(),
            client: client.into(),
            part: Some(PartReference { batch: batch.to_string(), number: part }),
        }
    }
}
