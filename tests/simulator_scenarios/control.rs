//! The control endpoints of a running simulator: reading, replacing and deleting its scenario, and counting requests.

use serde_json::{Value, json};

use super::FaultyLrs;

impl FaultyLrs {
    /// Calls a control endpoint. Returns the status and the body; `null` if the body is empty.
    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}/control/{path}", self.lrs.url());
        let request = self.http.request(method.parse().expect("a method"), url).body(body.to_owned());
        let response = request.send().await.expect("a response");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a complete response");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }

    async fn put_scenario(&self, scenario: &Value) -> (u16, Value) {
        self.control("PUT", "scenario", &scenario.to_string()).await
    }

    async fn get_scenario(&self) -> (u16, Value) {
        self.control("GET", "scenario", "").await
    }

    async fn get_requests(&self) -> (u16, Value) {
        self.control("GET", "requests", "").await
    }
}

#[tokio::test]
async fn control_get_returns_active_scenario_with_defaults_and_counts() {
    let faulty_lrs = FaultyLrs::new();
    assert_eq!(faulty_lrs.get_scenario().await, (200, json!({"steps": []})));
    assert_eq!(faulty_lrs.get_requests().await, (200, json!([])));
    let scenario = json!({"steps": [
        {"fault": "unavailable", "operation": "FindLearnerByULN", "count": 2},
        {"fault": "soap_fault", "code": "WSEC0999", "service": "learner-r9", "percent": 20},
        {"fault": "slow_drip", "milliseconds": 1, "operation": "RegisterLearner", "service": "learner"},
    ]});

    assert_eq!(faulty_lrs.put_scenario(&scenario).await, (204, Value::Null));
    assert_eq!(faulty_lrs.find_by_uln().await.expect("a page").status, 503);

    let mut expected = scenario;
    for (step, field, value) in [(0, "left", 1), (0, "percent", 100), (2, "percent", 100)] {
        expected["steps"][step][field] = json!(value);
    }
    assert_eq!(faulty_lrs.get_scenario().await, (200, expected));
    let expected_requests = json!([{"operation": "FindLearnerByULN", "requests": 1, "done": 0}]);
    assert_eq!(faulty_lrs.get_requests().await, (200, expected_requests));
}

#[tokio::test]
async fn control_put_replaces_scenario_and_delete_ends_it_while_counts_continue() {
    let faulty_lrs = FaultyLrs::new();
    faulty_lrs.put_scenario(&json!({"steps": [{"fault": "unavailable", "count": 2}]})).await;
    assert_eq!(faulty_lrs.find_by_uln().await.expect("a page").status, 503);

    assert_eq!(faulty_lrs.put_scenario(&json!({"steps": [{"fault": "maintenance_405"}]})).await.0, 204);
    assert_eq!(faulty_lrs.find_by_uln().await.expect("a fault").status, 405);
    assert_eq!(faulty_lrs.control("DELETE", "scenario", "").await, (204, Value::Null));

    assert_eq!(faulty_lrs.get_scenario().await, (200, json!({"steps": []})));
    assert!(faulty_lrs.responds_without_fault().await);
    assert_eq!(faulty_lrs.counts("FindLearnerByULN"), (3, 1), "requests since the start of the simulator");
    assert_eq!(faulty_lrs.counts("Nonsense"), (0, 0));
}

#[tokio::test]
async fn control_put_invalid_scenario_returns_errors_with_pointers_and_keeps_active_scenario() {
    let faulty_lrs = FaultyLrs::new();
    assert_eq!(faulty_lrs.put_scenario(&json!({"steps": [{"fault": "unavailable"}]})).await.0, 204);
    for (scenario, expected_errors) in [
        (json!({}), json!([["/steps", "required"]])),
        (json!({"steps": [{"fault": "earthquake"}, {}]}), json!([["/steps/0/fault", "unknown_value"], ["/steps/1/fault", "required"]])),
        // The former names of `fault` and `soap_fault` are unknown.
        (json!({"steps": [{"trouble": "refuse"}]}), json!([["/steps/0/trouble", "unknown_field"], ["/steps/0/fault", "required"]])),
        (json!({"steps": [{"fault": "fault", "code": "WSEC0999"}]}), json!([["/steps/0/fault", "unknown_value"]])),
        (
            json!({"steps": [{"fault": "latency"}, {"fault": "soap_fault"}]}),
            json!([["/steps/0/milliseconds", "required"], ["/steps/1/code", "required"]]),
        ),
        (
            json!({"steps": [{"fault": "refuse", "milliseconds": 5, "code": "WSEC0001"}]}),
            json!([["/steps/0/milliseconds", "unknown_field"], ["/steps/0/code", "unknown_field"]]),
        ),
        (json!({"steps": [{"fault": "refuse", "operation": "registerSingleLearner"}]}), json!([["/steps/0/operation", "unknown_value"]])),
        (
            json!({"steps": [{"fault": "refuse", "operation": "RegisterLearner", "service": "external"}]}),
            json!([["/steps/0/operation", "unknown_value"]]),
        ),
        (
            json!({"steps": [{"fault": "soap_fault", "code": "<&>", "count": 0, "percent": 101, "service": "r9"}]}),
            json!([
                ["/steps/0/count", "out_of_range"],
                ["/steps/0/service", "unknown_value"],
                ["/steps/0/percent", "out_of_range"],
                ["/steps/0/code", "invalid_format"]
            ]),
        ),
    ] {
        let (status, errors) = faulty_lrs.put_scenario(&scenario).await;

        let errors: Vec<_> = errors.as_array().expect("an array").iter().map(|error| json!([error["pointer"], error["code"]])).collect();
        assert_eq!((status, json!(errors)), (400, expected_errors), "{scenario}");
    }
    assert_eq!(faulty_lrs.find_by_uln().await.expect("a page").status, 503, "the valid scenario is still active");
}
