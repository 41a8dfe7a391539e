//! Values that nobody else has are put into every personal field, every password and every token, everything that can be called is
//! called in every way it can end, and then they are looked for wherever they must not be.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lrs_gateway::domain::Product;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, claims};
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram};
use crate::support::redis::TestRedis;
use crate::support::{FakeServer, SimulatedLrs};

const PASSWORD: &str = "canary-Pa55word-";
const USER: &str = "canary.registrar";
const SECRET: &str = "canary secret of the issuer, thirty-two bytes or more";
const SEALING_KEY: &str = "ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4101";
const IDEMPOTENCY_KEY: &str = "canary-key-of-the-caller";
const ORGANISATION: &str = "10088881";

/// A learner all of whose fields are marked.
fn learner() -> Value {
    json!({
        "title": "Canarymr", "givenName": "Canarygiven", "middleOtherName": "Canarymiddle", "familyName": "Canary-O'Family",
        "preferredGivenName": "Canarypreferred", "previousFamilyName": "Canaryprevious", "familyNameAtAge16": "Canarysixteen",
        "schoolAtAge16": "Canary & Finch School", "lastKnownAddressLine1": "7 Canary Wharfside", "lastKnownAddressLine2": "Canary Cottage",
        "lastKnownAddressTown": "Canaryton", "lastKnownAddressCountyOrCity": "Canaryshire", "lastKnownPostCode": "ZZ73 7QX",
        "dateOfAddressCapture": "1998-04-19", "dateOfBirth": "1997-03-17", "placeOfBirth": "Canaryville", "gender": "FEMALE",
        "emailAddress": "canary.bird@mail.example.com", "scottishCandidateNumber": "731973197", "verificationType": "OTHER",
        "otherVerificationDescription": "Canary card 4711", "abilityToShare": "SEEN_SHARE", "notes": "canary sings: note 0815",
    })
}

/// Every text in a value that marks somebody.
fn marks(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text)
            if text.to_lowercase().contains("canary") || text.contains("ZZ73") || text.contains("199") || text == "731973197" =>
        {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| marks(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| marks(field, found)),
        _ => {}
    }
}

/// A text as it is, and as somebody could read it back.
fn forms(text: &str) -> Vec<String> {
    let percent = text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    let form = text.replace(' ', "+");
    let xml = text.replace('&', "&amp;").replace('\'', "&apos;");
    let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide: String = text.chars().flat_map(|letter| [letter, '\0']).collect();
    let mut all = vec![text.to_owned(), percent.collect(), form, xml, wide, text.to_lowercase(), text.to_uppercase()];
    all.extend([hexadecimal.to_uppercase(), hexadecimal]);
    // Base64 of a longer text that has it inside: one of three alignments, without the ends that depend on what is around it.
    for before in 0..3 {
        let encoded = STANDARD.encode([vec![b' '; before], text.as_bytes().to_vec()].concat());
        let from = [0, 2, 3][before] + usize::from(before > 0) * 2;
        let inner = encoded.get(from..encoded.trim_end_matches('=').len().saturating_sub(1)).unwrap_or_default();
        if inner.len() >= 8 {
            all.push(inner.to_owned());
            all.push(inner.replace('+', "-").replace('/', "_"));
        }
    }
    all
}

/// The gateway as a program, with everything turned on, and what it has said so far.
struct Scene {
    lrs: SimulatedLrs,
    redis: TestRedis,
    collector: FakeServer,
    program: TestProgram,
    url: String,
    admin: String,
    caller: Caller,
    token: String,
    /// What was marked.
    marked: Vec<String>,
    /// What callers were told when something went wrong.
    problems: Vec<String>,
}

