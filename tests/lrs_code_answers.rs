//! Every code of LRS, in each response and fault that can contain it, and the outcome or the problem that callers get.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use lrs_gateway::lrs::response_codes::{CodeKind, DOCUMENTED_CODES, LrsCode};
use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::{Caller, FakeServer, TestGateway};

/// A call to LRS whose response can contain a code. To obtain a ULN and to amend a record, the gateway calls LRS twice.
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
    AmendReading,
    AmendWriting,
}
use Step::{AmendReading, AmendWriting, ByDemographics, ByUln, Events, ObtainRegistering, ObtainSearching, Register, Update, Verify};

const ALL_STEPS: &[Step] =
    &[ByUln, ByDemographics, Register, Update, ObtainSearching, ObtainRegistering, Verify, Events, AmendReading, AmendWriting];
const REGISTERING: &[Step] = &[Register, ObtainRegistering];
/// Step for the codes of batches, which other tests cover, and of reports, which the gateway does not offer. To a search, these codes are
/// unexpected.
const UNRELATED: &[Step] = &[ByDemographics];

/// A code, the steps whose response can contain it, and the expected answer: the status, and the outcome (below 400) or the problem code.
const EXPECTED: &[(&str, &[Step], (u16, &str))] = &[
    ("WSRC0001", &[ByUln, ByDemographics, AmendReading], (200, "NO_MATCH")),
    ("WSRC0002", &[ByUln, ByDemographics, ObtainSearching, AmendReading], (200, "TOO_MANY_MATCHES")),
    ("WSRC0003", &[ByUln, ByDemographics, ObtainSearching, AmendReading], (200, "POSSIBLE_MATCHES")),
    ("WSRC0004", &[ByUln, ByDemographics, Events], (200, "EXACT_MATCH")),
    ("WSRC0004", &[ObtainSearching], (200, "EXISTING")),
    ("WSRC0005", REGISTERING, (201, "REGISTERED")),
    ("WSRC0006", &[Update, AmendWriting], (200, "UPDATED")),
    ("WSRC0007", UNRELATED, (200, "OTHER")),
    ("WSRC0008", UNRELATED, (200, "OTHER")),
    ("WSRC0009", UNRELATED, (200, "OTHER")),
    ("WSRC0010", UNRELATED, (200, "OTHER")),
    ("WSRC0013", &[Update], (409, "stale_version")),
    ("WSRC0014", &[Update, AmendWriting], (422, "share_change_not_allowed")),
    ("WSRC0015", &[Register, ObtainRegistering, Update, AmendWriting], (422, "insufficient_data")),
    ("WSRC0017", UNRELATED, (200, "OTHER")),
    ("WSRC0018", UNRELATED, (200, "OTHER")),
    ("WSRC0019", &[Update, AmendWriting], (404, "uln_not_found")),
    ("WSRC0020", &[Update, AmendWriting], (200, "NO_CHANGES")),
    ("WSRC0021", REGISTERING, (409, "learner_not_registered")),
    ("WSRC0022", &[ByUln, ByDemographics, ObtainSearching, Events, AmendReading], (200, "LINKED_LEARNER")),
    ("WSRC0023", UNRELATED, (200, "OTHER")),
    ("WSRC0024", UNRELATED, (200, "OTHER")),
    ("WSRC0030", UNRELATED, (200, "OTHER")),
    ("WSRC0043", UNRELATED, (502, "lrs_credentials_rejected")),
    ("WSEC0001", ALL_STEPS, (502, "lrs_rejected_request")),
    ("WSEC0002", ALL_STEPS, (502, "lrs_rejected_request")),
    ("WSEC0003", ALL_STEPS, (502, "lrs_credentials_rejected")),
    ("WSEC0004", ALL_STEPS, (503, "lrs_maintenance")),
    ("WSEC0005", ALL_STEPS, (502, "lrs_credentials_rejected")),
    ("WSEC0006", ALL_STEPS, (502, "lrs_credentials_rejected")),
    ("WSEC0044", UNRELATED, (502, "lrs_rejected_request")),
    ("WSEC0045", UNRELATED, (502, "lrs_rejected_request")),
    ("WSEC0046", UNRELATED, (502, "lrs_rejected_request")),
    ("WSEC0047", UNRELATED, (502, "lrs_rejected_request")),
    ("WSEC0136", &[Events], (422, "uln_invalid")),
    ("WSEC0206", &[Events], (200, "NOT_SHARED")),
    ("WSEC0208", &[Events], (200, "NOT_VERIFIED")),
    ("WSEC0999", ALL_STEPS, (502, "lrs_bad_response")),
    ("WSVRC001", &[Verify], (200, "MATCH")),
    ("WSVRC002", &[Verify], (200, "LINKED_MATCH")),
    ("WSVRC003", &[Verify], (200, "SIMILAR_MATCH")),
    ("WSVRC004", &[Verify], (200, "LINKED_SIMILAR_MATCH")),
    ("WSVRC005", &[Verify], (200, "NO_MATCH")),
    ("WSVRC006", &[Verify], (200, "ULN_NOT_FOUND")),
    ("RC006", UNRELATED, (200, "OTHER")),
    ("RC007", UNRELATED, (200, "OTHER")),
    ("RC008", UNRELATED, (200, "OTHER")),
    ("RC009", UNRELATED, (200, "OTHER")),
    ("RC010", UNRELATED, (200, "OTHER")),
    ("RC011", UNRELATED, (200, "OTHER")),
    ("RC012", UNRELATED, (200, "OTHER")),
    ("RC013", UNRELATED, (200, "OTHER")),
];

