//! The page of alerts has every alert of the chart.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::{after, assert_generated, page};

const RULES: &str = "helm/lrs-gateway/files/alerts.yaml";

/// A rule of the chart.
struct AlertRule {
    name: String,
    severity: String,
    /// How long the condition must hold; empty if the alert fires at once.
    duration: String,
    summary: String,
    metrics: BTreeSet<String>,
}

/// Reads the rules. The file has one field a line, except for expressions.
fn rules() -> Vec<AlertRule> {
    static METRIC: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"lrs_gateway_[a-z_]+").expect("a pattern"));
    static TEMPLATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{[^}]*\}\}").expect("a pattern"));
    let text = page(RULES);
    let rules = text.split("- alert: ").skip(1).map(|rule| {
        let field = |name: &str| {
            let value = rule.lines().find_map(|line| line.trim().strip_prefix(name));
            value.map(|value| value.trim_matches(['"', '}', ' ']).to_owned())
        };
        AlertRule {
            name: rule.lines().next().expect("a name").to_owned(),
            severity: field("labels: {severity: ").expect("a severity"),
            duration: field("for: ").unwrap_or_default(),
            // Values are known only when the alert fires.
            summary: TEMPLATE.replace_all(&field("summary: ").expect("a summary"), "…").into_owned(),
            metrics: METRIC.find_iter(rule).map(|metric| metric.as_str().to_owned()).collect(),
        }
    });
    rules.collect()
}

#[test]
fn alerts_page_has_the_rules_of_the_chart() {
    let mut table = String::from("\n| alert | severity | condition holds for | summary |\n|---|---|---|---|\n");
    for AlertRule { name, severity, duration, summary, .. } in rules() {
        writeln!(table, "| [`{name}`](#{}) | {severity} | {duration} | {summary} |", name.to_lowercase()).expect("text");
    }
    assert_generated("docs/ALERTS.md", "rules", &format!("{table}\n"));
}

#[test]
fn alerts_page_says_of_every_alert_what_to_look_at_and_what_to_do() {
    let page = page("docs/ALERTS.md");
    let sections: Vec<&str> = after(&page, "<!-- end -->").split("\n## ").skip(1).collect();
    let names: Vec<&str> = sections.iter().map(|section| section.lines().next().expect("a heading")).collect();
    let rules = rules();
    assert_eq!(names, rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), "the sections are in the order of the rules");
    assert!(rules.len() > 15, "{} rules", rules.len());
    for section in sections {
        assert!(section.contains("\n* **Look at:** ") && section.contains("\n* **Do:** "), "{section}");
    }
}

#[test]
fn alerts_and_metrics_pages_name_the_same_metrics() {
    let metrics = page("docs/METRICS.md");
    for metric in rules().into_iter().flat_map(|rule| rule.metrics) {
        assert!(metrics.contains(&format!("| `{metric}` |")), "{metric}");
    }
}