impl Scene {
    fn start() -> Self {
        let mut settings = SimulatorSettings::default();
        for organisation in &mut settings.organisations {
            organisation.products = vec![
                Product::UlnManagement,
                Product::RegistrationBatches,
                Product::LearningEvents,
                Product::Verification,
                Product::AchievementBatches,
            ];
            if organisation.ukprn.as_str() == ORGANISATION {
                organisation.password = PASSWORD.into();
            }
        }
        let (lrs, redis) = (SimulatedLrs::with(&settings), TestRedis::persistent());
        lrs.simulator.set_job_duration(Duration::ZERO);
        let setup = ConfigDirectory::new(&lrs.url());
        let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
        let lrs_more = "max_retries = 1\ntimeout_seconds = 1\nbatch_timeout_seconds = 1\ncircuit_breaker = { failure_threshold = 100000 }\n[organisations]";
        let more = format!(
            "[store]\nredis_url = \"{}\"\nencryption_key_file = \"key\"\n[audit]\nkey_file = \"key\"\n\
             [batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n\
             [limits]\nperson_per_minute = 6000\nperson_burst = 5000\norganisation_per_minute = 6000\norganisation_burst = 5000\n\
             searches_per_minute = 6000\nsearches_burst = 5000\n",
            redis.url()
        );
        setup.write("gateway.toml", &(config.replace("[organisations]", lrs_more) + &more));
        setup.write("key", SEALING_KEY);
        setup.write("secret", SECRET);
        setup.write(&format!("organisations/{ORGANISATION}.password"), PASSWORD);
        setup.write(
            &format!("organisations/{ORGANISATION}.toml"),
            &format!(
                "ukprn = \"{ORGANISATION}\"\nname = \"A\"\norganisation_ref = \"DEMO01\"\npassword_file = \"{ORGANISATION}.password\"\n\
             products = [\"uln-management\", \"registration-batches\", \"learning-events\", \"verification\", \"achievement-batches\"]\n"
            ),
        );
        let collector = FakeServer::with_response(crate::support::fake_server::http(200, "application/x-protobuf", b""));
        let variables = [("RUST_LOG", "trace"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())];
        let ServingProgram { program, api: url, admin } = ServingProgram::with(&setup, &variables);
        let claims = claims(json!({"org": null, "realm": {"ukprn": ORGANISATION}, "preferred_username": USER, "azp": "desk"}));
        let token = lrs_gateway::auth::sign_token(SECRET.as_bytes(), claims.as_object().expect("an object")).expect("signed");
        let caller = Caller::new(url.clone()).with_token(&token).with_header("Idempotency-Key", IDEMPOTENCY_KEY);
        std::mem::forget(setup); // the program reads it again and again
        Self { lrs, redis, collector, program, url, admin, caller, token, marked: Vec::new(), problems: Vec::new() }
    }

    /// The caller without a key.
    fn gateway_caller(&self) -> Caller {
        Caller::new(self.url.clone()).with_token(&self.token)
    }

    async fn post(&mut self, path: &str, body: &Value) -> Answer {
        marks(body, &mut self.marked);
        let answer = self.caller.post(path, body).await;
        self.failed(&answer);
        answer
    }

    fn failed(&mut self, answer: &Answer) {
        if answer.status >= 400 {
            self.problems.push(format!("{:?} {}", answer.headers, answer.text));
        }
    }
}

/// Calls about the learner who has this ULN: path, body, and the element LRS gets.
type Single = (&'static str, Value, &'static str);

fn named(uln: &str) -> Value {
    json!({"uln": uln, "givenName": "Canarygiven", "familyName": "Canary-O'Family"})
}

fn singles(uln: &str) -> Vec<Single> {
    let (learner, searched) = (learner(), ["verificationType", "otherVerificationDescription", "abilityToShare", "notes", "title"]);
    let unsearched = |field: &str| {
        let also = ["middle", "preferred", "AtAge16", "Address", "nationality", "scottish"].iter().any(|part| field.contains(part));
        searched.contains(&field) || (also && field != "schoolAtAge16")
    };
    let mut search = learner.clone();
    search.as_object_mut().expect("an object").retain(|field, _| !unsearched(field));
    vec![
        ("/v1/learners/find-by-uln", named(uln), "FindLearnerByULN"),
        ("/v1/learners/find-by-demographics", search, "FindLearnerByDemographics"),
        ("/v1/learners/register", json!({"learner": learner}), "RegisterLearner"),
        ("/v1/learners/update", json!({"uln": uln, "versionNumber": 1, "learner": learner}), "UpdateLearner"),
        ("/v1/learners/verify", named(uln), "VerifyLearner"),
        ("/v1/learners/retrieve-ulns", json!({"ulns": [uln]}), "RetrieveULNs"),
        ("/v1/learning-events/search", named(uln), "GetLearnerLearningEvents"),
    ]
}

