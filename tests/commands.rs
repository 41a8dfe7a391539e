//! The program as its operators run it.

use std::path::Path;
use std::time::Duration;

use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::organisations::ClientFactory as _;

use serde_json::{Value, json};

use crate::support::Caller;
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram, program, run, stderr};

#[tokio::test]
async fn serve_and_simulate_work_together_with_a_minted_token() {
    let mut lrs = TestProgram::start(&["simulate", "--listen", "127.0.0.1:0"], &[]);
    let lrs_url = lrs.wait_for("simulating LRS")["address"].as_str().expect("an address").to_owned();
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let mut gateway = TestProgram::start(&["serve", "--config", &setup.config()], &[("LRS_GATEWAY__LRS__BASE_URL", &lrs_url)]);
    let serving = gateway.wait_for("serving");
    let url = |key: &str| format!("http://{}", serving[key].as_str().expect("an address"));

    let token =
        run(&["token", "--config", &setup.config(), "--organisation", "10088881", "--user", "j.bloggs", "--scope", "learners:read"]);
    let caller = Caller::new(url("api")).with_token(String::from_utf8(token.stdout).expect("text").trim());
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    assert_eq!(caller.post("/v1/learners/find-by-uln", &search).await.expect_success()["outcome"], "EXACT_MATCH");

    let admin = Caller::new(url("admin"));
    assert_eq!(admin.request("GET", "/health/ready").await.expect_success(), json!({"status": "READY"}));
    admin.post("/v1/learners/find-by-uln", &search).await.problem(404, "not_found");
}

#[tokio::test]
async fn nothing_personal_is_logged_at_the_most_verbose_level() {
    let directory = tempfile::tempdir().expect("a directory");
    let token_file = directory.path().join("tokens.json");
    let token_path = token_file.display().to_string();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--token-file", &token_path];
    let demo = TestProgram::start(&arguments, &[("RUST_LOG", "trace")]);
    let line = demo.output.iter().find(|line| line.starts_with("Documentation")).expect("a welcome");
    let url = line.split_whitespace().last().and_then(|url| url.strip_suffix("/docs")).expect("an address").to_owned();
    let tokens: Value = serde_json::from_slice(&std::fs::read(&token_file).expect("written")).expect("JSON");
    let token = tokens["learningProvider"].as_str().expect("a token");
    let caller = Caller::new(url).with_token(token);

    let search = json!({
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2001-09-17", "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
        "schoolAtAge16": "Marzipan School", "placeOfBirth": "Nowhereville", "emailAddress": "zebedee@mail.example.com",
    });
    let by_uln = json!({"uln": "3000000258", "givenName": "Zebedee", "familyName": "Quillfeather"});
    caller.post("/v1/learners/find-by-demographics", &search).await.expect_success();
    caller.post("/v1/learners/find-by-uln", &by_uln).await.expect_success();
    let mut learner = search.clone();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    let obtained = caller.post("/v1/learners/obtain-uln", &json!({"learner": learner})).await.json();
    let uln = obtained["uln"].as_str().expect("a ULN");
    caller.post("/v1/learners/update", &json!({"uln": uln, "versionNumber": 9, "learner": learner})).await.problem(409, "stale_version");
    let known = json!({"uln": uln, "givenName": "Zebedee", "familyName": "Quillfeather"});
    caller.post("/v1/learners/verify", &known).await.expect_success();
    caller.post("/v1/learning-events/search", &known).await.expect_success();
    caller.post("/v1/learners/retrieve-ulns", &json!({"ulns": [uln]})).await.expect_success();
    let mut wrong = search.clone();
    wrong["givenName"] = json!("Zebedee".repeat(10));
    caller.post("/v1/learners/find-by-demographics", &wrong).await.problem(422, "validation_failed");
    caller
        .post_text("/v1/learners/find-by-uln", "application/json", "{\"givenName\": \"Zebedee\", ")
        .await
        .problem(400, "malformed_request");
    caller.request("GET", "/v1/learners/3000000258?name=Quillfeather").await.problem(404, "not_found");

    let log = demo.rest_of_log();
    assert!(log.lines().count() > 5 && log.contains("\"request_id\""), "there is a log: {log}");
    let secret_parts = token.split('.').skip(1);
    let personal =
        ["Zebedee", "Quillfeather", "2001-09-17", "ZZ42", "Marzipan", "Nowhereville", "3000000258", "demo-password", "demo.registrar"];
    for marked in personal.into_iter().chain([uln]).chain(secret_parts) {
        assert!(!log.contains(marked), "{marked} is in the log: {}", log.lines().find(|line| line.contains(marked)).unwrap_or_default());
    }
}

