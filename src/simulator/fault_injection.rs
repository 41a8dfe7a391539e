//! What is being played, how often, and what has come in meanwhile.

use std::collections::HashMap;

use parking_lot::MutexGuard;
use serde::Serialize;

use crate::lrs::Service;
use crate::simulator::Simulator;
use crate::simulator::scenario::{FaultStep, OPERATIONS};

/// The steps that are played, the answers to lose, and counts of requests.
#[derive(Debug, Default)]
pub struct FaultInjector {
    steps: Vec<ActiveFault>,
    /// How many answers to lose, by the request's element.
    to_lose: HashMap<String, usize>,
    /// By the request's element: those of LRS's operations only, so that no caller can make it grow.
    tallies: HashMap<&'static str, Tally>,
}

/// A step, and how many requests are left to it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveFault {
    /// As it was ordered.
    #[serde(flatten)]
    pub step: FaultStep,
    /// What is left of its count, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<usize>,
}

/// What became of the requests of one operation.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    requests: usize,
    done: usize,
}

/// The requests of one operation so far.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Countdown {
    /// The element of the requests.
    pub operation: &'static str,
    /// How many came in, whatever became of them.
    pub requests: usize,
    /// How many of them were worked on.
    pub done: usize,
}

impl FaultInjector {
    fn tally(&mut self, element: &str) -> Option<&mut Tally> {
        let (name, _) = OPERATIONS.iter().find(|(name, _)| *name == element)?;
        Some(self.tallies.entry(name).or_default())
    }

    /// The first step that is for this request, has something left, and draws it.
    fn next(&mut self, service: Service, element: &str) -> Option<FaultStep> {
        let drawn = |step: &FaultStep| step.percent >= 100 || fastrand::u32(0..100) < step.percent;
        let fits = |playing: &&mut ActiveFault| playing.left != Some(0) && playing.step.is_for(service, element) && drawn(&playing.step);
        let playing = self.steps.iter_mut().find(fits)?;
        playing.left = playing.left.map(|left| left - 1);
        Some(playing.step.clone())
    }
}

impl Simulator {
    fn rehearsal(&self) -> MutexGuard<'_, FaultInjector> {
        self.rehearsal.lock()
    }

    /// Plays these steps, instead of what was played before. Of the steps that are for a request, the first one that has
    /// something left happens to it.
    pub fn play(&self, steps: Vec<FaultStep>) {
        let playing = |step: FaultStep| ActiveFault { left: step.count.map(usize::from), step };
        self.rehearsal().steps = steps.into_iter().map(playing).collect();
    }

    /// Plays nothing any more.
    pub fn calm(&self) {
        self.play(Vec::new());
    }

    /// The steps that are played, and what is left of them.
    pub fn playing(&self) -> Vec<ActiveFault> {
        self.rehearsal().steps.clone()
    }

    /// How many requests with this element came in, whatever became of them.
    pub fn requests(&self, element: &str) -> usize {
        self.rehearsal().tally(element).map_or(0, |tally| tally.requests)
    }

    /// How many requests with this element were worked on, with whatever outcome.
    pub fn done(&self, element: &str) -> usize {
        self.rehearsal().tally(element).map_or(0, |tally| tally.done)
    }

    /// What came in of every operation, but of those that nobody asked for.
    pub fn counted(&self) -> Vec<Countdown> {
        let rehearsal = self.rehearsal();
        let counted = OPERATIONS.iter().filter_map(|(operation, _)| {
            let Tally { requests, done } = *rehearsal.tallies.get(operation)?;
            (requests > 0).then_some(Countdown { operation, requests, done })
        });
        counted.collect()
    }

    /// Does the next `count` requests with this element, such as `SubmitBatch`, without their senders ever being told.
    pub fn lose_answers(&self, element: &str, count: usize) {
        self.rehearsal().to_lose.insert(element.to_owned(), count);
    }

    /// Is the answer to this request one to lose? Counts it.
    pub(super) fn loses(&self, element: &str) -> bool {
        let mut rehearsal = self.rehearsal();
        let Some(left) = rehearsal.to_lose.get_mut(element).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    /// A request has come in: what happens to it?
    pub(super) fn meet(&self, service: Service, element: &str) -> Option<FaultStep> {
        let mut rehearsal = self.rehearsal();
        if let Some(tally) = rehearsal.tally(element) {
            tally.requests += 1;
        }
        rehearsal.next(service, element)
    }

    /// A request is worked on.
    pub(super) fn works_on(&self, element: &str) {
        if let Some(tally) = self.rehearsal().tally(element) {
            tally.done += 1;
        }
    }
}
