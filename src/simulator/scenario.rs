//! Scenarios: the faults to inject, as scenario files and the control endpoints describe them.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserializer, Serialize};

use crate::lrs::Service;
use crate::schema::deserialize::{DeserializeContext, FromDocument};
use crate::schema::{InvalidValue, Settings};
use crate::simulator::fault::Fault;
use crate::simulator::operations::service_of;

/// Maximum length of an LRS code in bytes.
const MAX_CODE_BYTES: usize = 20;

/// A scenario. A request meets the first step that applies to it.
#[derive(Debug, Clone, Settings)]
pub struct Scenario {
    /// The steps.
    pub steps: Vec<FaultStep>,
}

/// One step of a scenario: a fault, and the requests that it applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Settings)]
#[setting(validate = validate_step(fault, milliseconds, code, operation, service))]
#[serde(rename_all = "camelCase")]
pub struct FaultStep {
    /// The fault.
    pub fault: Fault,
    /// The delay of the response (`latency`), or of each of its bytes (`slow_drip`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// The code of a `soap_fault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Limits the step to requests with this element in their body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Limits the step to requests to this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Limits the number of requests. Without a count, the step applies until another scenario replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<NonZeroUsize>,
    /// The percentage of requests that the step applies to, chosen at random.
    #[setting(default = 100, range = 1..=100)]
    pub percent: u32,
}

impl FaultStep {
    /// Returns a step that applies to all requests.
    pub const fn new(fault: Fault) -> Self {
        Self { fault, milliseconds: None, code: None, operation: None, service: None, count: None, percent: 100 }
    }

    /// Limits the step to requests with this element.
    #[must_use]
    pub fn for_operation(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// Limits the number of requests. With 0, the number is not limited.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self { count: NonZeroUsize::new(count), ..self }
    }

    /// Sets the delay of the response, or of each of its bytes.
    #[must_use]
    pub fn with_milliseconds(self, milliseconds: u64) -> Self {
        Self { milliseconds: Some(milliseconds), ..self }
    }

    /// Returns the delay of the first byte of the response.
    pub(super) fn added_latency(&self) -> Duration {
        if self.fault == Fault::Latency { self.delay() } else { Duration::ZERO }
    }

    /// Returns the delay of the response, or of each of its bytes.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.milliseconds.unwrap_or_default())
    }

    /// Returns `true` if the step applies to requests to this service with this element. The element of an unreadable request is empty.
    pub fn applies_to(&self, service: Service, element: &str) -> bool {
        self.service.is_none_or(|only| only == service) && self.operation.as_deref().is_none_or(|only| only == element)
    }
}

impl FromDocument for NonZeroUsize {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let Some(number) = usize::read(input, context)? else { return Ok(None) };
        let number = Self::new(number);
        if number.is_none() {
            context.add_error(InvalidValue::new("out_of_range", "must be 1 or more"));
        }
        Ok(number)
    }
}

fn validate_step(
    fault: Option<&Fault>,
    milliseconds: Option<&Option<u64>>,
    code: Option<&Option<String>>,
    operation: Option<&Option<String>>,
    service: Option<&Option<Service>>,
    context: &mut DeserializeContext,
) {
    if let Some(fault) = fault {
        let errors = FieldOfFault {
            missing: InvalidValue::new("required", "is required with latency and slow_drip"),
            unused: InvalidValue::new("unknown_field", "is allowed with latency and slow_drip only: remove it"),
        };
        errors.check("milliseconds", milliseconds, fault.has_delay(), context);
        let errors = FieldOfFault {
            missing: InvalidValue::new("required", "is required with soap_fault"),
            unused: InvalidValue::new("unknown_field", "is allowed with soap_fault only: remove it"),
        };
        errors.check("code", code, *fault == Fault::SoapFault, context);
    }
    if let Some(Some(code)) = code
        && !is_lrs_code(code)
    {
        let invalid = InvalidValue::new("invalid_format", "must be a code of letters and digits, such as WSEC0099");
        context.add_error_at("code", invalid);
    }
    if let Some(Some(operation)) = operation
        && let Err(invalid) = check_operation(operation, service.copied().flatten())
    {
        context.add_error_at("operation", invalid);
    }
}

/// The errors of a field that some faults require and the others do not allow.
struct FieldOfFault {
    missing: InvalidValue,
    unused: InvalidValue,
}

impl FieldOfFault {
    fn check<T>(self, field: &'static str, value: Option<&Option<T>>, is_required: bool, context: &mut DeserializeContext) {
        let invalid = match value {
            Some(None) if is_required => self.missing,
            Some(Some(_)) if !is_required => self.unused,
            _ => return,
        };
        context.add_error_at(field, invalid);
    }
}

fn is_lrs_code(text: &str) -> bool {
    text.len() <= MAX_CODE_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn check_operation(operation: &str, service: Option<Service>) -> Result<(), InvalidValue> {
    let operation_service = service_of(operation)?;
    if service.is_none_or(|service| service == operation_service) {
        Ok(())
    } else {
        Err(InvalidValue::new("unknown_value", "must be an operation of the step's service: change one of the two or remove service"))
    }
}