#[test]
fn the_committed_documents_are_those_of_the_code() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = |directory: &Path| program(&["openapi", "--check"], &[]).current_dir(directory).output().expect("it runs");
    let output = check(here);
    assert!(output.status.success(), "{}", stderr(&output));
    for (flag, file) in [(None, "openapi.json"), (Some("--v3.0"), "openapi-3.0.json")] {
        let printed = run(&["openapi"].into_iter().chain(flag).collect::<Vec<_>>());
        assert_eq!(printed.stdout, std::fs::read(here.join("openapi").join(file)).expect(file), "{file}");
    }

    let copy = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(copy.path().join("openapi")).expect("made");
    for file in ["openapi.json", "openapi-3.0.json"] {
        std::fs::copy(here.join("openapi").join(file), copy.path().join("openapi").join(file)).expect(file);
    }
    let changed = copy.path().join("openapi/openapi.json");
    std::fs::write(&changed, std::fs::read_to_string(&changed).expect("text").replacen("ULN", "UNL", 1)).expect("written");
    let output = check(copy.path());
    assert!(!output.status.success() && stderr(&output).contains("openapi.json differs"), "{}", stderr(&output));
}

#[test]
fn a_good_configuration_is_said_to_be_good() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let output = run(&["check-config", "--config", &setup.config()]);
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success() && said.contains("no problem found, 1 organisations"), "{said}{}", stderr(&output));
}

#[test]
fn every_problem_of_a_configuration_is_reported_at_once() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.write(
        "gateway.toml",
        "\
        [server]\nlisten = \"8080\"\nworkers = \"many\"\ncolour = \"blue\"\n\
        [[auth.issuers]]\naudience = \"lrs-gateway\"\nalgorithms = [\"none\"]\n\
        [lrs]\nenvironment = \"test\"\ntimeout_seconds = -1\n[organisation]\ndirectory = \"x\"\n",
    );
    let output = run(&["check-config", "--config", &setup.config()]);
    let said = stderr(&output);
    assert!(!output.status.success());
    for place in [
        "server.listen: must be an IP address",
        "server.workers: must be",
        "server.colour: unknown field",
        "auth.issuers.0.issuer: is required",
        "auth.issuers.0.algorithms.0: must be one of",
        "lrs.environment: must be live",
        "lrs.timeout_seconds: must be",
        "organisation: unknown field",
        "organisations: is required",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
    assert_eq!(said.lines().count(), 9, "one line a problem: {said}");
}

#[test]
fn a_slip_in_the_file_hides_nothing_of_what_comes_after_it() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let config = config.replacen("[lrs]\n", "[lrs]\ntimeout_secs = 3\nbatch_timeout_seconds = 4000\n", 1);
    let more = "[store]\nredis-url = \"x\"\n[limits]\nexpected_replicas = 0\n[batches]\ninitial_poll_interval_seconds = 900\nmax_poll_interval_seconds = 60\n\
        [lrs.achievements]\ncreate_action = 2\nfinal_type = \"Provisional\"\n";
    setup.write("gateway.toml", &(config + more));
    setup.write("organisations/10088882.toml", "ukprn = \"10088882\"\nclient-certificate = {}\n");
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    for place in [
        "lrs.timeout_secs: unknown field",
        "store.redis-url: unknown field",
        "lrs.batch_timeout_seconds: must be at most 3600",
        "limits.expected_replicas: must be at least 1",
        "batches.initial_poll_interval_seconds: must not be more than max_poll_interval_seconds",
        "lrs.achievements: each action needs a number of its own",
        "lrs.achievements.final_type: must not be equal to provisional_type",
        "10088882.toml: client-certificate: unknown field",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
    setup.write("gateway.toml", "[server]\nworkers = 1\n\n[lrs]\nenvironment = live\n");
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("not well-formed TOML at line 5, column 15:"), "{said}");
}

