//! The page of the sandbox's test data: its learners and organisations are the simulator's, and its outcomes are what the gateway answers.

use std::fmt::Write as _;

use lrs_gateway::domain::Product;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::simulator::{PortalJob, SimulatedOrganisation};
use serde_json::{Value, json};

use super::assert_generated;
use crate::support::batches::submit;
use crate::support::caller::Caller;
use crate::support::gateway::AWARDING;
use crate::support::{SimulatedLrs, TestGateway};

const PAGE: &str = "docs/SANDBOX.md";
/// The number of learners that show something each. The others are random.
const DOCUMENTED_LEARNERS: usize = 20;

/// A request, and what it shows.
struct Example {
    shows: &'static str,
    operation: &'static str,
    path: &'static str,
    body: Value,
}

fn example(shows: &'static str, operation: &'static str, path: &'static str, body: Value) -> Example {
    Example { shows, operation, path, body }
}

/// Returns the learners of the register as JSON, in its order.
fn register(lrs: &SimulatedLrs) -> Vec<Value> {
    let register = lrs.simulator.register();
    register.learners().map(|learner| serde_json::to_value(learner).expect("JSON")).collect()
}

/// Returns these fields of a learner.
fn fields(learner: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), learner[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Returns what a caller gets: the outcome and LRS's code, or the status and the code of the problem.
async fn answer(caller: &Caller, path: &str, body: &Value) -> String {
    let answer = caller.post(path, body).await;
    let json = answer.json();
    let lrs_code = json["lrsCode"].as_str().or(json["lrs"]["code"].as_str()).map(|code| format!(" ({code})")).unwrap_or_default();
    let outcome =
        json["outcome"].as_str().map_or_else(|| format!("{} `{}`", answer.status, text(&json, "code")), |outcome| format!("`{outcome}`"));
    outcome + &lrs_code
}

#[test]
fn sandbox_page_has_the_organisations() {
    let mut table = String::from("\n| UKPRN | LRS reference | kind | LRS password | products |\n|---|---|---|---|---|\n");
    for SimulatedOrganisation { ukprn, organisation_ref, password, products } in SimulatedOrganisation::demonstration() {
        let kind = if products.contains(&Product::AchievementBatches) { "awarding organisation" } else { "learning provider" };
        let reference = organisation_ref.as_ref().expect("a reference");
        let products: Vec<String> = products.iter().map(|product| format!("`{}`", product.word())).collect();
        writeln!(table, "| `{}` | `{}` | {kind} | `{password}` | {} |", ukprn.as_str(), reference.as_str(), products.join(", "))
            .expect("text");
    }
    assert_generated(PAGE, "organisations", &format!("{table}\n"));
}

#[tokio::test]
async fn sandbox_page_has_the_learners_with_what_they_show() {
    let lrs = SimulatedLrs::start();
    let caller = TestGateway::to(&lrs.url());
    let caller = caller.caller();
    let mut table = String::from(
        "\n| ULN | given name | family name | date of birth | gender | postcode | found by ULN | found by details | learning events |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for learner in register(&lrs).iter().take(DOCUMENTED_LEARNERS) {
        let names = ["uln", "givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"];
        let by_uln = answer(&caller, "/v1/learners/find-by-uln", &fields(learner, &names[..3])).await;
        let by_details = answer(&caller, "/v1/learners/find-by-demographics", &fields(learner, &names[1..])).await;
        let events = caller.post("/v1/learning-events/search", &fields(learner, &names[..3])).await.expect_success();
        let count = events["events"].as_array().map_or(0, Vec::len);
        let columns = names.map(|name| text(learner, name)).join(" | ");
        writeln!(table, "| {columns} | {by_uln} | {by_details} | `{}`, {count} |", text(&events, "outcome")).expect("text");
    }
    assert_generated(PAGE, "learners", &format!("{table}\n"));
}

#[test]
fn sandbox_page_has_the_random_learners() {
    let lrs = SimulatedLrs::start();
    let mut csv = String::from("\n```csv\nuln,givenName,familyName,dateOfBirth,gender,lastKnownPostCode\n");
    for learner in register(&lrs).iter().skip(DOCUMENTED_LEARNERS) {
        let columns = ["uln", "givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"].map(|name| text(learner, name));
        assert!(columns.iter().all(|column| !column.contains([',', '"'])), "{columns:?}");
        writeln!(csv, "{}", columns.join(",")).expect("text");
    }
    assert_generated(PAGE, "random-learners", &format!("{csv}```\n\n"));
}

/// Returns a request for each outcome. Those that change the register are the last.
#[expect(clippy::too_many_lines, reason = "a table: one entry for each request")]
fn examples() -> Vec<Example> {
    const BY_ULN: &str = "/v1/learners/find-by-uln";
    const BY_DETAILS: &str = "/v1/learners/find-by-demographics";
    const VERIFY: &str = "/v1/learners/verify";
    const EVENTS: &str = "/v1/learning-events/search";
    const OBTAIN: &str = "/v1/learners/obtain-uln";
    const AMEND: &str = "/v1/learners/amend";
    let ana = |given_name: &str| json!({"uln": "3000000126", "givenName": given_name, "familyName": "O'Neill"});
    let merged = |family_name: &str| json!({"uln": "7000000049", "givenName": "Rhiannon", "familyName": family_name});
    let details = |given_name: &str, family_name: &str, date_of_birth: &str, gender: &str, post_code: &str| {
        json!({
            "givenName": given_name, "familyName": family_name, "dateOfBirth": date_of_birth, "gender": gender, "lastKnownPostCode": post_code,
        })
    };
    let to_register = |mut learner: Value| {
        learner["verificationType"] = json!("PASSPORT");
        learner["abilityToShare"] = json!("SEEN_SHARE");
        json!({"learner": learner})
    };
    let amendment = |changes: Value| json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill", "changes": changes});
    vec![
        example("the learner", "findLearnerByUln", BY_ULN, ana("Ana")),
        example("names that do not belong to the ULN", "findLearnerByUln", BY_ULN, ana("Megan")),
        example("a record that was merged into another", "findLearnerByUln", BY_ULN, merged("Rees")),
        example("a mistyped ULN", "findLearnerByUln", BY_ULN, json!({"uln": "3000000127", "givenName": "Ana", "familyName": "O'Neill"})),
        example("a mistyped field", "findLearnerByUln", BY_ULN, json!({"uln": "3000000126", "givenName": "Ana", "famliyName": "O'Neill"})),
        example("the learner", "findLearnersByDemographics", BY_DETAILS, details("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ99 9ZZ")),
        example(
            "the preferred given name",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Zoë", "O'Neill-Siân", "2004-02-29", "FEMALE", "ZZ1 1AA"),
        ),
        example(
            "another postcode",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ98 8ZZ"),
        ),
        example(
            "two learners with the same names",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Sam", "Taylor", "2004-06-01", "NOT_KNOWN", "ZZ5 5FF"),
        ),
        example(
            "twelve learners with the same names",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Alex", "Smith", "2003-01-01", "MALE", "ZZ1 7HH"),
        ),
        example(
            "an unknown learner",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Cerys", "Vaughan-Okoro", "2006-03-14", "FEMALE", "ZZ8 8JJ"),
        ),
        example(
            "a merged record",
            "findLearnersByDemographics",
            BY_DETAILS,
            details("Rhiannon", "Rees", "2002-08-17", "FEMALE", "ZZ3 4EE"),
        ),
        example("the learner", "verifyLearner", VERIFY, ana("Ana")),
        example("a similar given name", "verifyLearner", VERIFY, ana("Anna")),
        example("another person's name", "verifyLearner", VERIFY, ana("Megan")),
        example("a merged record", "verifyLearner", VERIFY, merged("Rees")),
        example("a merged record with a similar name", "verifyLearner", VERIFY, merged("Reese")),
        example(
            "a ULN that no learner has",
            "verifyLearner",
            VERIFY,
            json!({"uln": "9900000004", "givenName": "Ana", "familyName": "O'Neill"}),
        ),
        example("three events", "getLearningEvents", EVENTS, ana("Ana")),
        example(
            "a learner who does not share",
            "getLearningEvents",
            EVENTS,
            json!({"uln": "7000000057", "givenName": "Megan", "familyName": "Ó Briain"}),
        ),
        example("names that do not belong to the ULN", "getLearningEvents", EVENTS, ana("Megan")),
        example("a merged record", "getLearningEvents", EVENTS, merged("Rees")),
        example("a learner who has a ULN", "obtainUln", OBTAIN, to_register(details("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ99 9ZZ"))),
        example(
            "candidates for a person to look at",
            "obtainUln",
            OBTAIN,
            to_register(details("Sam", "Taylor", "2004-06-01", "NOT_KNOWN", "ZZ5 5FF")),
        ),
        example("a new learner", "obtainUln", OBTAIN, to_register(details("Cerys", "Vaughan-Okoro", "2006-03-14", "FEMALE", "ZZ8 8JJ"))),
        example(
            "no search before",
            "registerLearner",
            "/v1/learners/register",
            to_register(details("Ifor", "Quick", "2006-05-15", "MALE", "ZZ8 8JJ")),
        ),
        example("a new surname", "amendLearner", AMEND, amendment(json!({"familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill"}))),
        example(
            "the same once more",
            "amendLearner",
            AMEND,
            amendment(json!({"familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill"})),
        ),
        example("an old version", "updateLearner", "/v1/learners/update", {
            let mut body = to_register(details("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ99 9ZZ"));
            body["uln"] = json!("3000000126");
            body["versionNumber"] = json!(1);
            body
        }),
        example("a ULN that no learner has", "updateLearner", "/v1/learners/update", {
            let mut body = to_register(details("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ99 9ZZ"));
            body["uln"] = json!("9900000004");
            body["versionNumber"] = json!(1);
            body
        }),
    ]
}

#[tokio::test]
async fn sandbox_page_has_a_request_for_every_outcome() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let mut table = String::new();
    let mut last = "";
    for Example { shows, operation, path, body } in examples() {
        if last != operation {
            write!(table, "\n### {operation}\n\n`POST {path}`\n\n| shows | answer | body |\n|---|---|---|\n").expect("text");
            last = operation;
        }
        let answer = answer(&gateway.caller(), path, &body).await;
        assert!(!body.to_string().contains('|'));
        writeln!(table, "| {shows} | {answer} | `{body}` |").expect("text");
    }
    // Every outcome of the searches, of verification and of learning events that the simulator knows is there.
    for outcome in
        ["EXACT_MATCH", "POSSIBLE_MATCHES", "TOO_MANY_MATCHES", "NO_MATCH", "LINKED_LEARNER", "MATCH", "SIMILAR_MATCH", "LINKED_MATCH"]
    {
        assert!(table.contains(&format!("`{outcome}`")), "{outcome}");
    }
    for outcome in ["ULN_NOT_FOUND", "NOT_SHARED", "NOT_VERIFIED", "EXISTING", "REGISTERED", "UPDATED", "NO_CHANGES"] {
        assert!(table.contains(&format!("`{outcome}`")), "{outcome}");
    }
    assert_generated(PAGE, "outcomes", &format!("{table}\n"));
}

