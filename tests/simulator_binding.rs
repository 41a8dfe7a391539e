//! The simulator as SOAP clients of any kind meet it: WSDL, paths, media types, SOAP headers, and what it logs about refused requests.

use std::path::Path;

use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings};
use serde_json::json;

use crate::support::SimulatedLrs;
use crate::support::program::TestProgram;
use crate::support::simulator::{quoted_action, soap_post};

const FIND_BY_ULN: &str = include_str!("golden/find-by-uln.request.xml");
const LEARNING_EVENTS: &str = include_str!("golden/learning-events-full.request.xml");
const FOUND: &str = "<ResponseCode>WSRC0004</ResponseCode>";

fn http() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    crate::support::http_client_builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// Sends a request and returns the status, the media type and the body of the response.
async fn send(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.expect("a response");
    let content_type = response.headers().get("content-type").map_or("", |value| value.to_str().expect("ASCII")).to_owned();
    (response.status().as_u16(), content_type, response.text().await.expect("a complete response"))
}

#[tokio::test]
async fn simulator_path_in_any_case_is_the_service() {
    let lrs = SimulatedLrs::start();
    for path in ["/LearnerService.svc", "/learnerservice.svc", "/LEARNERSERVICE.SVC"] {
        let (status, _, body) = send(soap_post(&http(), format!("{}{path}", lrs.url()), FIND_BY_ULN.to_owned())).await;
        assert!(status == 200 && body.contains(FOUND), "{path}: {status} {body}");
    }
    assert_eq!(send(soap_post(&http(), format!("{}/Learner.svc", lrs.url()), FIND_BY_ULN.to_owned())).await.0, 404);
}

#[tokio::test]
async fn simulator_media_type_other_than_soap_1_1_is_refused() {
    let lrs = SimulatedLrs::start();
    let url = format!("{}/LearnerService.svc", lrs.url());
    for content_type in [
        None,
        Some("application/json"),
        Some("application/soap+xml; charset=utf-8; action=\"\""),
        Some("application/xml"),
        Some("text/xml; charset=utf-16"),
    ] {
        let mut request = http().post(&url).body(FIND_BY_ULN);
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let (status, media_type, body) = send(request).await;
        assert_eq!((status, &*media_type), (415, "text/plain; charset=utf-8"), "{content_type:?}");
        assert!(body.contains("text/xml; charset=utf-8") && body.contains(content_type.unwrap_or_default()), "{body}");
    }
    assert_eq!(lrs.simulator.executed_count("FindLearnerByULN"), 0);
    for content_type in ["text/xml", "Text/XML;charset=\"UTF-8\"", "text/xml; charset=utf-8; action=\"\""] {
        let (status, _, body) = send(http().post(&url).header("Content-Type", content_type).body(FIND_BY_ULN)).await;
        assert!(status == 200 && body.contains(FOUND), "{content_type}: {status} {body}");
    }
}

#[tokio::test]
async fn simulator_header_that_must_be_understood_is_refused_by_every_service() {
    let lrs = SimulatedLrs::start();
    let header = |attributes: &str| {
        format!("<soapenv:Header><w:Security {attributes} xmlns:w=\"urn:w\"><w:Token>secret</w:Token></w:Security></soapenv:Header>")
    };
    for (service, message) in [(Service::Learner, FIND_BY_ULN), (Service::LearnerR9, LEARNING_EVENTS)] {
        let url = format!("{}{}", lrs.url(), service.path());
        let with_header = |attributes: &str| {
            assert_eq!(message.matches("<soapenv:Body>").count(), 1);
            message.replace("<soapenv:Body>", &format!("{}<soapenv:Body>", header(attributes)))
        };
        let (status, _, body) = send(soap_post(&http(), url.clone(), with_header("soapenv:mustUnderstand=\"1\""))).await;
        assert!(status == 500 && body.contains("<faultcode>soapenv:MustUnderstand</faultcode>"), "{status} {body}");
        assert!(body.contains("Security") && !body.contains("secret"), "{body}");
        for attributes in ["", "soapenv:mustUnderstand=\"0\"", "soapenv:mustUnderstand=\"1\" soapenv:actor=\"urn:other\""] {
            let (status, _, body) = send(soap_post(&http(), url.clone(), with_header(attributes))).await;
            assert_eq!(status, 200, "{attributes}: {body}");
        }
    }
}

