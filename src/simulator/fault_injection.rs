//! The active faults, and counts of the requests.

use std::collections::HashMap;

use serde::Serialize;

use crate::lrs::Service;
use crate::simulator::fault::Fault;
use crate::simulator::operations::OPERATIONS;
use crate::simulator::scenario::FaultStep;

/// Chooses the fault of each request and counts the requests.
#[derive(Debug, Default)]
pub struct FaultInjector {
    steps: Vec<ActiveFault>,
    /// The number of answers to lose, by the element of the request.
    answers_to_lose: HashMap<String, usize>,
    /// Counts by the element of the request. Only LRS's operations are counted, so the map cannot grow without limit.
    counts: HashMap<&'static str, Counts>,
}

/// A step that is in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFault {
    /// The step as it was given.
    #[serde(flatten)]
    pub step: FaultStep,
    /// The number of requests that the step still applies to, if the step has a count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
}

/// Counts of one operation's requests.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestCounts {
    /// The element of the requests.
    pub operation: &'static str,
    /// The number of requests that arrived, including those with a fault.
    pub requests: usize,
    /// The number of requests that the simulator executed, including those that it rejected.
    pub done: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    arrived: usize,
    executed: usize,
}

impl FaultInjector {
    /// Replaces the active steps.
    pub fn set_steps(&mut self, steps: Vec<FaultStep>) {
        self.steps = steps.into_iter().map(|step| ActiveFault { left: step.count.map(usize::from), step }).collect();
    }

    /// Returns the active steps.
    pub fn active_faults(&self) -> Vec<ActiveFault> {
        self.steps.clone()
    }

    /// Returns the fault because of which another web site responds to every request to a service; `None` if LRS responds.
    pub fn closed_by(&self, service: Service) -> Option<Fault> {
        let closes = |active: &&ActiveFault| {
            let ActiveFault { step, left } = active;
            step.fault.is_maintenance() && *left != Some(0) && step.percent >= 100 && step.applies_to(service, "")
        };
        self.steps.iter().find(closes).map(|active| active.step.fault)
    }

    /// Counts a request that arrived and returns the step that applies to it.
    pub fn request_arrived(&mut self, service: Service, element: &str) -> Option<FaultStep> {
        if let Some(counts) = self.counts_of(element) {
            counts.arrived += 1;
        }
        self.take_step(service, element)
    }

    /// Counts a request that is executed.
    pub fn request_executed(&mut self, element: &str) {
        if let Some(counts) = self.counts_of(element) {
            counts.executed += 1;
        }
    }

    /// Sets the number of requests with this element that are executed, but not answered.
    pub fn lose_answers(&mut self, element: &str, count: usize) {
        self.answers_to_lose.insert(element.to_owned(), count);
    }

    /// Returns `true` if the answer to this request is to be lost, and counts it.
    pub fn take_lost_answer(&mut self, element: &str) -> bool {
        let Some(count) = self.answers_to_lose.get_mut(element).filter(|count| **count > 0) else { return false };
        *count -= 1;
        true
    }

    /// Returns the number of requests with this element that arrived.
    pub fn request_count(&self, element: &str) -> usize {
        self.counts.get(element).map_or(0, |counts| counts.arrived)
    }

    /// Returns the number of requests with this element that were executed.
    pub fn executed_count(&self, element: &str) -> usize {
        self.counts.get(element).map_or(0, |counts| counts.executed)
    }

    /// Returns the counts of all operations with at least one request.
    pub fn request_counts(&self) -> Vec<RequestCounts> {
        let counted = OPERATIONS.iter().filter_map(|(operation, _)| {
            let Counts { arrived, executed } = *self.counts.get(operation)?;
            (arrived > 0).then_some(RequestCounts { operation, requests: arrived, done: executed })
        });
        counted.collect()
    }

    fn counts_of(&mut self, element: &str) -> Option<&mut Counts> {
        let (operation, _) = OPERATIONS.iter().find(|(operation, _)| *operation == element)?;
        Some(self.counts.entry(operation).or_default())
    }

    /// Returns the first step that applies to the request, is not used up, and is chosen by its percentage.
    fn take_step(&mut self, service: Service, element: &str) -> Option<FaultStep> {
        let is_chosen = |step: &FaultStep| step.percent >= 100 || fastrand::u32(0..100) < step.percent;
        let active = self
            .steps
            .iter_mut()
            .find(|active| active.left != Some(0) && active.step.applies_to(service, element) && is_chosen(&active.step))?;
        active.left = active.left.map(|left| left - 1);
        Some(active.step.clone())
    }
}