#[tokio::test]
async fn sandbox_page_has_the_results_of_registration_batches() {
    let learner = |given_name: &str, family_name: &str, date_of_birth: &str, gender: &str, post_code: &str| {
        json!({
            "givenName": given_name, "familyName": family_name, "dateOfBirth": date_of_birth, "gender": gender, "lastKnownPostCode": post_code,
            "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
        })
    };
    let learners = [
        ("an unknown learner", learner("Cerys", "Vaughan-Okoro", "2006-03-14", "FEMALE", "ZZ8 8JJ")),
        ("a learner who has a ULN", learner("Ana", "O'Neill", "2003-04-05", "FEMALE", "ZZ99 9ZZ")),
        ("possible matches", learner("Sam", "Taylor", "2004-06-01", "NOT_KNOWN", "ZZ5 5FF")),
        ("not enough data: only the names", json!({"givenName": "Megan", "familyName": "Ó Briain"})),
        ("an age below 13", learner("Tomos", "Bowen-Adair", "2020-02-02", "MALE", "ZZ8 8JJ")),
        ("the family name of an exception", learner("Cerys", "Exception RC012", "2006-03-14", "FEMALE", "ZZ8 8JJ")),
    ];
    let bodies: Vec<Value> = (1..)
        .zip(&learners)
        .map(|(number, (_, learner))| {
            let mut learner = learner.clone();
            learner["misIdentifier"] = json!(format!("EXAMPLE-{number}"));
            learner
        })
        .collect();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &json!({"jobType": "FULL", "learners": bodies})).await;
    batch.wait_for_state("the end", |state| ["COMPLETE", "PARTIALLY_COMPLETE", "FAILED"].contains(&text(state, "status"))).await;
    let mut table = String::from("\n| learner | `outcome` | `lrsCode` | ULN in the result |\n|---|---|---|---|\n");
    for ((shows, _), result) in learners.iter().zip(batch.results().await) {
        let has_uln = if result["uln"].is_string() { "yes" } else { "no" };
        writeln!(table, "| {shows} | `{}` | `{}` | {has_uln} |", text(&result, "outcome"), text(&result, "lrsCode")).expect("text");
    }
    assert_generated(PAGE, "registration-batch", &format!("{table}\n"));
}

