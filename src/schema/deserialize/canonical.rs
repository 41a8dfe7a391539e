//! The digest of a JSON value: two texts with the same value have the same digest, whatever their white space, their escapes, the order of their
//! fields and the form of their numbers.
//!
//! The canonical form is written while the value is read. It is that of the current list item only: a list is represented by the digest of its
//! items. So a body of any size needs little memory.
//!
//! ```text
//! text, number, boolean   tag, length of the text, text
//! list                    tag, SHA-256 of the items
//! object                  tag, number of the fields, then each field in the order of the names: length of the name, name, value
//! ```

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// Start of the form. It changes with the form, so that digests of different forms are never equal.
const VERSION: &[u8] = b"json 1\n";
/// Numbers below this are integers without rounding, also in the form `1.0`.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// The canonical form of a value that is being read.
pub struct CanonicalForm {
    form: Vec<u8>,
    /// The fields of the objects that are being read: each name, and the end of its value in `form`.
    fields: Vec<(&'static str, usize)>,
    objects: Vec<OpenObject>,
    lists: Vec<OpenList>,
    sorted: Vec<(&'static str, usize, usize)>,
    ordered: Vec<u8>,
}

/// An object that is being read: the start of its value and of its fields.
struct OpenObject {
    start: usize,
    first_field: usize,
}

/// A list that is being read: the start of its value, and the digest of the items so far.
struct OpenList {
    start: usize,
    items: Context,
}

impl std::fmt::Debug for CanonicalForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[canonical form]")
    }
}

impl CanonicalForm {
    pub fn new() -> Self {
        let form = VERSION.to_vec();
        Self { form, fields: Vec::new(), objects: Vec::new(), lists: Vec::new(), sorted: Vec::new(), ordered: Vec::new() }
    }

    /// Returns the digest of the value.
    pub fn digest(&self) -> Digest {
        aws_lc_rs::digest::digest(&SHA256, &self.form)
    }

    pub fn text(&mut self, text: &str) {
        self.scalar(b's', text.as_bytes());
    }

    pub fn boolean(&mut self, value: bool) {
        self.scalar(b'b', &[u8::from(value)]);
    }

    pub fn integer(&mut self, number: i128) {
        self.scalar(b'i', &number.to_be_bytes());
    }

    /// Adds a number with a fraction or an exponent. An integer in that form is the same as without it.
    pub fn fraction(&mut self, number: f64) {
        if number.fract() == 0.0 && number.abs() < MAX_EXACT_INTEGER {
            #[expect(clippy::cast_possible_truncation, reason = "checked above")]
            self.integer(number as i128);
        } else {
            self.scalar(b'f', &number.to_be_bytes());
        }
    }

    pub fn null(&mut self) {
        self.scalar(b'n', &[]);
    }

    fn scalar(&mut self, tag: u8, bytes: &[u8]) {
        self.form.push(tag);
        append(bytes, &mut self.form);
    }

    pub fn start_object(&mut self) {
        self.objects.push(OpenObject { start: self.form.len(), first_field: self.fields.len() });
    }

    /// Ends the value of a field of the current object.
    pub fn end_field(&mut self, name: &'static str) {
        self.fields.push((name, self.form.len()));
    }

    pub fn end_object(&mut self) {
        let Some(OpenObject { start, first_field }) = self.objects.pop() else { return };
        self.sorted.clear();
        let mut value_start = start;
        for (name, end) in self.fields.drain(first_field..) {
            self.sorted.push((name, value_start, end));
            value_start = end;
        }
        self.sorted.sort_unstable();
        self.ordered.clear();
        self.ordered.push(b'o');
        self.ordered.extend_from_slice(&(self.sorted.len() as u64).to_be_bytes());
        for (name, start, end) in &self.sorted {
            append(name.as_bytes(), &mut self.ordered);
            self.ordered.extend_from_slice(&self.form[*start..*end]);
        }
        self.form.truncate(start);
        self.form.extend_from_slice(&self.ordered);
    }

    pub fn start_list(&mut self) {
        self.lists.push(OpenList { start: self.form.len(), items: Context::new(&SHA256) });
    }

    /// Ends an item of the current list.
    pub fn end_item(&mut self) {
        if let Some(OpenList { start, items }) = self.lists.last_mut() {
            items.update(&self.form[*start..]);
            self.form.truncate(*start);
        }
    }

    pub fn end_list(&mut self) {
        if let Some(OpenList { items, .. }) = self.lists.pop() {
            self.form.push(b'l');
            self.form.extend_from_slice(items.finish().as_ref());
        }
    }
}

/// Appends bytes with their length before them.
fn append(bytes: &[u8], form: &mut Vec<u8>) {
    form.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    form.extend_from_slice(bytes);
}
