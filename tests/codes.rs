//! Every code of LRS, sent in its place by a peer, and what the caller is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use lrs_gateway::lrs::codes::{CodeKind, DOCUMENTED_CODES, LrsCode};
use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::{Caller, FakeServer, TestGateway};

/// Where LRS can answer with a code. Obtaining a ULN asks LRS twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    ByUln,
    ByDemographics,
    Register,
    Update,
    ObtainSearching,
    ObtainRegistering,
    Verify,
    Events,
}
use Step::{ByDemographics, ByUln, Events, ObtainRegistering, ObtainSearching, Register, Update, Verify};

const EVERY: &[Step] = &[ByUln, ByDemographics, Register, Update, ObtainSearching, ObtainRegistering, Verify, Events];
const REGISTERING: &[Step] = &[Register, ObtainRegistering];
const FINDING: &[Step] = &[ByUln, ByDemographics];
/// Codes of batches, which have tests of their own, and of reports, which are not offered, would be news to a search.
const OF_OTHERS: &[Step] = &[ByDemographics];

/// A code, where it belongs, and what the caller is told: a status, and with a success the outcome, otherwise the problem.
const EXPECTED: &[(&str, &[Step], (u16, &str))] = &[
    ("WSRC0001", FINDING, (200, "NO_MATCH")),
    ("WSRC0002", &[ByUln, ByDemographics, ObtainSearching], (200, "TOO_MANY_MATCHES")),
    ("WSRC0003", &[ByUln, ByDemographics, ObtainSearching], (200, "POSSIBLE_MATCHES")),
    ("WSRC0004", &[ByUln, ByDemographics, Events], (200, "EXACT_MATCH")),
    ("WSRC0004", &[ObtainSearching], (200, "EXISTING")),
    ("WSRC0005", REGISTERING, (201, "REGISTERED")),
    ("WSRC0006", &[Update], (200, "UPDATED")),
    ("WSRC0007", OF_OTHERS, (200, "OTHER")),
    ("WSRC0008", OF_OTHERS, (200, "OTHER")),
    ("WSRC0009", OF_OTHERS, (200, "OTHER")),
    ("WSRC0010", OF_OTHERS, (200, "OTHER")),
    ("WSRC0013", &[Update], (409, "stale_version")),
    ("WSRC0014", &[Update], (422, "share_change_not_allowed")),
    ("WSRC0015", &[Register, ObtainRegistering, Update], (422, "insufficient_data")),
    ("WSRC0017", OF_OTHERS, (200, "OTHER")),
    ("WSRC0018", OF_OTHERS, (200, "OTHER")),
    ("WSRC0019", &[Update], (404, "uln_not_found")),
    ("WSRC0020", &[Update], (200, "NO_CHANGES")),
    ("WSRC0021", REGISTERING, (409, "learner_not_registered")),
    ("WSRC0022", &[ByUln, ByDemographics, ObtainSearching, Events], (200, "LINKED_LEARNER")),
    ("WSRC0023", OF_OTHERS, (200, "OTHER")),
    ("WSRC0024", OF_OTHERS, (200, "OTHER")),
    ("WSRC0030", OF_OTHERS, (200, "OTHER")),
    ("WSRC0043", OF_OTHERS, (502, "lrs_credentials_rejected")),
    ("WSEC0001", EVERY, (502, "lrs_rejected_request")),
    ("WSEC0002", EVERY, (502, "lrs_rejected_request")),
    ("WSEC0003", EVERY, (502, "lrs_credentials_rejected")),
    ("WSEC0004", EVERY, (503, "lrs_maintenance")),
    ("WSEC0005", EVERY, (502, "lrs_credentials_rejected")),
    ("WSEC0006", EVERY, (502, "lrs_credentials_rejected")),
    ("WSEC0044", OF_OTHERS, (502, "lrs_rejected_request")),
    ("WSEC0045", OF_OTHERS, (502, "lrs_rejected_request")),
    ("WSEC0046", OF_OTHERS, (502, "lrs_rejected_request")),
    ("WSEC0047", OF_OTHERS, (502, "lrs_rejected_request")),
    ("WSEC0136", &[Events], (422, "uln_invalid")),
    ("WSEC0206", &[Events], (200, "NOT_SHARED")),
    ("WSEC0208", &[Events], (200, "NOT_VERIFIED")),
    ("WSEC0999", EVERY, (502, "lrs_bad_response")),
    ("WSVRC001", &[Verify], (200, "MATCH")),
    ("WSVRC002", &[Verify], (200, "LINKED_MATCH")),
    ("WSVRC003", &[Verify], (200, "SIMILAR_MATCH")),
    ("WSVRC004", &[Verify], (200, "LINKED_SIMILAR_MATCH")),
    ("WSVRC005", &[Verify], (200, "NO_MATCH")),
    ("WSVRC006", &[Verify], (200, "ULN_NOT_FOUND")),
    ("RC006", OF_OTHERS, (200, "OTHER")),
    ("RC011", OF_OTHERS, (200, "OTHER")),
    ("RC013", OF_OTHERS, (200, "OTHER")),
];