#[tokio::test]
async fn sandbox_page_has_the_results_of_achievement_batches() {
    let achievement = |action: &str, uln: &str, reference: &str| {
        json!({
            "action": action, "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": uln, "givenName": "Ana",
            "familyName": "O'Neill", "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": reference, "grade": "Pass",
        })
    };
    let achievements = [
        ("`CREATE` of a new achievement", achievement("CREATE", "3000000126", "600/0001/8")),
        ("`CREATE` of the same once more", achievement("CREATE", "3000000126", "600/0001/8")),
        ("`WITHDRAW` of one that exists", achievement("WITHDRAW", "3000000126", "600/0001/8")),
        ("`UPDATE` of one that is withdrawn", achievement("UPDATE", "3000000126", "600/0001/8")),
        ("`REINSTATE` of one that is withdrawn", achievement("REINSTATE", "3000000126", "600/0001/8")),
        ("`UPDATE` of one that does not exist", achievement("UPDATE", "3000000126", "600/0002/X")),
        ("a ULN that no learner has", achievement("CREATE", "9900000004", "600/0001/8")),
        ("names that do not belong to the ULN", achievement("CREATE", "7000000022", "600/0001/8")),
    ];
    let bodies: Vec<Value> = (1..)
        .zip(&achievements)
        .map(|(number, (_, achievement))| {
            let mut achievement = achievement.clone();
            achievement["misIdentifier"] = json!(format!("EXAMPLE-{number}"));
            achievement
        })
        .collect();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_claims(json!({"org": AWARDING}));
    let batch = submit(&caller, "achievement-batches", &json!({"submissionType": "FINAL", "achievements": bodies})).await;
    batch.wait_for_state("the end", |state| ["COMPLETE", "PARTIALLY_COMPLETE", "FAILED"].contains(&text(state, "status"))).await;
    let mut table = String::from("\n| achievement, in this order | `outcome` | LRS's error |\n|---|---|---|\n");
    for ((shows, _), result) in achievements.iter().zip(batch.results().await) {
        let error = result["errors"][0]["text"].as_str().or(result["errors"][0].as_str()).unwrap_or_default();
        writeln!(table, "| {shows} | `{}` | {error} |", text(&result, "outcome")).expect("text");
    }
    assert_generated(PAGE, "achievement-batch", &format!("{table}\n"));
}

