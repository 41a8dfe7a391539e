//! Trouble to rehearse with, as people write it in scenario files and in orders: steps, each for some requests.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserializer, Serialize, Serializer};

use crate::lrs::Service;
use crate::schema::deserialize::{DeserializeContext, FromDocument};
use crate::schema::{Constraints, InvalidValue, Scalar, form};

/// The elements of every request, and their services.
pub const OPERATIONS: [(&str, Service); 13] = [
    ("FindLearnerByULN", Service::Learner),
    ("FindLearnerByDemographics", Service::Learner),
    ("RegisterLearner", Service::Learner),
    ("UpdateLearner", Service::Learner),
    ("SubmitBatch", Service::Learner),
    ("GetSubmitBatchOutput", Service::Learner),
    ("SubmitVerifyBatch", Service::Learner),
    ("GetVerifyBatchOutput", Service::Learner),
    ("VerifyLearner", Service::Learner),
    ("RetrieveULNs", Service::Learner),
    ("GetLearnerLearningEvents", Service::LearnerR9),
    ("SubmitAchievementBatchJob", Service::External),
    ("GetAchievementBatchJob", Service::External),
];

/// What can happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The right answer, later.
    Latency,
    /// The connection is reset at once, nothing is done.
    Refuse,
    /// The connection is reset when the answer would have come, nothing is done.
    ResetBefore,
    /// The connection is reset when the answer should come, but the work is done.
    ResetAfter,
    /// 200 with a page that says LRS is being maintained.
    MaintenancePage,
    /// 302 to such a page.
    MaintenanceRedirect,
    /// 405 with the fault of a `POST` that became a `GET` on its way.
    Maintenance405,
    /// `WSEC0004`, in the way of the service.
    OutOfHours,
    /// 503 with a page.
    Unavailable,
    /// 200 with an answer that is not XML. The work is done.
    Garbage,
    /// The first half of the right answer.
    Truncated,
    /// The right answer, byte by byte.
    SlowDrip,
    /// A fault with a code of the step's choice.
    Fault,
}

impl Fault {
    const ALL: [(Self, &'static str); 13] = [
        (Self::Latency, "latency"),
        (Self::Refuse, "refuse"),
        (Self::ResetBefore, "reset_before"),
        (Self::ResetAfter, "reset_after"),
        (Self::MaintenancePage, "maintenance_page"),
        (Self::MaintenanceRedirect, "maintenance_redirect"),
        (Self::Maintenance405, "maintenance_405"),
        (Self::OutOfHours, "out_of_hours"),
        (Self::Unavailable, "unavailable"),
        (Self::Garbage, "garbage"),
        (Self::Truncated, "truncated"),
        (Self::SlowDrip, "slow_drip"),
        (Self::Fault, "fault"),
    ];

    /// Every trouble there is.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().map(|(trouble, _)| *trouble)
    }

    /// Is the request worked on all the same?
    pub const fn lets_work(self) -> bool {
        matches!(self, Self::Latency | Self::ResetAfter | Self::Garbage | Self::Truncated | Self::SlowDrip)
    }

    /// Does it take a number of milliseconds?
    const fn takes_time(self) -> bool {
        matches!(self, Self::Latency | Self::SlowDrip)
    }
}

/// LRS's services as scenarios name them.
const SERVICES: [(Service, &str); 3] = [(Service::Learner, "learner"), (Service::LearnerR9, "learner-r9"), (Service::External, "external")];

/// Something that goes by one of a few names.
macro_rules! named {
    ($name:ident, $all:expr, $rule:expr) => {
        impl Scalar for $name {
            const CONSTRAINTS: Constraints = $rule;

            fn parse(text: &str) -> Result<Self, InvalidValue> {
                $all.iter().find(|(_, name)| *name == text).map(|(one, _)| *one).ok_or_else(|| none_of($all.iter().map(|(_, name)| *name)))
            }

            fn text(&self) -> Cow<'_, str> {
                $all.iter().find(|(one, _)| one == self).map_or("", |(_, name)| name).into()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }
    };
}
named!(Fault, Fault::ALL, Constraints::new("What happens to a request.", "reset_after"));
named!(Service, SERVICES, Constraints::new("A service of LRS.", "learner"));

fn none_of<'n>(names: impl Iterator<Item = &'n str>) -> InvalidValue {
    InvalidValue { code: "unknown_value", detail: format!("must be one of {}", names.collect::<Vec<_>>().join(" ")).into() }
}

/// The service of the operation with this element, if there is one.
pub(super) fn check_operation(element: &str) -> Result<Service, InvalidValue> {
    let found = OPERATIONS.iter().find(|(name, _)| *name == element);
    found.map(|(_, service)| *service).ok_or_else(|| none_of(OPERATIONS.iter().map(|(name, _)| *name)))
}

