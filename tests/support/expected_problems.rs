//! Failures of LRS as callers must be told them.

use serde_json::json;

use super::fake_server::Reply;
use super::gateway::Options;
use super::scripted_lrs::ScriptedLrs;

/// What no problem may repeat: learners, the organisation's password, the person who asks.
const PRIVATE: [&str; 6] = ["Zebedee", "Quillfeather", "3000000126", "3000000258", "demo-password-01", "j.bloggs"];

/// A kind of failure: status and code, is it worth trying again, and after how long.
pub type ExpectedProblem = (u16, &'static str, bool, Option<u64>);

pub const REJECTED: ExpectedProblem = (502, "lrs_rejected_request", false, None);
pub const CREDENTIALS: ExpectedProblem = (502, "lrs_credentials_rejected", false, None);
pub const BAD_RESPONSE: ExpectedProblem = (502, "lrs_bad_response", true, None);
pub const MAINTENANCE: ExpectedProblem = (503, "lrs_maintenance", true, Some(300));
pub const UNAVAILABLE: ExpectedProblem = (503, "lrs_unavailable", true, Some(30));
pub const TIMEOUT: ExpectedProblem = (504, "lrs_timeout", true, None);

/// What LRS does, and what the caller must be told: the kind of failure, and LRS's code if it gave one.
pub type FailureCase = (String, Reply, ExpectedProblem, Option<&'static str>);

/// Replies that are all the same kind of failure, without a code of LRS.
pub fn cases_of(kind: ExpectedProblem, replies: Vec<(&str, Reply)>) -> Vec<FailureCase> {
    replies.into_iter().map(|(what, reply)| (what.to_owned(), reply, kind, None)).collect()
}

/// Asks once for every case.
pub async fn assert_failures(cases: Vec<FailureCase>) {
    assert_failures_with(Options::default(), cases).await;
}

/// The same, of a gateway made in another way. [`Script`] sees to it that LRS is asked once, and no more.
pub async fn assert_failures_with(options: Options, cases: Vec<FailureCase>) {
    let (mut expected, mut replies) = (Vec::new(), Vec::new());
    for (what, reply, kind, lrs) in cases {
        expected.push((what, kind, lrs));
        replies.push(reply);
    }
    let script = ScriptedLrs::new(options, replies);
    for (what, (status, code, retryable, retry_after), lrs) in expected {
        let answer = script.search().await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{what}: {}", answer.text);
        assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].as_u64()), (&json!(retryable), retry_after), "{what}");
        assert_eq!(problem["lrs"]["code"].as_str(), lrs, "{what}: {}", answer.text);
        assert_eq!(problem["lrs"]["description"].as_str().is_some_and(|text| text.len() > 10), lrs.is_some(), "{what}");
        let told = format!("{:?} {}", answer.headers, answer.text);
        for private in PRIVATE {
            assert!(!told.contains(private), "{what} tells {private}: {told}");
        }
    }
}