/// The answer to a fault whose code is that of a successful outcome: the fault decides.
const FAULT_WITH_OUTCOME_CODE: (u16, &str) = (502, "lrs_bad_response");

/// The answer to an undocumented error code.
const UNKNOWN_ERROR: (u16, &str) = (502, "lrs_rejected_request");

#[test]
fn lrs_code_table_has_an_expectation_for_every_code() {
    let mut expected: Vec<&str> = EXPECTED.iter().map(|(code, ..)| *code).collect();
    expected.dedup();
    assert_eq!(expected, DOCUMENTED_CODES.iter().map(|entry| entry.code).collect::<Vec<_>>());
}

#[tokio::test]
async fn lrs_code_in_response_returns_expected_outcome_or_problem() {
    let fixture = Fixture::start();
    for &(code, steps, expected) in EXPECTED {
        for &step in steps {
            fixture.call(step, soap(200, &response(step, code))).await.assert_is(step, code, expected);
        }
    }
}

#[tokio::test]
async fn lrs_error_code_in_fault_returns_expected_problem() {
    let fixture = Fixture::start();
    for &(code, steps, expected) in EXPECTED.iter().filter(|(code, ..)| code.starts_with("WSEC")) {
        let expected = if expected.0 < 400 { FAULT_WITH_OUTCOME_CODE } else { expected };
        for &step in steps {
            for fault in faults(code) {
                fixture.call(step, fault).await.assert_is(step, code, expected);
            }
        }
    }
}

#[tokio::test]
async fn undocumented_lrs_code_in_response_returns_other_or_problem_by_prefix() {
    let fixture = Fixture::start();
    for &step in ALL_STEPS {
        for code in ["WSRC7777", "WSVRC777", "X"] {
            fixture.call(step, soap(200, &response(step, code))).await.assert_is(step, code, (200, "OTHER"));
        }
        fixture.call(step, soap(200, &response(step, "WSEC7777"))).await.assert_is(step, "WSEC7777", UNKNOWN_ERROR);
    }
}