#[tokio::test]
async fn simulator_get_type_outside_its_enumeration_is_rejected() {
    let lrs = SimulatedLrs::start();
    let url = format!("{}{}", lrs.url(), Service::LearnerR9.path());
    for (value, code) in [("FULL", "WSEC0208"), ("BRIEF", "WSEC0208"), ("full", "WSEC0001"), ("", "WSEC0001"), ("ALL", "WSEC0001")] {
        let message = LEARNING_EVENTS.replace(">FULL<", &format!(">{value}<"));
        let (status, _, body) = send(soap_post(&http(), url.clone(), message)).await;
        assert!(status == 200 && body.contains(&format!("<a:ResponseCode>{code}</a:ResponseCode>")), "{value}: {status} {body}");
    }
}

#[tokio::test]
async fn simulator_method_other_than_get_and_post_is_not_allowed() {
    let lrs = SimulatedLrs::start();
    let url = format!("{}/LearnerService.svc", lrs.url());
    let response = http().put(&url).body(FIND_BY_ULN).send().await.expect("a response");
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"GET, HEAD, POST".parse().expect("a header")));
    let (status, media_type, body) = send(http().get(&url)).await;
    assert_eq!((status, &*media_type), (200, "text/html; charset=utf-8"));
    assert!(body.contains("?wsdl"), "{body}");
}

#[tokio::test]
async fn simulator_closed_like_lrs_sends_error_page_to_post_and_maintenance_page_to_get() {
    let lrs = SimulatedLrs::start();
    let url = format!("{}/LearnerService.svc", lrs.url());
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Maintenance405)]);

    let (status, media_type, body) = send(soap_post(&http(), url.clone(), FIND_BY_ULN.to_owned())).await;
    assert_eq!((status, &*media_type), (405, "text/html"));
    for part in
        ["<title>UnsupportedHttpVerb</title>", "HttpStatusCode: 405", "ErrorCode: UnsupportedHttpVerb", "RequestId : ", "TimeStamp : 20"]
    {
        assert!(body.contains(part), "{part}: {body}");
    }
    for query in ["", "?wsdl"] {
        let (status, media_type, body) = send(http().get(format!("{url}{query}"))).await;
        assert_eq!((status, &*media_type), (200, "text/html; charset=utf-8"), "{query}");
        assert!(body.contains("closed for maintenance"), "{body}");
    }
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::MaintenanceRedirect)]);
    assert_eq!(send(http().get(&url)).await.0, 302);
    // A step for one operation does not close the service.
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Maintenance405).for_operation("RegisterLearner")]);
    assert!(!send(http().get(&url)).await.2.contains("closed"));
}

/// Writes a directory with the WSDL of the learner service, which imports a schema by its address and another by its name.
fn write_wsdls(directory: &Path) {
    let wsdl = "<wsdl:definitions xmlns:wsdl='http://schemas.xmlsoap.org/wsdl/' targetNamespace='http://tempuri.org/'>\
        <xsd:import schemaLocation='https://ws.lrs.education.gov.uk/LearnerService.svc?xsd=xsd0' namespace='urn:a'/>\
        <xsd:import schemaLocation=\"../schemas/names.xsd\"/><xsd:import schemaLocation=\"https://example.org/other.xsd\"/>\
        <wsdl:port><soap:address location = \"https://ws.lrs.education.gov.uk/learnerservice.svc?singlewsdl\"/></wsdl:port></wsdl:definitions>";
    for (name, text) in [("any name.wsdl", wsdl), ("xsd0.xsd", "<schema id='zero'/>"), ("schemas/names.xsd", "<schema id='names'/>")] {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("the directory is created");
        std::fs::write(path, text).expect("the file is written");
    }
}

