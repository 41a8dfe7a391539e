//! Log lines as JSON: `{"timestamp", "level", the event's fields, "target", "span": {the fields of the current span, "name"}}`.
//!
//! A span's fields are written once, as JSON text that every line of the span repeats.

use std::fmt::Debug;
use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::observability::json_line::{write_member, write_text, write_text_member};
use crate::observability::line_queue::with_line_buffer;

/// The layer that makes a line of each event, and gives it to the function.
#[derive(Debug)]
pub struct LogLines<F>(F);

/// The fields of a span as members of a JSON object, each with a comma after it.
struct SpanFields(Vec<u8>);

impl<F: Fn(&[u8]) + 'static> LogLines<F> {
    /// Creates a layer that gives each line to this function.
    pub const fn new(write: F) -> Self {
        Self(write)
    }
}

impl<S, F> Layer<S> for LogLines<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    F: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Vec::new();
            attributes.record(&mut Members(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            values.record(&mut Members(fields));
            remove_replaced(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        with_line_buffer(|line| {
            let metadata = event.metadata();
            let _ = write!(line, "{{\"timestamp\":\"{:.6}\",\"level\":\"{}\",", Timestamp::now(), metadata.level());
            event.record(&mut Members(line));
            line.extend_from_slice(b"\"target\":");
            write_text(line, metadata.target());
            if let Some(span) = context.event_span(event) {
                line.extend_from_slice(b",\"span\":{");
                if let Some(SpanFields(fields)) = span.extensions().get() {
                    line.extend_from_slice(fields);
                }
                line.extend_from_slice(b"\"name\":");
                write_text(line, span.name());
                line.push(b'}');
            }
            line.extend_from_slice(b"}\n");
            self.0(line);
        });
    }
}

/// Removes each member that a later one of the same name replaces. A span's fields are rarely recorded after its start.
fn remove_replaced(members: &mut Vec<u8>) {
    let object = [b"{", members.strip_suffix(b",").unwrap_or_default(), b"}"].concat();
    if let Ok(unique) = serde_json::from_slice::<Map<String, Value>>(&object) {
        members.clear();
        for (name, value) in unique {
            write_member(members, &name, &value);
        }
    }
}

/// Writes fields as members of a JSON object, each with a comma after it.
struct Members<'b>(&'b mut Vec<u8>);

/// Returns the name of a field in a line. A field whose name is a keyword is written `r#type` in the source.
fn name(field: &Field) -> &'static str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        write_member(self.0, name(field), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        write_member(self.0, name(field), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        write_member(self.0, name(field), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        write_member(self.0, name(field), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write_text_member(self.0, name(field), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write_member(self.0, name(field), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;
    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// Returns the lines, without the time of each.
        fn read(&self) -> Vec<Map<String, Value>> {
            let text = String::from_utf8(self.0.lock().clone()).expect("UTF-8");
            let read = |line: &str| {
                let mut line: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let time = line.remove("timestamp").expect("a time");
                let time = time.as_str().expect("a text");
                assert!(time.parse::<Timestamp>().is_ok() && time.len() == "2026-09-01T08:15:30.250000Z".len(), "{time}");
                line
            };
            text.lines().map(read).collect()
        }
    }

    /// Returns the lines of what the action logs. They have the values that the JSON format of `tracing-subscriber` has.
    fn lines_of(action: impl FnOnce()) -> Vec<Map<String, Value>> {
        let (lines, expected) = (Lines::default(), Lines::default());
        let (own, writer) = (lines.clone(), expected.clone());
        let reference = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
        let reference = reference.with_writer(move || writer.clone());
        let subscriber =
            tracing_subscriber::registry().with(LogLines::new(move |line: &[u8]| own.0.lock().extend_from_slice(line))).with(reference);
        tracing::subscriber::with_default(subscriber, action);
        assert_eq!(lines.read(), expected.read());
        lines.read()
    }

    #[test]
    fn log_line_has_each_kind_of_value() {
        let error = io::Error::other("not \"found\"");
        let lines = lines_of(|| {
            tracing::info!(yes = true, small = -1_i8, least = i64::MIN, greatest = u64::MAX, wide = u128::MAX, "numbers");
            tracing::info!(tenth = 0.1, whole = 2.0_f32, not_a_number = f64::NAN, infinite = f64::NEG_INFINITY, "floats");
            tracing::warn!(text = "a\t\"b\"\\\u{1}\u{7f}\u{2028}\u{1f600}", empty = "", debug = ?Some("\"\n"), display = %'\n', "texts\n{}", 1);
            tracing::error!(
                error = &error as &dyn std::error::Error,
                missing = None::<&str>,
                present = Some(7),
                r#type = "keyword",
                "rest"
            );
            tracing::error!(target: "a target \"of\" its own", r#match = ?(), "dotted.name" = 1, later = Empty);
        });
        assert_eq!(lines.len(), 5);
        assert_eq!((&lines[1]["not_a_number"], &lines[3]["error"]), (&Value::Null, &Value::from("not \"found\"")));
        assert_eq!((&lines[3]["type"], lines[3].get("missing")), (&Value::from("keyword"), None));
    }

    #[test]
    fn log_line_has_the_current_span_and_its_latest_values() {
        let lines = lines_of(|| {
            let outer = tracing::info_span!("outer", id = "\"1\"", number = 5, ratio = 0.5, later = Empty, trace_id = Some("old"));
            let inner = tracing::info_span!(parent: &outer, "inner \"span\"");
            tracing::info!("no span");
            outer.in_scope(|| {
                tracing::info!("outer");
                inner.in_scope(|| tracing::info!("inner"));
                outer.record("trace_id", "new\n").record("later", tracing::field::display("\"last\""));
                inner.record("undeclared", 1);
                tracing::info!("outer again");
            });
            tracing::info!(parent: &inner, "inner again");
            tracing::info_span!("without fields").in_scope(|| tracing::info!(span = "a field of this name", "last"));
        });
        assert_eq!(lines[3]["span"]["trace_id"], "new\n");
        assert_eq!((&lines[2]["span"]["name"], lines[0].get("span")), (&Value::from("inner \"span\""), None));
    }

    proptest! {
        #[test]
        fn log_line_with_any_text_is_one_line_of_json(text in any::<String>(), number in any::<i64>()) {
            let lines = lines_of(|| {
                let span = tracing::info_span!("request", text, number);
                span.in_scope(|| tracing::info!(text, number, debug = ?text, "{text}"));
                span.record("number", text.as_str());
                span.in_scope(|| tracing::info!(target: "t", "{text}"));
            });
            prop_assert_eq!(lines.len(), 2);
            prop_assert_eq!(&lines[1]["span"]["number"], &Value::from(text.as_str()));
        }
    }
}
