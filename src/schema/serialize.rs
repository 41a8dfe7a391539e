//! Records as JSON objects.

use serde::Serialize;
use serde_json::{Map, Value};

/// Returns the record's JSON object; `None` if the record does not serialise to an object.
pub fn json_object(record: &impl Serialize) -> Option<Map<String, Value>> {
    match serde_json::to_value(record) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}
