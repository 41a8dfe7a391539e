//! The outline of a document: its objects and the names of their fields.

/// The names of an object's fields in JSON and in settings.
#[derive(Debug, Clone, Copy)]
pub struct FieldNames {
    /// `givenName`.
    pub json: &'static [&'static str],
    /// `given_name`.
    pub settings: &'static [&'static str],
}

/// An object of a document.
#[derive(Debug)]
pub(super) struct Object {
    /// The place of the object: the names of the fields around it, and `*` for each item of a list.
    pub place: Vec<&'static str>,
    pub names: &'static [&'static str],
}

/// The objects of a document, as its types declare them. It is built only to explain an error.
#[derive(Debug)]
pub struct Outline {
    is_json: bool,
    place: Vec<&'static str>,
    objects: Vec<Object>,
}

impl Outline {
    /// Returns the objects that a type's function adds.
    pub(super) fn objects(add: fn(&mut Self), is_json: bool) -> Vec<Object> {
        let mut outline = Self { is_json, place: Vec::new(), objects: Vec::new() };
        add(&mut outline);
        outline.objects
    }

    /// Adds an object, and those that are the values of its fields. `fields` has a function for each field.
    pub fn add_object(&mut self, names: FieldNames, fields: &[fn(&mut Self)]) {
        let names = if self.is_json { names.json } else { names.settings };
        self.objects.push(Object { place: self.place.clone(), names });
        for (name, add) in names.iter().zip(fields) {
            self.descend(name, *add);
        }
    }

    /// Adds the objects that are items of a list.
    pub fn add_items(&mut self, add: fn(&mut Self)) {
        self.descend("*", add);
    }

    fn descend(&mut self, name: &'static str, add: fn(&mut Self)) {
        self.place.push(name);
        add(self);
        self.place.pop();
    }
}
