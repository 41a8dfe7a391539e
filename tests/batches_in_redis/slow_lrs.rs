//! An LRS whose response to a registration comes late.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::support::FakeServer;
use crate::support::batches::{batch_output_response, check_counters, submit_batch_response};
use crate::support::fake_server::{Reply, http};

/// An LRS that responds to the submission of a registration only when the test allows it. It returns the same learners for every job.
pub struct SlowLrs {
    pub server: FakeServer,
    pub submission_received: Arc<Notify>,
    /// Receives the HTTP status of the next response: 200 for job 77.
    pub allow_response: std::sync::mpsc::Sender<u16>,
}

impl SlowLrs {
    /// Starts it with these learners in every output.
    pub fn start(learners: &'static str) -> Self {
        let submission_received = Arc::new(Notify::new());
        let received = Arc::clone(&submission_received);
        let (allow_response, allowed) = std::sync::mpsc::channel();
        let allowed = Mutex::new(allowed);
        let server = FakeServer::start(move |request| {
            if request.body.contains("GetSubmitBatchOutput") {
                let counters = check_counters(1, 0);
                return Reply::Bytes(batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{counters}{learners}")));
            }
            if request.body.contains("CHK") {
                return Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>78</JobID>"));
            }
            received.notify_one();
            let status = allowed.lock().expect("no thread panicked").recv();
            if status == Ok(503) {
                return Reply::Bytes(http(503, "text/html", b"<html>Service Unavailable</html>"));
            }
            Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>77</JobID>"))
        });
        Self { server, submission_received, allow_response }
    }

    /// Returns the number of registrations that LRS received.
    pub fn registrations(&self) -> usize {
        self.server.received().iter().filter(|request| request.body.contains(">FUL<")).count()
    }
}
