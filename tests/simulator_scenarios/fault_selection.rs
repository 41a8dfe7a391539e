//! Which step of a scenario applies to a request: by service, operation, count and percentage.

use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{Fault, FaultStep};

use super::{FIND_BY_ULN, FaultyLrs, GET_ACHIEVEMENTS, LEARNING_EVENTS, REGISTER};

#[tokio::test]
async fn fault_selection_takes_first_step_that_applies_and_is_not_used_up() {
    let faulty_lrs = FaultyLrs::with_faults([
        FaultStep { service: Some(Service::External), ..FaultStep::new(Fault::Unavailable) },
        FaultStep::new(Fault::OutOfHours).for_operation("RegisterLearner"),
        FaultStep::new(Fault::Maintenance405).for_operation("FindLearnerByULN").times(2),
        FaultStep { service: Some(Service::Learner), ..FaultStep::new(Fault::Unavailable).times(1) },
    ]);
    let status_of = async |service, message| faulty_lrs.post(service, message).await.expect("a response").status;

    assert_eq!(status_of(Service::External, GET_ACHIEVEMENTS).await, 503);
    assert_eq!(status_of(Service::LearnerR9, LEARNING_EVENTS).await, 200);
    assert_eq!(status_of(Service::Learner, FIND_BY_ULN).await, 405);
    assert_eq!(status_of(Service::Learner, "not SOAP").await, 503, "an unreadable request has a service, but no operation");
    assert_eq!(status_of(Service::Learner, FIND_BY_ULN).await, 405);
    assert_eq!(status_of(Service::Learner, FIND_BY_ULN).await, 200);
    assert_eq!(status_of(Service::Learner, REGISTER).await, 500);
    assert_eq!(status_of(Service::External, GET_ACHIEVEMENTS).await, 503, "a step without a count is never used up");

    let left: Vec<_> = faulty_lrs.lrs.simulator.active_faults().iter().map(|active| active.left).collect();
    assert_eq!(left, [None, None, Some(0), Some(0)]);
    assert_eq!(faulty_lrs.counts("FindLearnerByULN"), (3, 1));
}

/// Searches this number of times and returns the statuses.
async fn statuses(faulty_lrs: &FaultyLrs, requests: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(faulty_lrs.find_by_uln().await.expect("a response").status);
    }
    statuses
}

#[tokio::test]
async fn fault_percentage_selects_that_part_of_requests() {
    const REQUESTS: usize = 200;
    let faulty_lrs = FaultyLrs::with_faults([FaultStep { percent: 50, ..FaultStep::new(Fault::Maintenance405) }]);

    let statuses = statuses(&faulty_lrs, REQUESTS).await;

    let faults = statuses.iter().filter(|status| **status == 405).count();
    // The selection is random. The bounds are seven standard deviations from the mean.
    assert!((REQUESTS / 4..=REQUESTS * 3 / 4).contains(&faults), "{faults}");
    assert_eq!(faulty_lrs.counts("FindLearnerByULN"), (REQUESTS, REQUESTS - faults));
}

#[tokio::test]
async fn fault_percentage_leaves_other_requests_to_next_step_and_does_not_count_them() {
    let faulty_lrs = FaultyLrs::with_faults([
        FaultStep { percent: 1, ..FaultStep::new(Fault::Unavailable).times(1000) },
        FaultStep::new(Fault::Maintenance405),
    ]);

    let statuses = statuses(&faulty_lrs, 20).await;

    assert!(statuses.iter().all(|status| [503, 405].contains(status)), "{statuses:?}");
    let selected = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(faulty_lrs.lrs.simulator.active_faults()[0].left, Some(1000 - selected));
}

#[tokio::test]
async fn lost_answer_applies_to_first_request_without_fault() {
    let faulty_lrs = FaultyLrs::with_faults([FaultStep::new(Fault::Unavailable).times(1)]);
    faulty_lrs.lrs.simulator.lose_answers("FindLearnerByULN", 1);

    assert_eq!(faulty_lrs.find_by_uln().await.expect("a page").status, 503);
    assert!(faulty_lrs.find_by_uln().await.is_err(), "the answer is lost");
    assert!(faulty_lrs.responds_without_fault().await);
}
