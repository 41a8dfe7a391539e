//! One search and LRS's good answer to it: what the tests of unusual and of bad answers start from.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::fake_server::{FakeServer, ReceivedRequest, Reply, http};
use super::gateway::{Options, TestGateway};

/// LRS's answer: exactly the learner searched for.
pub const ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
    <soapenv:Header/><soapenv:Body><ns2:FindLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\">\
    <ResponseCode>WSRC0004</ResponseCode><ULN>3000000126</ULN><FamilyName>Quillfeather</FamilyName><GivenName>Zebedee</GivenName>\
    <Learner><ULN>3000000126</ULN><GivenName>Zebedee</GivenName><FamilyName>Quillfeather</FamilyName><Gender>1</Gender>\
    <LinkedULNs xmlns=\"http://api.lrs.miap.gov.uk/learner\"/><Notes/><VersionNumber>3</VersionNumber></Learner>\
    </ns2:FindLearnerResponse></soapenv:Body></soapenv:Envelope>";

/// The search.
pub fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"})
}

/// The learner of the answer.
pub fn learner() -> Value {
    json!({
        "uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather", "gender": "MALE", "linkedUlns": [], "versionNumber": 3
    })
}

/// The answer with its one `from` replaced.
pub fn response_with(from: &str, to: &str) -> String {
    assert_eq!(ANSWER.matches(from).count(), 1, "{from}");
    ANSWER.replace(from, to)
}

/// The answer with something more in its learner.
pub fn learner_with(xml: &str) -> String {
    response_with("<Notes/>", xml)
}

/// A 200 with this document.
pub fn xml_reply(document: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(http(200, "text/xml; charset=utf-8", document.as_ref()))
}

/// A gateway and a peer behind it that has these replies, one a request.
pub struct ScriptedLrs {
    peer: FakeServer,
    asked: Arc<AtomicUsize>,
    caller: Caller,
    _gateway: TestGateway,
}

impl ScriptedLrs {
    pub fn new(options: Options, replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let peer = FakeServer::start(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            replies.lock().expect("no panic").pop_front().expect("one request a reply")
        });
        let gateway = TestGateway::with(&peer.url(), options);
        Self { peer, asked, caller: gateway.caller(), _gateway: gateway }
    }

    /// Searches once; the peer must be asked once.
    pub async fn search(&self) -> Answer {
        self.post("/v1/learners/find-by-uln", &search()).await
    }

    /// Calls the gateway; the peer must be asked once.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_asking(1, path, body).await
    }

    /// Calls the gateway; the peer must be asked this often.
    pub async fn post_asking(&self, requests: usize, path: &str, body: &Value) -> Answer {
        let before = self.asked.load(Ordering::SeqCst);
        let answer = self.caller.post(path, body).await;
        assert_eq!(self.asked.load(Ordering::SeqCst), before + requests, "requests that reached LRS: {answer:?}");
        answer
    }

    /// What the peer was sent so far.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.peer.received()
    }
}