fn batches(uln: &str) -> [(&'static str, Value); 3] {
    let mut registered = learner();
    registered["misIdentifier"] = json!("CANARY-MIS-1");
    let mut verified = named(uln);
    (verified["misIdentifier"], verified["dateOfBirth"]) = (json!("CANARY-MIS-2"), json!("1997-03-17"));
    let mut achieved = verified.clone();
    for (field, value) in [
        ("action", "CREATE"),
        ("actionDate", "2026-07-01"),
        ("achievementAwardDate", "2026-06-30"),
        ("gender", "FEMALE"),
        ("learnerPostcode", "ZZ73 7QX"),
        ("providerUkprn", ORGANISATION),
        ("unitOrQualificationReferenceNumber", "600/0001/X"),
        ("grade", "Pass"),
        ("misIdentifier", "CANARY-MIS-3"),
    ] {
        achieved[field] = json!(value);
    }
    let notify = "canary.notify@mail.example.com";
    [
        ("registration-batches", json!({"jobType": "CHECK", "learners": [registered]})),
        ("verification-batches", json!({"notifyEmail": notify, "learners": [verified]})),
        ("achievement-batches", json!({"submissionType": "FINAL", "notifyEmail": notify, "achievements": [achieved]})),
    ]
}

/// Everything succeeds; the ULN of the learner, who is registered by it.
async fn succeed(scene: &mut Scene) -> String {
    let obtained = scene.post("/v1/learners/obtain-uln", &json!({"learner": learner()})).await;
    assert_eq!(obtained.status, 201, "{}", obtained.text);
    let uln = obtained.json()["uln"].as_str().expect("a ULN").to_owned();
    scene.marked.push(uln.clone());
    for (path, body, _) in singles(&uln) {
        let status = scene.post(path, &body).await.status;
        assert!(status == 200 || path.ends_with("register"), "{path}: {status}");
    }
    for (resource, body) in batches(&uln) {
        let accepted = scene.post(&format!("/v1/{resource}"), &body).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        let (path, begun) = (accepted.header("location").to_owned(), Instant::now());
        while scene.caller.request("GET", &path).await.expect_success()["status"] != "COMPLETE" {
            assert!(begun.elapsed() < Duration::from_secs(20), "{resource}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        scene.caller.request("GET", &format!("{path}/results")).await.expect_success();
    }
    uln
}

/// Everything fails at LRS, in every way.
async fn fail_at_lrs(scene: &mut Scene, uln: &str) {
    for trouble in Fault::all() {
        for (path, body, element) in singles(uln) {
            let mut step = FaultStep::new(trouble).for_operation(element);
            (step.milliseconds, step.code) = match trouble {
                // Long enough to be too late, once for all the others.
                Fault::Latency | Fault::SlowDrip if element != "FindLearnerByULN" => continue,
                Fault::Latency => (Some(1500), None),
                Fault::SlowDrip => (Some(20), None),
                Fault::SoapFault => (None, Some("WSEC0001".into())),
                _ => (None, None),
            };
            scene.lrs.simulator.inject_faults(vec![step]);
            let answer = scene.post(path, &body).await;
            assert!(answer.status >= 400, "{trouble:?} {path}: {}", answer.text);
        }
        scene.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Garbage)]);
        let (resource, body) = &batches(uln)[1];
        scene.post(&format!("/v1/{resource}"), body).await;
        scene.lrs.simulator.clear_faults();
    }
}

