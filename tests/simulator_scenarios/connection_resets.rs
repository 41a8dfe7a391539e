//! Faults that reset the connection: `refuse`, `reset_before` and `reset_after`.

use std::io::ErrorKind;

use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings, TlsFiles};
use serde_json::json;

use super::{FIND_BY_ULN, FaultyLrs, REGISTER};
use crate::support::simulator::soap_post;
use crate::support::{SimulatedLrs, TestGateway};

#[test]
fn connection_reset_sends_no_byte_and_next_connection_works() {
    let faulty_lrs = FaultyLrs::new();
    let (response, end) = faulty_lrs.post_raw(FIND_BY_ULN);
    assert!(response.starts_with(b"HTTP/1.1 200") && end.is_ok());
    let (mut arrived, mut executed) = (1, 1);
    for fault in [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter] {
        faulty_lrs.inject([FaultStep::new(fault).times(1)]);

        assert_eq!(faulty_lrs.post_raw(FIND_BY_ULN), (Vec::new(), Err(ErrorKind::ConnectionReset)), "{fault:?}");
        assert!(faulty_lrs.post_raw(FIND_BY_ULN).0.starts_with(b"HTTP/1.1 200"), "{fault:?}: the next connection gets a response");

        arrived += 2;
        executed += if fault == Fault::ResetAfter { 2 } else { 1 };
        assert_eq!(faulty_lrs.counts("FindLearnerByULN"), (arrived, executed), "{fault:?}");
    }
}

#[tokio::test]
async fn connection_reset_after_executes_registration_and_reset_before_does_not() {
    let faulty_lrs = FaultyLrs::new();
    let registered = || faulty_lrs.lrs.simulator.register().len();
    let registered_before = registered();
    assert!(faulty_lrs.find_learner_to_register().await.contains("WSRC0001"));
    for (fault, new_learners) in [(Fault::Refuse, 0), (Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        faulty_lrs.inject([FaultStep::new(fault).for_operation("RegisterLearner").times(1)]);

        let error = faulty_lrs.post(Service::Learner, REGISTER).await.err().expect("no response");

        assert!(error.is_request() && format!("{error:?}").contains("ConnectionReset"), "{fault:?}: {error:?}");
        assert_eq!(registered() - registered_before, new_learners, "{fault:?}");
    }
    assert_eq!(faulty_lrs.counts("RegisterLearner"), (3, 1));
    assert!(faulty_lrs.find_learner_to_register().await.contains("WSRC0004"));
}

#[tokio::test]
async fn connection_reset_under_tls_is_a_connection_reset() {
    let directory = tempfile::tempdir().expect("a directory");
    let generated = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let write_file = |name: &str, pem: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).expect("the file is written");
        path
    };
    let certificate_file = write_file("certificate.pem", generated.cert.pem());
    let key_file = write_file("key.pem", generated.signing_key.serialize_pem());
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: None };
    let faulty_lrs = FaultyLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    let certificate = reqwest::Certificate::from_pem(generated.cert.pem().as_bytes()).expect("a certificate");
    let http = crate::support::http_client_builder().tls_certs_only([certificate]).build().expect("a client");
    let url = faulty_lrs.url(Service::Learner).replace("http:", "https:");
    let search = || soap_post(&http, url.clone(), FIND_BY_ULN.to_owned()).send();
    assert_eq!(search().await.expect("a response").status(), 200);

    faulty_lrs.inject([FaultStep::new(Fault::ResetAfter).times(1)]);
    let error = search().await.expect_err("no response");

    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(search().await.expect("a response").status(), 200);
    assert_eq!(faulty_lrs.counts("FindLearnerByULN"), (3, 3));
}

#[tokio::test]
async fn connection_reset_after_registration_has_unknown_outcome_for_the_gateway() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let search = json!({"givenName": "Ines", "familyName": "Thistlewood", "dateOfBirth": "2007-11-30", "gender": "NOT_KNOWN",
        "lastKnownPostCode": "ZZ7 7JJ"});
    let registration = serde_json::from_str(include_str!("../golden/register-plain.call.json")).expect("JSON");
    let find = async || gateway.caller().post("/v1/learners/find-by-demographics", &search).await.expect_success();
    assert_eq!(find().await["outcome"], "NO_MATCH");

    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::ResetAfter).for_operation("RegisterLearner").times(1)]);
    let problem = gateway.caller().post("/v1/learners/register", &registration).await.problem(504, "lrs_timeout");

    assert_eq!(problem["outcomeUnknown"], true, "{problem}");
    assert_eq!((lrs.simulator.request_count("RegisterLearner"), lrs.simulator.executed_count("RegisterLearner")), (1, 1));
    assert_eq!(find().await["outcome"], "EXACT_MATCH");
}