#[tokio::test]
async fn undocumented_lrs_code_in_fault_returns_problem() {
    let fixture = Fixture::start();
    for &step in ALL_STEPS {
        for (code, expected) in [("WSEC7777", UNKNOWN_ERROR), ("WSRC7777", FAULT_WITH_OUTCOME_CODE)] {
            for fault in faults(code) {
                fixture.call(step, fault).await.assert_is(step, code, expected);
            }
        }
    }
}

/// The codes of this operation are not public: the answer states them for each ULN, without an outcome.
#[tokio::test]
async fn retrieved_uln_with_any_lrs_code_returns_the_code() {
    let fixture = Fixture::start();
    for code in DOCUMENTED_CODES.iter().map(|entry| entry.code).chain(["WSRC7777", "WSEC7777"]) {
        let learner = format!("<VerifiedULN><ULN>3000000126</ULN><ResponseCode>{code}</ResponseCode></VerifiedULN>");
        let response = format!("<r:RetrieveULNsResponse xmlns:r='urn:r'><RetrievedULNs>{learner}</RetrievedULNs></r:RetrieveULNsResponse>");
        let (answer, _) = fixture.post(RETRIEVE, &json!({"ulns": ["3000000126"]}), vec![soap(200, &response)]).await;
        assert_eq!(answer.expect_success(), json!({"learners": [{"uln": "3000000126", "lrsCode": code}]}));
    }
}

#[tokio::test]
async fn retrieve_ulns_fault_returns_expected_problem() {
    let fixture = Fixture::start();
    for &(code, _, (status, problem_code)) in EXPECTED.iter().filter(|(_, steps, _)| *steps == ALL_STEPS) {
        for fault in faults(code) {
            let (answer, lrs_calls) = fixture.post(RETRIEVE, &json!({"ulns": ["3000000126"]}), vec![fault]).await;
            assert_eq!((&answer.problem(status, problem_code)["lrs"]["code"], lrs_calls), (&json!(code), 1), "{code}");
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
            AmendReading | AmendWriting => "/v1/learners/amend",
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
            AmendReading | AmendWriting => json!({
                "uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather", "changes": {"notes": "Met in person"},
            }),
            Update => json!({"uln": "3000000126", "versionNumber": 3, "learner": learner}),
        }
    }

    /// Returns `true` if a second execution may have an effect of its own.
    fn is_write(self) -> bool {
        matches!(self, Register | Update | ObtainRegistering | AmendWriting)
    }
}

/// The response of LRS to the search for a record that is to be amended.
const RECORD: &str = "<f:FindLearnerResponse xmlns:f='urn:f'><ResponseCode>WSRC0004</ResponseCode><Learner><ULN>3000000126</ULN>\
    <GivenName>Zebedee</GivenName><FamilyName>Quillfeather</FamilyName><LastKnownPostCode>ZZ5 5FF</LastKnownPostCode>\
    <DateOfBirth>2004-06-01</DateOfBirth><Gender>1</Gender><VerificationType>2</VerificationType><AbilityToShare>0</AbilityToShare>\
    <VersionNumber>3</VersionNumber></Learner></f:FindLearnerResponse>";

/// The response of LRS with this code, and with the elements that the code requires.
fn response(step: Step, code: &str) -> String {
    let required_by = |codes: &[&str], xml: &'static str| if codes.contains(&code) { xml } else { "" };
    let code = format!("<ResponseCode>{code}</ResponseCode>");
    match step {
        ByUln | ByDemographics | ObtainSearching | AmendReading => {
            let learner = "<Learner><ULN>3000000126</ULN><VersionNumber>3</VersionNumber></Learner>";
            let found = required_by(&["WSRC0003", "WSRC0004", "WSRC0022"], learner);
            format!("<f:FindLearnerResponse xmlns:f='urn:f'>{code}{found}</f:FindLearnerResponse>")
        }
        Register | ObtainRegistering => {
            let uln = required_by(&["WSRC0005"], "<ULN>3000000258</ULN>");
            format!("<r:RegisterLearnerResponse xmlns:r='urn:r'>{code}{uln}</r:RegisterLearnerResponse>")
        }
        Update | AmendWriting => format!("<r:UpdateLearnerResponse xmlns:r='urn:r'>{code}</r:UpdateLearnerResponse>"),
        Verify => format!("<v:VerifyLearnerResponse xmlns:v='urn:v'><VerifiedLearner>{code}</VerifiedLearner></v:VerifyLearnerResponse>"),
        Events => {
            let result = format!("<GetLearnerLearningEventsResult>{code}</GetLearnerLearningEventsResult>");
            format!("<GetLearnerLearningEventsResponse xmlns='urn:e'>{result}</GetLearnerLearningEventsResponse>")
        }
    }
}

