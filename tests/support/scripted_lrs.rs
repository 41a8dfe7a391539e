//! An LRS that sends scripted replies, and one search with LRS's valid response. Tests of undocumented and malformed responses modify it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::fake_server::{FakeServer, ReceivedRequest, Reply, http};
use super::gateway::{Options, TestGateway};

/// LRS's response to the search: an exact match.
pub const RESPONSE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
    <soapenv:Header/><soapenv:Body><ns2:FindLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\">\
    <ResponseCode>WSRC0004</ResponseCode><ULN>3000000126</ULN><FamilyName>Quillfeather</FamilyName><GivenName>Zebedee</GivenName>\
    <Learner><ULN>3000000126</ULN><GivenName>Zebedee</GivenName><FamilyName>Quillfeather</FamilyName><Gender>1</Gender>\
    <LinkedULNs xmlns=\"http://api.lrs.miap.gov.uk/learner\"/><Notes/><VersionNumber>3</VersionNumber></Learner>\
    </ns2:FindLearnerResponse></soapenv:Body></soapenv:Envelope>";

/// Returns the body of the search.
pub fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"})
}

/// Returns the learner of the response as the gateway answers it.
pub fn learner() -> Value {
    json!({
        "uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather", "gender": "MALE", "linkedUlns": [], "versionNumber": 3
    })
}

/// Returns the response with `from`, which must occur once, replaced.
pub fn response_with(from: &str, to: &str) -> String {
    assert_eq!(RESPONSE.matches(from).count(), 1, "{from}");
    RESPONSE.replace(from, to)
}

/// Returns the response with this XML added to its learner.
pub fn response_with_learner_xml(xml: &str) -> String {
    response_with("<Notes/>", xml)
}

/// Returns a reply with status 200 and this document.
pub fn xml_reply(document: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(http(200, "text/xml; charset=utf-8", document.as_ref()))
}

/// A gateway in front of an LRS that sends one scripted reply per request.
pub struct ScriptedLrs {
    server: FakeServer,
    request_count: Arc<AtomicUsize>,
    caller: Caller,
    _gateway: TestGateway,
}

impl ScriptedLrs {
    /// Starts an LRS with these replies, and a gateway with these options in front of it.
    pub fn new(options: Options, replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        let request_count = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&request_count);
        let server = FakeServer::start(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            replies.lock().expect("no thread panicked").pop_front().expect("the script has a reply for every request")
        });
        let gateway = TestGateway::with(&server.url(), options);
        Self { server, request_count, caller: gateway.caller(), _gateway: gateway }
    }

    /// Sends this header with every request.
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { caller: self.caller.with_header(name, value), ..self }
    }

    /// Sends the search. The gateway must send exactly one request to LRS.
    pub async fn search(&self) -> Answer {
        self.post("/v1/learners/find-by-uln", &search()).await
    }

    /// Posts to the gateway. It must send exactly one request to LRS.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_expecting_calls(1, path, body).await
    }

    /// Posts to the gateway. It must send exactly `calls` requests to LRS.
    pub async fn post_expecting_calls(&self, calls: usize, path: &str, body: &Value) -> Answer {
        let count_before = self.request_count.load(Ordering::SeqCst);
        let answer = self.caller.post(path, body).await;
        assert_eq!(self.request_count.load(Ordering::SeqCst), count_before + calls, "requests that reached LRS: {answer:?}");
        answer
    }

    /// Returns the requests that LRS received so far.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.server.received()
    }
}
