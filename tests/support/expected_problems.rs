//! Failures of LRS, and the problems that callers get for them.

use serde_json::json;

use super::fake_server::Reply;
use super::gateway::Options;
use super::scripted_lrs::ScriptedLrs;

/// Texts that no problem may contain: data of learners, the organisation's password, the user.
const PRIVATE: [&str; 6] = ["Zebedee", "Quillfeather", "3000000126", "3000000258", "demo-password-01", "j.bloggs"];

/// A problem: status, code, `retryable`, and `retryAfterSeconds`.
pub type ExpectedProblem = (u16, &'static str, bool, Option<u64>);

pub const REJECTED: ExpectedProblem = (502, "lrs_rejected_request", false, None);
pub const CREDENTIALS: ExpectedProblem = (502, "lrs_credentials_rejected", false, None);
pub const BAD_RESPONSE: ExpectedProblem = (502, "lrs_bad_response", true, None);
pub const MOVED: ExpectedProblem = (502, "lrs_moved", true, Some(300));
pub const ACCESS_BLOCKED: ExpectedProblem = (502, "lrs_access_blocked", true, Some(300));
pub const MAINTENANCE: ExpectedProblem = (503, "lrs_maintenance", true, Some(300));
pub const UNAVAILABLE: ExpectedProblem = (503, "lrs_unavailable", true, Some(30));
pub const TIMEOUT: ExpectedProblem = (504, "lrs_timeout", true, None);

/// A failure of LRS: its description, LRS's reply, the problem for the caller, and LRS's code if the reply has one.
pub type FailureCase = (String, Reply, ExpectedProblem, Option<&'static str>);

/// Returns cases without an LRS code that all give the same problem.
pub fn cases_of(problem: ExpectedProblem, replies: Vec<(&str, Reply)>) -> Vec<FailureCase> {
    replies.into_iter().map(|(description, reply)| (description.to_owned(), reply, problem, None)).collect()
}

/// Sends one search per case, and asserts the problem.
pub async fn assert_failures(cases: Vec<FailureCase>) {
    assert_failures_with(Options::default(), cases).await;
}

/// Does the same with these options of the gateway. [`ScriptedLrs`] asserts that each search sends exactly one request to LRS.
pub async fn assert_failures_with(options: Options, cases: Vec<FailureCase>) {
    let (mut expected, mut replies) = (Vec::new(), Vec::new());
    for (description, reply, problem, lrs_code) in cases {
        expected.push((description, problem, lrs_code));
        replies.push(reply);
    }
    let script = ScriptedLrs::new(options, replies);
    for (description, (status, code, retryable, retry_after), lrs_code) in expected {
        let answer = script.search().await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{description}: {}", answer.text);
        assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].as_u64()), (&json!(retryable), retry_after), "{description}");
        assert_eq!(problem["lrs"]["code"].as_str(), lrs_code, "{description}: {}", answer.text);
        assert_eq!(problem["lrs"]["description"].as_str().is_some_and(|text| text.len() > 10), lrs_code.is_some(), "{description}");
        let whole_answer = format!("{:?} {}", answer.headers, answer.text);
        for private in PRIVATE {
            assert!(!whole_answer.contains(private), "{description}: the answer contains {private}: {whole_answer}");
        }
    }
}