/// A code that says less where it stands in a fault: LRS failed, whatever else it means.
const AS_FAULT: (u16, &str) = (502, "lrs_bad_response");

/// An error that nobody has documented.
const UNKNOWN_ERROR: (u16, &str) = (502, "lrs_rejected_request");

#[test]
fn every_code_of_the_table_is_expected_here_and_no_other() {
    let mut expected: Vec<&str> = EXPECTED.iter().map(|(code, ..)| *code).collect();
    expected.dedup();
    assert_eq!(expected, DOCUMENTED_CODES.iter().map(|entry| entry.code).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_code_in_an_answer_is_told_as_it_should_be() {
    let exchange = Exchange::start();
    for &(code, steps, told) in EXPECTED {
        for &step in steps {
            exchange.call(step, soap(200, &answer(step, code))).await.tells(step, code, told);
        }
    }
}

#[tokio::test]
async fn every_error_code_in_a_fault_is_told_as_it_should_be() {
    let exchange = Exchange::start();
    for &(code, steps, told) in EXPECTED.iter().filter(|(code, ..)| code.starts_with("WSEC")) {
        let told = if told.0 < 400 { AS_FAULT } else { told };
        for &step in steps {
            for fault in faults(code) {
                exchange.call(step, fault).await.tells(step, code, told);
            }
        }
    }
}

#[tokio::test]
async fn codes_nobody_documented_are_judged_by_their_letters() {
    let exchange = Exchange::start();
    for &step in EVERY {
        for code in ["WSRC7777", "WSVRC777", "X"] {
            exchange.call(step, soap(200, &answer(step, code))).await.tells(step, code, (200, "OTHER"));
        }
        exchange.call(step, soap(200, &answer(step, "WSEC7777"))).await.tells(step, "WSEC7777", UNKNOWN_ERROR);
        for (code, told) in [("WSEC7777", UNKNOWN_ERROR), ("WSRC7777", AS_FAULT)] {
            for fault in faults(code) {
                exchange.call(step, fault).await.tells(step, code, told);
            }
        }
    }
}

#[tokio::test]
async fn the_codes_of_retrieved_ulns_are_not_public_and_stand_with_each() {
    let exchange = Exchange::start();
    for code in DOCUMENTED_CODES.iter().map(|entry| entry.code).chain(["WSRC7777", "WSEC7777"]) {
        let row = format!("<VerifiedULN><ULN>3000000126</ULN><ResponseCode>{code}</ResponseCode></VerifiedULN>");
        let reply = format!("<r:RetrieveULNsResponse xmlns:r='urn:r'><RetrievedULNs>{row}</RetrievedULNs></r:RetrieveULNsResponse>");
        let told = exchange.post(RETRIEVE, &json!({"ulns": ["3000000126"]}), vec![soap(200, &reply)]).await.0.expect_success();
        assert_eq!(told, json!({"learners": [{"uln": "3000000126", "lrsCode": code}]}));
    }
    for &(code, _, told) in EXPECTED.iter().filter(|(_, steps, _)| *steps == EVERY) {
        for fault in faults(code) {
            let (answer, asked) = exchange.post(RETRIEVE, &json!({"ulns": ["3000000126"]}), vec![fault]).await;
            assert_eq!((&answer.problem(told.0, told.1)["lrs"]["code"], asked), (&json!(code), 1), "{code}");
        }
    }
}

const RETRIEVE: &str = "/v1/learners/retrieve-ulns";

impl Step {
    fn path(self) -> &'static str {
        match self {
            ByUln => "/v1/learners/find-by-uln",
            ByDemographics => "/v1/learners/find-by-demographics",
            Register => "/v1/learners/register",
            Update => "/v1/learners/update",
            ObtainSearching | ObtainRegistering => "/v1/learners/obtain-uln",
            Verify => "/v1/learners/verify",
            Events => "/v1/learning-events/search",
        }
    }

    fn request(self) -> Value {
        let learner = json!({
            "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-06-01", "gender": "MALE",
            "lastKnownPostCode": "ZZ5 5FF", "verificationType": "PASSPORT", "abilityToShare": "NOT_SEEN",
        });
        match self {
            ByUln | Verify | Events => json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"}),
            ByDemographics => json!({
                "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-06-01", "gender": "MALE",
                "lastKnownPostCode": "ZZ5 5FF",
            }),
            Register | ObtainSearching | ObtainRegistering => json!({"learner": learner}),
            Update => json!({"uln": "3000000126", "versionNumber": 3, "learner": learner}),
        }
    }

    /// May doing it twice be wrong?
    fn writes(self) -> bool {
        matches!(self, Register | Update | ObtainRegistering)
    }
}

/// LRS's answer with this code, and with what must come with the code.
fn answer(step: Step, code: &str) -> String {
    let comes_with = |codes: &[&str], xml: &'static str| if codes.contains(&code) { xml } else { "" };
    let code = format!("<ResponseCode>{code}</ResponseCode>");
    match step {
        ByUln | ByDemographics | ObtainSearching => {
            let learner = "<Learner><ULN>3000000126</ULN><VersionNumber>3</VersionNumber></Learner>";
            let found = comes_with(&["WSRC0003", "WSRC0004", "WSRC0022"], learner);
            format!("<f:FindLearnerResponse xmlns:f='urn:f'>{code}{found}</f:FindLearnerResponse>")
        }
        Register | ObtainRegistering => {
            let uln = comes_with(&["WSRC0005"], "<ULN>3000000258</ULN>");
            format!("<r:RegisterLearnerResponse xmlns:r='urn:r'>{code}{uln}</r:RegisterLearnerResponse>")
        }
        Update => format!("<r:UpdateLearnerResponse xmlns:r='urn:r'>{code}</r:UpdateLearnerResponse>"),
        Verify => format!("<v:VerifyLearnerResponse xmlns:v='urn:v'><VerifiedLearner>{code}</VerifiedLearner></v:VerifyLearnerResponse>"),
        Events => {
            let result = format!("<GetLearnerLearningEventsResult>{code}</GetLearnerLearningEventsResult>");
            format!("<GetLearnerLearningEventsResponse xmlns='urn:e'>{result}</GetLearnerLearningEventsResponse>")
        }
    }
}

/// The faults of the services, with this code.
fn faults(code: &str) -> [Vec<u8>; 2] {
    let fault = |detail: String| {
        let fault =
            format!("<faultcode>soapenv:Server</faultcode><faultstring>Zebedee Quillfeather</faultstring><detail>{detail}</detail>");
        soap(500, &format!("<soapenv:Fault>{fault}</soapenv:Fault>"))
    };
    let code = format!("<ErrorCode>{code}</ErrorCode>");
    let details = "<ErrorActor>x</ErrorActor><Description>Zebedee</Description><FurtherDetails>Quillfeather</FurtherDetails>";
    [
        fault(format!("<x:MIAPAPIException xmlns:x='http://api.lrs.miap.gov.uk/exceptions'>{code}{details}</x:MIAPAPIException>")),
        fault(format!("<DomainFault xmlns='http://api.lrs.qcf.gov.uk/faults'>{code}</DomainFault>")),
    ]
}

/// A gateway, and behind it a peer that sends what it is given.
struct Exchange {
    replies: Arc<Mutex<VecDeque<Vec<u8>>>>,
    caller: Caller,
    peer: FakeServer,
    _gateway: TestGateway,
}

impl Exchange {
    fn start() -> Self {
        let replies = Arc::new(Mutex::new(VecDeque::<Vec<u8>>::new()));
        let next = Arc::clone(&replies);
        let peer = FakeServer::start(move |_| Reply::Bytes(next.lock().expect("no panic").pop_front().expect("a reply")));
        let gateway = TestGateway::to(&peer.url());
        Self { replies, caller: gateway.caller(), peer, _gateway: gateway }
    }

    /// What the caller is told when this is LRS's reply at this step, and how often LRS was asked.
    async fn call(&self, step: Step, reply: Vec<u8>) -> Told {
        let nobody = || soap(200, &answer(ObtainSearching, "WSRC0001"));
        let replies = if step == ObtainRegistering { vec![nobody(), reply] } else { vec![reply] };
        let expected = replies.len();
        let (answer, asked) = self.post(step.path(), &step.request(), replies).await;
        assert_eq!(asked, expected, "{step:?} {answer:?}");
        Told(answer)
    }

    async fn post(&self, path: &str, request: &Value, replies: Vec<Vec<u8>>) -> (Answer, usize) {
        let before = self.peer.received().len();
        self.replies.lock().expect("no panic").extend(replies);
        let answer = self.caller.post(path, request).await;
        (answer, self.peer.received().len() - before)
    }
}

/// What the caller was told.
struct Told(Answer);

impl Told {
    fn tells(&self, step: Step, code: &str, (status, word): (u16, &str)) {
        let (answer, what) = (self.0.json(), format!("{step:?} {code}: {}", self.0.text));
        assert_eq!(self.0.status, status, "{what}");
        if status < 400 {
            assert_eq!((&answer["outcome"], &answer["lrsCode"]), (&json!(word), &json!(code)), "{what}");
            return;
        }
        let meaning = LrsCode::new(code).entry().map_or("LRS has not published the meaning of this code", |entry| entry.meaning);
        assert_eq!((&answer["code"], &answer["lrs"]), (&json!(word), &json!({"code": code, "description": meaning})), "{what}");
        let nobody_knows = (status, word) == AS_FAULT || LrsCode::new(code).kind() == CodeKind::UnknownError;
        let unknown = step.writes() && nobody_knows;
        assert_eq!(answer["outcomeUnknown"] == true, unknown, "{what}");
        assert!(!self.0.text.contains("Zebedee") && !self.0.text.contains("Quillfeather"), "{what}");
    }
}