#[tokio::test]
async fn simulator_wsdl_has_the_address_of_the_simulator() {
    let directory = tempfile::tempdir().expect("a directory");
    write_wsdls(directory.path());
    let wsdl_directory = Some(directory.path().to_owned());
    let lrs = SimulatedLrs::with(&SimulatorSettings { wsdl_directory, ..SimulatorSettings::default() });
    let url = lrs.url();
    for query in ["wsdl", "WSDL", "singleWsdl", "singlewsdl"] {
        let (status, media_type, wsdl) = send(http().get(format!("{url}/learnerservice.svc?{query}"))).await;
        assert_eq!((status, &*media_type), (200, "text/xml; charset=utf-8"), "{query}");
        for part in [
            format!("<soap:address location = \"{url}/LearnerService.svc\"/>"),
            format!("schemaLocation=\"{url}/LearnerService.svc?xsd=xsd0\""),
            format!("schemaLocation=\"{url}/names.xsd\""),
            "schemaLocation=\"https://example.org/other.xsd\"".to_owned(),
            "xmlns:wsdl='http://schemas.xmlsoap.org/wsdl/'".to_owned(),
        ] {
            assert!(wsdl.contains(&part), "{part}: {wsdl}");
        }
    }
    assert_eq!(send(http().get(format!("{url}/LearnerService.svc?xsd=xsd0"))).await.2, "<schema id='zero'/>");
    assert_eq!(send(http().get(format!("{url}/names.xsd"))).await.2, "<schema id='names'/>");
    for unknown in ["/LearnerService.svc?xsd=xsd1", "/LearnerServiceR9.svc?wsdl", "/LearnerService.svc?xsd=..%2f..%2fetc%2fpasswd"] {
        assert_eq!(send(http().get(format!("{url}{unknown}"))).await.0, 404, "{unknown}");
    }
    assert_eq!(send(http().get(format!("{url}/other.xsd"))).await.0, 404);
}

#[tokio::test]
async fn simulator_without_wsdls_says_where_to_get_them() {
    let lrs = SimulatedLrs::start();
    let (status, media_type, text) = send(http().get(format!("{}/LearnerService.svc?wsdl", lrs.url()))).await;
    assert_eq!((status, &*media_type), (404, "text/plain; charset=utf-8"));
    assert!(text.contains("?singleWsdl") && text.contains("simulate --wsdl"), "{text}");
}

#[test]
fn simulator_directory_without_wsdl_stops_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("other.wsdl"), "<address location='https://example.org/x.svc'/>").expect("the file is written");
    for path in [directory.path().to_owned(), directory.path().join("missing")] {
        let settings = SimulatorSettings { wsdl_directory: Some(path.clone()), ..SimulatorSettings::default() };
        let error = settings.build_simulator().expect_err("the directory has no WSDL of LRS");
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn simulator_serves_wsdls_of_option_and_logs_the_element_of_a_refused_request() {
    let directory = tempfile::tempdir().expect("a directory");
    write_wsdls(directory.path());
    let wsdls = directory.path().display().to_string();
    let mut program = TestProgram::start(&["simulate", "--listen", "127.0.0.1:0", "--wsdl", &wsdls], &[]);
    let event = program.wait_for_log("simulating LRS");
    let url = event["address"].as_str().expect("an address").to_owned();
    let (status, _, wsdl) = send(http().get(format!("{url}/LearnerService.svc?wsdl"))).await;
    assert!(status == 200 && wsdl.contains(&url), "{wsdl}");
    let learner = format!("{url}/LearnerService.svc");
    let requests = [
        soap_post(&http(), learner.clone(), FIND_BY_ULN.replace(">3000000126<", ">30000001<")),
        soap_post(&http(), learner.clone(), FIND_BY_ULN.replace("demo-password-01", "demo-password-02")),
        soap_post(&http(), learner.clone(), FIND_BY_ULN.replace("<GivenName>Ana</GivenName>", "")),
        http().post(&learner).header("SOAPAction", quoted_action(FIND_BY_ULN)).body(FIND_BY_ULN),
        soap_post(&http(), format!("{url}/LearnerServiceR9.svc"), LEARNING_EVENTS.replace("tem:gender", "tem:sex")),
        soap_post(&http(), format!("{url}/LearnerServiceR9.svc"), LEARNING_EVENTS.replace(">FULL<", ">ALL<")),
    ];
    for request in requests {
        send(request).await;
    }
    let (find, events) = (json!("FindLearnerByULN"), json!("GetLearnerLearningEvents"));
    for (operation, refusal, element) in [
        (&find, "WSEC0001", "ULN"),
        (&find, "WSEC0005", "OrgPassword"),
        (&find, "WSEC0001", "GivenName"),
        (&find, "415", "Content-Type"),
        (&events, "DeserializationFailed", "sex"),
        (&events, "WSEC0001", "getType"),
    ] {
        let event = program.wait_for_log("request refused");
        assert_eq!((&event["operation"], &event["refusal"], &event["element"]), (operation, &json!(refusal), &json!(element)), "{event}");
    }
    let log = program.end_and_read_log();
    for value in ["30000001", "demo-password", "O'Neill"] {
        assert!(!log.contains(value), "{value}: {log}");
    }
}
