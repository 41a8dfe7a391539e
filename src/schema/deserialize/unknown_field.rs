//! The explanation of an unknown field: which field may be meant, or where it belongs.
//!
//! Callers also write personal data into keys, so an explanation has only names that the gateway declares.

use std::fmt::Write as _;

use super::outline::Object;

/// Maximum length in bytes of a key that is compared with the names of fields.
const MAX_COMPARED_BYTES: usize = 64;
/// Minimum length in letters of a key that may be a part of a name.
const MIN_PART_LENGTH: usize = 6;
/// Maximum number of names that are listed.
const MAX_LISTED_NAMES: usize = 8;

/// Explains an unknown key of an object with these fields; `objects` returns all objects of the document, and is called only if they are needed.
pub(super) fn explain<'o>(key: &str, own: &[&'static str], objects: impl FnOnce() -> &'o [Object], is_json: bool) -> String {
    let compared = if key.len() <= MAX_COMPARED_BYTES { plain(key) } else { String::new() };
    if compared.is_empty() {
        return list(own);
    }
    let is_equal = |name: &&&'static str| plain(name) == compared;
    if let Some(name) = own.iter().find(is_equal) {
        return format!("unknown field; did you mean `{name}`?");
    }
    let others: Vec<&Object> = objects().iter().filter(|object| object.names != own).collect();
    if let Some((object, name)) = others.iter().find_map(|object| Some((object, object.names.iter().find(is_equal)?))) {
        let place = place(object, is_json);
        return if *name == key {
            format!("unknown field; it belongs in {place}: move it there")
        } else {
            format!("unknown field; did you mean `{name}`, which belongs in {place}?")
        };
    }
    if let Some(name) = nearest(&compared, own) {
        return format!("unknown field; did you mean `{name}`?");
    }
    if let Some((object, name)) = others.iter().find_map(|object| Some((object, nearest(&compared, object.names)?))) {
        return format!("unknown field; did you mean `{name}`, which belongs in {}?", place(object, is_json));
    }
    list(own)
}

/// Returns the letters and digits of a name in lower case: `MISIdentifier`, `mis_identifier` and `misIdentifier` are equal then.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Returns the name with the fewest other letters; otherwise the only name that has the key as a part.
fn nearest(key: &str, names: &[&'static str]) -> Option<&'static str> {
    let max_distance = match key.len() {
        ..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    // A distance is at least the difference of the lengths.
    let distance = |name: &str| (name.len().abs_diff(key.len()) <= max_distance).then(|| strsim::osa_distance(key, name));
    let distances = names.iter().filter_map(|name| Some((distance(&plain(name))?, *name)));
    let similar = distances.filter(|(distance, _)| *distance <= max_distance).min_by_key(|(distance, _)| *distance);
    let contains_key = || {
        let mut containing = names.iter().filter(|name| plain(name).contains(key));
        containing.next().filter(|_| key.len() >= MIN_PART_LENGTH && containing.next().is_none())
    };
    similar.map(|(_, name)| name).or_else(|| contains_key().copied())
}

/// Names the place of an object.
fn place(object: &Object, is_json: bool) -> String {
    let (items, place) = match object.place.split_last() {
        None if is_json => return "the outermost object".to_owned(),
        None => return "the top of the file".to_owned(),
        Some((&"*", list)) => ("each item of ", list),
        Some(_) => ("", &object.place[..]),
    };
    if is_json { format!("{items}`/{}`", place.join("/")) } else { format!("{items}`{}`", place.join(".")) }
}

/// Lists the names that are allowed.
fn list(names: &[&'static str]) -> String {
    let mut text = "unknown field; remove it, or use one of the fields that are allowed here: ".to_owned();
    if names.is_empty() {
        return "unknown field; remove it: no field is allowed here".to_owned();
    }
    for (position, name) in names.iter().take(MAX_LISTED_NAMES).enumerate() {
        let _ = write!(text, "{}`{name}`", if position == 0 { "" } else { ", " });
    }
    match names.len().saturating_sub(MAX_LISTED_NAMES) {
        0 => text,
        more => text + &format!(" and {more} more"),
    }
}