#[test]
fn a_redis_that_cannot_be_used_is_told_with_its_address_and_without_its_password() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let more = "[store]\nredis_url = \"redis://someone:hidden@127.0.0.1:1/0\"\nencryption_key_file = \"store.key\"\n";
    setup.write("store.key", &"01".repeat(32));
    setup.write("gateway.toml", &(config + more));
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("store.redis_url:") && said.contains("127.0.0.1:1: ") && said.contains("refused"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn a_slip_in_the_log_level_silences_nothing() {
    for level in ["", "inof", "lrs_gateway::batches=debug", "a=b=c"] {
        ServingProgram::with(&ConfigDirectory::new("http://127.0.0.1:1"), &[("RUST_LOG", level)]);
    }
}

#[test]
fn problems_behind_the_file_are_reported_at_once_too() {
    let setup = ConfigDirectory::new("http://lrs.example.com");
    setup.write(
        "gateway.toml",
        "\
        [server]\ntls = { certificate_file = \"a\", key_file = \"b\" }\n\
        [[auth.issuers]]\nissuer = \"https://a.example/\"\naudience = \"x\"\nhmac_secret_file = \"short\"\n\
        [[auth.issuers]]\nissuer = \"https://a.example/\"\naudience = \"x\"\njwks_url = \"https://a.example/jwks\"\n\
        [[auth.issuers]]\nissuer = \"https://b.example/\"\naudience = \"x\"\nalgorithms = [\"RS256\"]\npublic_key_file = \"secret\"\n\
        [lrs]\nenvironment = \"custom\"\nbase_url = \"http://lrs.example.com\"\nca_certificate_file = \"missing.pem\"\n\
        [store]\nredis_url = \"redis://127.0.0.1/\"\n[organisations]\ndirectory = \"organisations\"\n",
    );
    setup.write("short", "too short");
    setup.write(
        "organisations/10088882.toml",
        "ukprn = \"10088882\"\nname = \"B\"\nproducts = [\"uln-managment\"]\npassword_file = \"p\"\n",
    );
    setup.write(
        "organisations/10088883.toml",
        "ukprn = \"10088883\"\nname = \"C\"\nproducts = []\npassword_file = \"missing\"\nclient_certificate = { pfx_file = \"c.pfx\" }\n",
    );
    setup
        .write("organisations/10088884.toml", "ukprn = \"10088881\"\nname = \"D\"\nproducts = []\npassword_file = \"10088881.password\"\n");
    setup.write("organisations/10088885.toml", "ukprn = \"10088885\"\nname = \"E\"\nproducts = []\npassword_file = \"long.password\"\nclient_certificate = { certificate_file = \"x\" }\n");
    setup.write("organisations/long.password", "seventeen letters");
    setup.write("organisations/10088886.toml", "ukprn = ");
    let output = run(&["check-config", "--config", &setup.config()]);
    let said = stderr(&output);
    assert!(!output.status.success());
    for problem in [
        "server.tls: ",
        "auth.issuers.0.hmac_secret_file: holds fewer than 32 bytes",
        "auth.issuers.1.issuer: https://a.example/ is used in another section already",
        "auth.issuers.1.algorithms: is required with jwks_url",
        "auth.issuers.2.public_key_file",
        "lrs.base_url: must be https",
        "lrs.ca_certificate_file",
        "store.encryption_key_file: is required with redis_url",
        "10088882.toml: products.0: must be one of",
        "10088883.toml: password_file",
        "10088883.toml: client_certificate: pfx_file",
        "10088884.toml: ukprn: organisation 10088881 is already described",
        "10088885.toml: password_file",
        "10088885.toml: client_certificate: must have either certificate_file and key_file",
        "10088886.toml: not well-formed TOML",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    assert_eq!(said.lines().count(), 15, "one line a problem: {said}");
}

#[tokio::test]
async fn one_organisations_trouble_does_not_keep_the_others_from_being_served_over_tls() {
    let mut lrs = TestProgram::start(&["simulate", "--listen", "127.0.0.1:0"], &[]);
    let setup = ConfigDirectory::new(lrs.wait_for("simulating LRS")["address"].as_str().expect("an address"));
    setup.write("organisations/10088882.toml", "ukprn = \"10088882\"\nname = \"B\"\nproducts = []\npassword_file = \"missing\"\n");
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    setup.write("server.pem", &certified.cert.pem());
    setup.write("server.key", &certified.signing_key.serialize_pem());
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("text");
    setup.write(
        "gateway.toml",
        &config.replace("workers = 1", "workers = 1\ntls = { certificate_file = \"server.pem\", key_file = \"server.key\" }"),
    );

    let checked = run(&["check-config", "--config", &setup.config()]);
    assert!(!checked.status.success() && stderr(&checked).contains("10088882.toml: password_file"), "{}", stderr(&checked));
    let mut gateway = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    let problem = gateway.wait_for("organisation problem: run check-config to list every problem");
    assert!(problem["problem"].as_str().is_some_and(|text| text.contains("10088882.toml")), "{problem}");
    let url = format!("https://{}", gateway.wait_for("serving")["api"].as_str().expect("an address"));
    let token = run(&["token", "--config", &setup.config(), "--organisation", "10088881", "--user", "j.bloggs"]);
    let trusting =
        HttpClientFactory::new(Some(&setup.path("server.pem")), Duration::from_secs(5)).and_then(|transport| transport.client(None));
    let caller = Caller::new(url).through(trusting.expect("a client")).with_token(String::from_utf8(token.stdout).expect("text").trim());
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    assert_eq!(caller.post("/v1/learners/find-by-uln", &search).await.expect_success()["outcome"], "EXACT_MATCH");
}

#[test]
fn numbers_and_addresses_that_would_stop_the_gateway_are_problems() {
    let setup = ConfigDirectory::new("https://user:password@lrs.example");
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("text");
    let config =
        config.replace("workers = 1", "workers = 0").replace("admin_listen = \"127.0.0.1:0\"", "admin_listen = \"127.0.0.1:8080\"");
    let config = config.replace("\nlisten = \"127.0.0.1:0\"", "\nlisten = \"127.0.0.1:8080\"");
    setup
        .write("gateway.toml", &config.replace("[lrs]", "[lrs]\ntimeout_seconds = 0\nconnect_timeout_seconds = 0\nmax_response_bytes = 0"));
    let output = run(&["check-config", "--config", &setup.config()]);
    let said = stderr(&output);
    for place in [
        "server.workers",
        "lrs.connect_timeout_seconds",
        "lrs.timeout_seconds",
        "lrs.max_response_bytes",
        "server.admin_listen",
        "lrs.base_url: must not have a user name or password",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
    assert_eq!(said.lines().count(), 6, "{said}");
}

#[test]
fn a_mistake_of_form_does_not_hide_the_organisations() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.configure(|config| config.replace("workers = 1", "workers = true"));
    setup.write("organisations/10088881.password", "short");
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("server.workers: must be") && said.contains("exactly 16 characters"), "{said}");
}

#[test]
fn a_simulator_of_impossible_people_does_not_start() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let learner = |uln: &str, more: &str| {
        format!(
            "[[learners]]\nuln = \"{uln}\"\ngiven_name = \"A\"\nfamily_name = \"B\"\ndate_of_birth = \"2003-04-05\"\ngender = \"MALE\"\nlast_known_post_code = \"ZZ1 1AA\"\n{more}"
        )
    };
    for (file, problem) in [
        (
            learner("3000000258", "merged_into = \"7000000057\"\n").replace("7000000057", "4444599390"),
            "merged_into of learner 1 is not the ULN of a learner",
        ),
        (learner("3000000126", ""), "two learners have the same ULN"),
        ("[[organisations]]\nukprn = \"10012345\"\npassword = \"short\"\nproducts = []\n".to_owned(), "exactly 16 characters"),
        ("colour = 1\n".to_owned(), "unknown field"),
    ] {
        setup.write("simulator.toml", &file);
        let output = run(&["simulate", "--config", &setup.path("simulator.toml").display().to_string(), "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success() && stderr(&output).contains(problem), "{problem}: {}", stderr(&output));
    }
}

#[test]
fn lrs_itself_needs_certificates() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.configure(|config| config.replace("environment = \"custom\"\nbase_url = \"http://127.0.0.1:1\"", "environment = \"live\""));
    let output = run(&["check-config", "--config", &setup.config()]);
    assert!(stderr(&output).contains("organisation 10088881: client_certificate: is required"), "{}", stderr(&output));
}

#[test]
fn tokens_are_minted_under_shared_secrets_only_and_for_real_scopes() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let config = setup.config();
    let output = run(&["token", "--config", &config, "--organisation", "1", "--user", "", "--scope", "learners"]);
    assert_eq!(stderr(&output).lines().count(), 3, "{}", stderr(&output));
    setup.configure(|config| config.replace("hmac_secret_file = \"secret\"", "public_key_file = \"secret\""));
    let output = run(&["token", "--config", &config, "--organisation", "10088881", "--user", "j.bloggs"]);
    assert!(!output.status.success() && stderr(&output).contains("hmac_secret_file"), "{}", stderr(&output));
}
