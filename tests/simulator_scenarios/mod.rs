//! Scenarios of the simulator: the faults that it injects, and how a client meets them.

mod connection_resets;
mod control;
mod fault_responses;
mod fault_selection;
mod scenario_file;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{FaultStep, SimulatorSettings};

use crate::support::SimulatedLrs;
use crate::support::simulator::{quoted_action, soap_post};

const FIND_BY_ULN: &str = include_str!("../golden/find-by-uln.request.xml");
const FIND_BY_DEMOGRAPHICS: &str = include_str!("../golden/find-by-demographics-plain.request.xml");
const REGISTER: &str = include_str!("../golden/register-plain.request.xml");
const LEARNING_EVENTS: &str = include_str!("../golden/learning-events-full.request.xml");
const SUBMIT_ACHIEVEMENTS: &str = include_str!("../golden/submit-achievement-batch.request.xml");
const GET_ACHIEVEMENTS: &str = include_str!("../golden/get-achievement-batch.request.xml");

/// A running simulator and an HTTP client that calls it directly.
struct FaultyLrs {
    lrs: SimulatedLrs,
    http: reqwest::Client,
}

/// A complete response of the simulator.
struct Response {
    status: u16,
    content_type: String,
    body: String,
}

impl FaultyLrs {
    /// Starts a simulator without faults.
    fn new() -> Self {
        Self::with(&SimulatorSettings::default())
    }

    fn with(settings: &SimulatorSettings) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = crate::support::http_client_builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { lrs: SimulatedLrs::with(settings), http }
    }

    /// Starts a simulator that injects the faults of these steps.
    fn with_faults(steps: impl Into<Vec<FaultStep>>) -> Self {
        let faulty_lrs = Self::new();
        faulty_lrs.inject(steps);
        faulty_lrs
    }

    /// Replaces the active steps.
    fn inject(&self, steps: impl Into<Vec<FaultStep>>) {
        self.lrs.simulator.inject_faults(steps.into());
    }

    fn url(&self, service: Service) -> String {
        format!("{}{}", self.lrs.url(), service.path())
    }

    async fn post(&self, service: Service, message: &str) -> reqwest::Result<Response> {
        let response = soap_post(&self.http, self.url(service), message.to_owned()).send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers()["content-type"].to_str().expect("an ASCII header").to_owned();
        let body = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        Ok(Response { status, content_type, body })
    }

    /// Searches by ULN.
    async fn find_by_uln(&self) -> reqwest::Result<Response> {
        self.post(Service::Learner, FIND_BY_ULN).await
    }

    /// Returns `true` if a search by ULN gets the response without a fault.
    async fn responds_without_fault(&self) -> bool {
        self.find_by_uln().await.is_ok_and(|response| response.status == 200 && response.body.contains("<ResponseCode>WSRC0004<"))
    }

    /// Posts a message over a new connection. Returns all bytes received, and how the connection ended.
    fn post_raw(&self, message: &str) -> (Vec<u8>, Result<usize, ErrorKind>) {
        let mut connection = TcpStream::connect(self.lrs.url().trim_start_matches("http://")).expect("the simulator listens");
        let (path, length) = (Service::Learner.path(), message.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: lrs\r\nConnection: close\r\nContent-Type: text/xml\r\nSOAPAction: {}\r\nContent-Length: {length}\r\n\r\n",
            quoted_action(message)
        );
        connection.write_all([head.as_bytes(), message.as_bytes()].concat().as_slice()).expect("the simulator reads the request");
        let mut received = Vec::new();
        let end = connection.read_to_end(&mut received).map_err(|error| error.kind());
        (received, end)
    }

    /// Returns the number of requests with this element that arrived, and the number that were executed.
    fn counts(&self, element: &str) -> (usize, usize) {
        (self.lrs.simulator.request_count(element), self.lrs.simulator.executed_count(element))
    }

    /// Searches for the learner of [`REGISTER`]. The simulator accepts a registration only after such a search.
    async fn find_learner_to_register(&self) -> String {
        let message = [("Sam", "Ines"), ("Taylor", "Thistlewood"), ("2004-06-01", "2007-11-30"), ("ZZ5 5FF", "ZZ7 7JJ")]
            .iter()
            .fold(FIND_BY_DEMOGRAPHICS.replace("<Gender>1<", "<Gender>0<"), |xml, (from, to)| xml.replace(from, to));
        self.post(Service::Learner, &message).await.expect("a response").body
    }
}
