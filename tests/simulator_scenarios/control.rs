//! How trouble is ordered: over HTTP while the simulator runs, and with a file from its start.

use std::path::Path;

use lrs_gateway::schema::toml::from_file;
use lrs_gateway::simulator::{Fault, Scenario, SimulatorSettings};
use serde_json::{Value, json};

use super::Rehearsing;
use crate::support::program;

impl Rehearsing {
    /// Orders something, or asks: status and answer, `null` if there is none.
    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}/control/{path}", self.lrs.url());
        let request = self.http.request(method.parse().expect("a method"), url).body(body.to_owned());
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a whole answer");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }
}

#[tokio::test]
async fn a_scenario_is_put_looked_at_and_deleted() {
    let rehearsing = Rehearsing::new();
    let nothing = json!({"steps": []});
    assert_eq!(rehearsing.control("GET", "scenario", "").await, (200, nothing.clone()));
    assert_eq!(rehearsing.control("GET", "requests", "").await, (200, json!([])));
    let order = json!({"steps": [
        {"fault": "unavailable", "operation": "FindLearnerByULN", "count": 2},
        {"fault": "soap_fault", "code": "WSEC0999", "service": "learner-r9", "percent": 20},
        {"fault": "slow_drip", "milliseconds": 1, "operation": "RegisterLearner", "service": "learner"},
    ]});
    assert_eq!(rehearsing.control("PUT", "scenario", &order.to_string()).await, (204, Value::Null));
    assert_eq!(rehearsing.search().await.expect("a page").0, 503);
    let mut told = order.clone();
    for (step, field, value) in [(0, "left", 1), (0, "percent", 100), (2, "percent", 100)] {
        told["steps"][step][field] = json!(value);
    }
    assert_eq!(rehearsing.control("GET", "scenario", "").await, (200, told));
    let counted = json!([{"operation": "FindLearnerByULN", "requests": 1, "done": 0}]);
    assert_eq!(rehearsing.control("GET", "requests", "").await, (200, counted));

    // The next one takes the place of the first, with nothing left over.
    let order = json!({"steps": [{"fault": "maintenance_405"}]}).to_string();
    assert_eq!(rehearsing.control("PUT", "scenario", &order).await.0, 204);
    assert_eq!(rehearsing.search().await.expect("a fault").0, 405);
    assert_eq!(rehearsing.control("DELETE", "scenario", "").await, (204, Value::Null));
    assert_eq!(rehearsing.control("GET", "scenario", "").await, (200, nothing));
    assert!(rehearsing.is_calm().await);
    assert_eq!(rehearsing.counted("FindLearnerByULN"), (3, 1), "counts go on");
    assert_eq!(rehearsing.counted("Nonsense"), (0, 0));
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_told_with_its_place() {
    let rehearsing = Rehearsing::new();
    let good = json!({"steps": [{"fault": "unavailable"}]});
    assert_eq!(rehearsing.control("PUT", "scenario", &good.to_string()).await.0, 204);
    for (order, mistakes) in [
        (json!({}), json!([["/steps", "required"]])),
        (json!({"steps": [{"fault": "earthquake"}, {}]}), json!([["/steps/0/fault", "unknown_value"], ["/steps/1/fault", "required"]])),
        // The former names of `fault` and `soap_fault`.
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
                ["/steps/0/code", "invalid_format"],
                ["/steps/0/percent", "out_of_range"]
            ]),
        ),
    ] {
        let (status, told) = rehearsing.control("PUT", "scenario", &order.to_string()).await;
        let told: Vec<_> = told.as_array().expect("a list").iter().map(|mistake| json!([mistake["pointer"], mistake["code"]])).collect();
        assert_eq!((status, json!(told)), (400, mistakes), "{order}");
    }
    assert_eq!(rehearsing.search().await.expect("a page").0, 503, "a wrong order changes nothing");
}

/// Settings from a file of their own, beside this scenario.
fn settings(directory: &Path, scenario: &str) -> SimulatorSettings {
    std::fs::write(directory.join("trouble.toml"), scenario).expect("written");
    let file = directory.join("simulator.toml");
    std::fs::write(&file, "scenario_file = \"trouble.toml\"\n").expect("written");
    SimulatorSettings::load(&file).expect("good settings")
}

#[tokio::test]
async fn a_scenario_file_is_played_from_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let steps = "[[steps]]\nfault = \"unavailable\"\ncount = 1\n\n[[steps]]\nfault = \"out_of_hours\"\ncount = 1\n";
    let rehearsing = Rehearsing::with(&settings(directory.path(), steps));
    for status in [503, 500] {
        assert_eq!(rehearsing.search().await.expect("an answer").0, status);
    }
    assert!(rehearsing.is_calm().await);
}

#[test]
fn every_mistake_of_a_scenario_file_is_told_at_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let wrong = "[[steps]]\nfault = \"latency\"\n\n[[steps]]\nfault = \"refuse\"\npercent = 0\n";
    settings(directory.path(), wrong).build_simulator().expect_err("two mistakes");
    let config = directory.path().join("simulator.toml").display().to_string();
    let simulate = || {
        let output = program::run(&["simulate", "--config", &config, "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success());
        program::stderr(&output)
    };
    let told = simulate();
    assert!(told.lines().any(|line| line.contains("trouble.toml: steps.0.milliseconds: is required")), "{told}");
    assert!(told.lines().any(|line| line.contains("trouble.toml: steps.1.percent: must be")), "{told}");
    std::fs::remove_file(directory.path().join("trouble.toml")).expect("it was there");
    assert!(simulate().contains("trouble.toml: cannot be read"));
}

#[test]
fn the_example_shows_every_trouble() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenario.toml");
    let Scenario { steps } = from_file(&example).expect("a good file");
    let shown: Vec<Fault> = steps.iter().map(|step| step.fault).collect();
    for trouble in Fault::all() {
        assert!(shown.contains(&trouble), "{trouble:?}");
    }
    let text = std::fs::read_to_string(example).expect("text");
    let lines: Vec<_> = text.lines().collect();
    let explained = lines.windows(2).filter(|pair| pair[1] == "[[steps]]").all(|pair| pair[0].starts_with("# "));
    assert!(explained, "every step has a comment");
}