/// A fault of each form that the services send, with this code.
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

/// A gateway in front of an LRS that sends the responses which a test adds.
struct Fixture {
    replies: Arc<Mutex<VecDeque<Vec<u8>>>>,
    caller: Caller,
    lrs: FakeServer,
    _gateway: TestGateway,
}

impl Fixture {
    fn start() -> Self {
        let replies = Arc::new(Mutex::new(VecDeque::<Vec<u8>>::new()));
        let remaining = Arc::clone(&replies);
        let lrs = FakeServer::start(move |_| Reply::Bytes(remaining.lock().expect("no panic").pop_front().expect("a reply")));
        let gateway = TestGateway::to(&lrs.url());
        Self { replies, caller: gateway.caller(), lrs, _gateway: gateway }
    }

    /// Calls the gateway's operation of this step, at which LRS sends this reply. Asserts the number of calls to LRS.
    async fn call(&self, step: Step, reply: Vec<u8>) -> StepAnswer {
        let no_match = || soap(200, &response(ObtainSearching, "WSRC0001"));
        let replies = match step {
            ObtainRegistering => vec![no_match(), reply],
            AmendWriting => vec![soap(200, RECORD), reply],
            _ => vec![reply],
        };
        let expected_calls = replies.len();
        let (answer, lrs_calls) = self.post(step.path(), &step.request(), replies).await;
        assert_eq!(lrs_calls, expected_calls, "{step:?} {answer:?}");
        StepAnswer(answer)
    }

    /// Calls the gateway while LRS sends these replies. Returns the answer and the number of calls to LRS.
    async fn post(&self, path: &str, request: &Value, replies: Vec<Vec<u8>>) -> (Answer, usize) {
        let calls_before = self.lrs.received().len();
        self.replies.lock().expect("no panic").extend(replies);
        let answer = self.caller.post(path, request).await;
        (answer, self.lrs.received().len() - calls_before)
    }
}

/// The gateway's answer to the operation of a step.
struct StepAnswer(Answer);

impl StepAnswer {
    fn assert_is(&self, step: Step, code: &str, expected: (u16, &str)) {
        let (status, outcome_or_problem) = expected;
        let (answer, context) = (self.0.json(), format!("{step:?} {code}: {}", self.0.text));
        assert_eq!(self.0.status, status, "{context}");
        if status < 400 {
            assert_eq!((&answer["outcome"], &answer["lrsCode"]), (&json!(outcome_or_problem), &json!(code)), "{context}");
            return;
        }
        let meaning = LrsCode::new(code).entry().map_or("LRS has not published the meaning of this code", |entry| entry.meaning);
        let lrs = json!({"code": code, "description": meaning});
        assert_eq!((&answer["code"], &answer["lrs"]), (&json!(outcome_or_problem), &lrs), "{context}");
        let is_execution_unknown = expected == FAULT_WITH_OUTCOME_CODE || LrsCode::new(code).kind() == CodeKind::UnknownError;
        assert_eq!(answer["outcomeUnknown"] == true, step.is_write() && is_execution_unknown, "{context}");
        assert!(!self.0.text.contains("Zebedee") && !self.0.text.contains("Quillfeather"), "{context}");
    }
}