/// Everything fails before LRS: fields that do not exist or are too long, broken bodies, wrong paths and tokens.
async fn fail_before_lrs(scene: &mut Scene, uln: &str) {
    for (path, body, _) in singles(uln) {
        let mut wrong = body.clone();
        wrong["canaryField"] = json!("Canaryvalue");
        scene.post(path, &wrong).await.problem(400, "unknown_field");
        let mut cut = body.to_string();
        cut.truncate(cut.len() - 3);
        for text in [cut, body.to_string().replace("Canarygiven", &"Canarygiven".repeat(20))] {
            let answer = scene.caller.post_text(path, "application/json", text).await;
            scene.failed(&answer);
        }
    }
    let answer = scene.caller.request("GET", "/v1/learners/Canarygiven?familyName=Canary-O'Family").await;
    scene.failed(&answer);
    let broken = scene.token.replace('.', "x.");
    let forger = scene.gateway_caller().with_token(&broken);
    let answer = forger.post("/v1/learners/find-by-uln", &named(uln)).await;
    answer.problem(401, "invalid_token");
    scene.failed(&answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_about_people_or_secret_is_nowhere_it_must_not_be() {
    let mut scene = Scene::start();
    let uln = succeed(&mut scene).await;
    // Without the key, or nothing would be sent again.
    scene.caller = scene.gateway_caller();
    fail_at_lrs(&mut scene, &uln).await;
    fail_before_lrs(&mut scene, &uln).await;

    let everything = scene.redis.dump();
    let metrics = Caller::new(scene.admin.clone()).request("GET", "/metrics").await.text;
    assert!(metrics.lines().count() > 100, "{metrics}");
    scene.program.terminate();
    let output: Vec<String> = scene.program.output.iter().collect();
    let (ended, log) = scene.program.end();
    assert!(ended, "it ends well");
    fields_are_documented(&log);
    let traces: String = scene.collector.received().into_iter().map(|request| request.body).collect();
    assert!(traces.contains("learnerByULN"), "there are traces");
    let enough = log.lines().count() > 500 && output.len() > 80 && scene.problems.len() > 80 && everything.len() > 10_000;
    assert!(enough, "there is something to look at");
    let mut marked = scene.marked;
    marked.extend([PASSWORD, SECRET, SEALING_KEY, IDEMPOTENCY_KEY].map(str::to_owned));
    marked.extend(scene.token.split('.').skip(1).map(str::to_owned));
    marked.sort();
    marked.dedup();
    assert!(marked.len() > 25, "{marked:?}");
    let places = [
        ("the log", log),
        ("the audit trail", output.join("\n")),
        ("the metrics", metrics),
        ("the traces", traces),
        ("a problem", scene.problems.join("\n")),
        ("Redis", String::from_utf8_lossy(&everything).into_owned()),
    ];
    for (text, form) in marked.iter().flat_map(|text| forms(text).into_iter().map(move |form| (text, form))) {
        for (place, content) in &places {
            let line = || content.lines().find(|line| line.contains(&form));
            assert!(!content.contains(&form), "{text} is in {place}, as {form}: {:?}", line());
        }
    }
    // The person who asked is in the audit trail, and nowhere else.
    for (place, content) in &places {
        assert_eq!(content.contains(USER), *place == "the audit trail", "the user name in {place}");
    }
}

/// What the gateway itself logs has no field that `docs/LOGGING.md` does not explain. (At level trace, its libraries talk too.)
fn fields_are_documented(log: &str) {
    let documented = include_str!("../docs/LOGGING.md");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let mut ours = 0;
    for line in lines.filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("lrs_gateway"))) {
        for field in line.as_object().expect("an object").keys().filter(|field| *field != "span") {
            assert!(documented.contains(&format!("`{field}`")), "{field}: {line}");
        }
        ours += 1;
    }
    assert!(ours > 100, "{ours} lines");
}

#[test]
fn what_is_looked_for_would_be_found() {
    for text in ["Canarygiven", "Canary-O'Family", "1997-03-17", PASSWORD] {
        let found = |place: &str| forms(text).iter().any(|form| place.contains(form));
        for before in ["", "a", "ab", "abc", "{\"a\":\""] {
            let around = format!("{before}{text}\"}}");
            assert!(found(&STANDARD.encode(&around)), "{around} in base64");
            assert!(found(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&around)), "{around} in base64 for addresses");
            assert!(found(&around) && found(&around.to_uppercase()), "{around}");
        }
        assert!(!found("nothing of it"));
    }
}