#[test]
fn sandbox_page_has_the_portal_jobs() {
    let mut table = String::from("\n| job | organisation | kind | records |\n|---|---|---|---|\n");
    for PortalJob { job_id, organisation, kind, learners, achievements } in PortalJob::demonstration() {
        let count = learners.len() + achievements.len();
        writeln!(table, "| `{job_id}` | `{}` | `{}` | {count} |", organisation.as_str(), kind.word()).expect("text");
    }
    assert_generated(PAGE, "portal-jobs", &format!("{table}\n"));
}

#[tokio::test]
async fn sandbox_page_has_the_learning_events() {
    let lrs = SimulatedLrs::start();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let answer = TestGateway::to(&lrs.url()).caller().post("/v1/learning-events/search", &search).await.expect_success();
    let mut table = String::from("\n| source | subject | subject code | level or type | grade | awarded |\n|---|---|---|---|---|---|\n");
    for event in answer["events"].as_array().expect("events") {
        let level = event["level"].as_str().unwrap_or_else(|| text(event, "qualificationType"));
        let columns = [
            text(event, "source"),
            text(event, "subject"),
            text(event, "subjectCode"),
            level,
            text(event, "grade"),
            text(event, "achievementAwardDate"),
        ];
        writeln!(table, "| {} |", columns.join(" | ")).expect("text");
    }
    assert_generated(PAGE, "events", &format!("{table}\n"));
}