impl FromDocument for NonZeroUsize {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let Some(number) = usize::read(input, reading)? else { return Ok(None) };
        let number = Self::new(number);
        if number.is_none() {
            reading.note(InvalidValue::new("out_of_range", "must be 1 or more"));
        }
        Ok(number)
    }
}

form! {
    /// One kind of trouble, and for whom it is.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "camelCase")]
    pub struct FaultStep {
        /// What happens.
        pub trouble: Fault,
        /// How much longer an answer takes (`latency`), or each of its bytes (`slow_drip`).
        #[serde(skip_serializing_if = "Option::is_none")]
        pub milliseconds: Option<u64>,
        /// The code of a `fault`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub code: Option<String>,
        /// Only requests with this element in their body.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operation: Option<String>,
        /// Only requests to this service.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub service: Option<Service>,
        /// Only so many requests; without it, all until something else is played.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub count: Option<NonZeroUsize>,
        /// How many of a hundred requests, drawn at random.
        pub percent: u32 = 100,
    }
    also (trouble, milliseconds, code, operation, service, percent) => fit_together
}

form! {
    /// A scenario: of its steps, the first that is for a request is played.
    #[derive(Debug, Clone)]
    pub struct Scenario {
        /// The steps.
        pub steps: Vec<FaultStep>,
    }
}

impl FaultStep {
    /// This trouble for every request, until something else is played.
    pub const fn new(trouble: Fault) -> Self {
        Self { trouble, milliseconds: None, code: None, operation: None, service: None, count: None, percent: 100 }
    }

    /// The same, only for requests with this element.
    #[must_use]
    pub fn of(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// The same, only for so many requests; with 0 for any number of them.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { count: NonZeroUsize::new(count), ..self }
    }

    /// The same, with so much time: how much longer an answer takes, or each of its bytes.
    #[must_use]
    pub fn taking(self, milliseconds: u64) -> Self {
        Self { milliseconds: Some(milliseconds), ..self }
    }

    /// The pause of a slow drip.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(self.milliseconds.unwrap_or_default())
    }

    /// How much longer than always the first byte of an answer takes.
    pub(super) fn longer(&self) -> Duration {
        if self.trouble == Fault::Latency { self.pause() } else { Duration::ZERO }
    }

    /// Is it for a request to this service with this element? What cannot be read has none.
    pub fn is_for(&self, service: Service, element: &str) -> bool {
        self.service.is_none_or(|only| only == service) && self.operation.as_deref().is_none_or(|only| only == element)
    }
}

/// A field that goes with some troubles, and with these only.
fn goes_with<T>(
    given: Option<&Option<T>>,
    belongs: bool,
    field: &'static str,
    [missing, idle]: [InvalidValue; 2],
    reading: &mut DeserializeContext,
) {
    match given {
        Some(None) if belongs => reading.at(field, |reading| reading.note(missing)),
        Some(Some(_)) if !belongs => reading.at(field, |reading| reading.note(idle)),
        _ => {}
    }
}

fn fit_together(
    trouble: Option<&Fault>,
    milliseconds: Option<&Option<u64>>,
    code: Option<&Option<String>>,
    operation: Option<&Option<String>>,
    service: Option<&Option<Service>>,
    percent: Option<&u32>,
    reading: &mut DeserializeContext,
) {
    if let Some(trouble) = trouble {
        let missing = InvalidValue::new("required", "is required with latency and slow_drip");
        let idle = InvalidValue::new("unknown_field", "belongs to latency and slow_drip only: leave it out");
        goes_with(milliseconds, trouble.takes_time(), "milliseconds", [missing, idle], reading);
        let missing = InvalidValue::new("required", "is required with fault");
        let idle = InvalidValue::new("unknown_field", "belongs to fault only: leave it out");
        goes_with(code, *trouble == Fault::Fault, "code", [missing, idle], reading);
    }
    if let Some(Some(code)) = code
        && !(code.len() <= 20 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        reading.at("code", |reading| reading.note(InvalidValue::new("invalid_format", "must be a code of LRS, such as WSEC0099")));
    }
    if let Some(Some(operation)) = operation {
        let elsewhere = InvalidValue::new("unknown_value", "must be an operation of the step's service, or without a service");
        let belongs = |home: Service| if service.copied().flatten().is_none_or(|only| only == home) { Ok(()) } else { Err(elsewhere) };
        if let Err(invalid) = check_operation(operation).and_then(belongs) {
            reading.at("operation", |reading| reading.note(invalid));
        }
    }
    if percent.is_some_and(|percent| !(1..=100).contains(percent)) {
        reading.at("percent", |reading| reading.note(InvalidValue::new("out_of_range", "must be a whole number from 1 to 100")));
    }
}
