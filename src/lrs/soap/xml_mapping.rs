//! Records and their XML names: one declaration, read and written.

use crate::domain::{BoundedText, EmailAddress, Extensible, FromLrs, Personal, Postcode, ScottishCandidateNumber};
use crate::lrs::soap::read::{StartTag, XmlError, XmlNode, XmlReader};
use crate::lrs::soap::write::{ToXmlText, XmlWriter};
use crate::schema::Scalar;

/// Elements of LRS and the fields they belong to, for documentation.
pub type Fields = &'static [(&'static str, &'static str)];

/// Something that has elements of its own.
pub trait XmlRecord: Sized {
    /// Its elements and the fields they become.
    const FIELDS: Fields;

    /// Reads the content of the element that has begun, to its end. Elements nobody knows are passed over.
    ///
    /// # Errors
    /// [`Unreadable`], naming the element.
    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError>;

    /// Writes the content, without the element itself.
    fn write(&self, writer: &mut XmlWriter);
}

/// A value read from one element's text.
pub trait FromXmlText: ToXmlText + Sized {
    /// Is a text of white space a value? For dates, codes and numbers it is none.
    const MAY_BE_BLANK: bool = false;

    /// Reads LRS's text; `None` when it cannot be this.
    fn from_xml_text(text: &str) -> Option<Self>;
}

impl FromXmlText for String {
    const MAY_BE_BLANK: bool = true;

    fn from_xml_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<T: FromXmlText> FromXmlText for Personal<T> {
    const MAY_BE_BLANK: bool = T::MAY_BE_BLANK;

    fn from_xml_text(text: &str) -> Option<Self> {
        T::from_xml_text(text).map(Self::new)
    }
}

/// Values with rules are read strictly: they stand in requests, which the simulator reads.
macro_rules! strict {
    ($([$($g:tt)*] $t:ty),*) => {$(
        impl<$($g)*> FromXmlText for $t {
            const MAY_BE_BLANK: bool = true;

            fn from_xml_text(text: &str) -> Option<Self> {
                <$t as Scalar>::parse(text).ok()
            }
        }
    )*};
}
strict!([const MIN: usize, const MAX: usize] BoundedText<MIN, MAX>, [] Postcode, [] EmailAddress, [] ScottishCandidateNumber);

/// So are those that LRS spells in its own way.
impl<T: FromLrs> FromXmlText for T {
    fn from_xml_text(text: &str) -> Option<Self> {
        T::from_lrs(text)
    }
}

impl FromXmlText for i64 {
    fn from_xml_text(text: &str) -> Option<Self> {
        text.trim_ascii().parse().ok()
    }
}

impl FromXmlText for i32 {
    fn from_xml_text(text: &str) -> Option<Self> {
        text.trim_ascii().parse().ok()
    }
}

impl<T: FromLrs> FromXmlText for Extensible<T> {
    fn from_xml_text(text: &str) -> Option<Self> {
        Some(Self::from_lrs(text))
    }
}

/// A field of a record: how often its element may stand, and what it is when it does not.
pub trait XmlField: Sized {
    /// Takes one more element into the field.
    ///
    /// # Errors
    /// [`Unreadable::Repeated`] or [`Unreadable::Value`], naming the element.
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, name: &'static str) -> Result<(), XmlError>;

    /// The field without an element.
    ///
    /// # Errors
    /// [`Unreadable::Missing`] when there must be one.
    fn absent(name: &'static str) -> Result<Self, XmlError>;

    /// Writes the field's element or elements.
    fn put(&self, writer: &mut XmlWriter, name: &'static str);
}

impl<T: FromXmlText> XmlField for T {
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, _: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        if slot.is_some() {
            return Err(XmlError::Repeated(name));
        }
        let text = reader.text()?;
        if text.trim_ascii().is_empty() {
            return Err(XmlError::Missing(name));
        }
        *slot = Some(T::from_xml_text(&text).ok_or(XmlError::Value(name))?);
        Ok(())
    }

    fn absent(name: &'static str) -> Result<Self, XmlError> {
        Err(XmlError::Missing(name))
    }

    fn put(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.value(name, self);
    }
}

/// Nil and empty elements are the same as none: LRS writes `<Notes/>` where there are no notes (FACTS 2.2).
impl<T: FromXmlText> XmlField for Option<T> {
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        if slot.is_some() {
            return Err(XmlError::Repeated(name));
        }
        if start.nil {
            *slot = Some(None);
            return reader.skip();
        }
        let text = reader.text()?;
        let nothing = text.is_empty() || (!T::MAY_BE_BLANK && text.trim_ascii().is_empty());
        let value = if nothing { None } else { Some(T::from_xml_text(&text).ok_or(XmlError::Value(name))?) };
        *slot = Some(value);
        Ok(())
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(None)
    }

    fn put(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.optional(name, self.as_ref());
    }
}

impl<T: XmlRecord> XmlField for Vec<T> {
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, _: &'static str) -> Result<(), XmlError> {
        let list = slot.get_or_insert_default();
        if start.nil { reader.skip() } else { T::read(reader).map(|item| list.push(item)) }
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(Self::new())
    }

    fn put(&self, writer: &mut XmlWriter, name: &'static str) {
        for item in self {
            writer.element(name, "", |writer| item.write(writer));
        }
    }
}

/// A list inside a wrapper element: `<LinkedULNs><ULN>…</ULN></LinkedULNs>`.
///
/// # Errors
/// [`Unreadable::Repeated`] or [`Unreadable::Value`], naming the element.
pub fn take_list<T: FromXmlText>(
    slot: &mut Option<Vec<T>>,
    reader: &mut XmlReader<'_>,
    start: &StartTag<'_>,
    (wrapper, item): (&'static str, &'static str),
) -> Result<(), XmlError> {
    if slot.is_some() {
        return Err(XmlError::Repeated(wrapper));
    }
    let list = slot.get_or_insert_default();
    if start.nil {
        return reader.skip();
    }
    while let XmlNode::Element(start) = reader.next_node()? {
        if start.name() == item && !start.nil {
            let text = reader.text()?;
            if !text.trim_ascii().is_empty() {
                list.push(T::from_xml_text(&text).ok_or(XmlError::Value(item))?);
            }
        } else {
            reader.skip()?;
        }
    }
    Ok(())
}

/// A record within a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped<T>(pub T);

impl<T> std::ops::Deref for Wrapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// It must be there.
impl<T: XmlRecord> XmlField for Wrapped<T> {
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, _: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        if slot.is_some() {
            return Err(XmlError::Repeated(name));
        }
        *slot = Some(Self(T::read(reader)?));
        Ok(())
    }

    fn absent(name: &'static str) -> Result<Self, XmlError> {
        Err(XmlError::Missing(name))
    }

    fn put(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.element(name, "", |writer| self.0.write(writer));
    }
}

/// Or it need not.
impl<T: XmlRecord> XmlField for Option<Wrapped<T>> {
    fn take(slot: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        if slot.is_some() {
            return Err(XmlError::Repeated(name));
        }
        *slot = Some(if start.nil { reader.skip().map(|()| None)? } else { Some(Wrapped(T::read(reader)?)) });
        Ok(())
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(None)
    }

    fn put(&self, writer: &mut XmlWriter, name: &'static str) {
        if let Some(record) = self {
            record.put(writer, name);
        }
    }
}

/// Gives a record its XML names, in the order of the contract. `in "a:"` writes them with that prefix.
///
/// `field: "Name"` is one element, none, or several, by the field's type; with `nil` an absent value is written as
/// `xsi:nil`; `field: "Wrapper" > "Item" (attributes, attributes)` is a list of values in a wrapper that is always written.
macro_rules! wire {
    ($name:ty { $($fields:tt)* }) => { $crate::lrs::soap::xml_mapping::wire!(@record $name, "", { $($fields)* }); };
    ($name:ty, in $prefix:literal { $($fields:tt)* }) => { $crate::lrs::soap::xml_mapping::wire!(@record $name, $prefix, { $($fields)* }); };
    (@record $name:ty, $prefix:literal, {
        $($field:ident : $element:literal $($nil:ident)? $(> $item:literal ($attributes:expr, $item_attributes:expr))?),* $(,)?
    }) => {
        impl $crate::lrs::soap::xml_mapping::XmlRecord for $name {
            const FIELDS: $crate::lrs::soap::xml_mapping::Fields = &[$(($element, stringify!($field))),*];

            fn read(reader: &mut $crate::lrs::soap::read::XmlReader<'_>) -> Result<Self, $crate::lrs::soap::read::XmlError> {
                use $crate::lrs::soap::read::XmlNode;
                use $crate::lrs::soap::xml_mapping::XmlField;
                $(let mut $field = None;)*
                while let XmlNode::Element(start) = reader.next_node()? {
                    match start.name() {
                        $($element => $crate::lrs::soap::xml_mapping::wire!(@take $field, reader, start, $element $(, $item)?)?,)*
                        _ => reader.skip()?,
                    }
                }
                Ok(Self { $($field: match $field {
                    Some(value) => value,
                    None => $crate::lrs::soap::xml_mapping::wire!(@absent $element $(, $item)?),
                },)* })
            }

            fn write(&self, writer: &mut $crate::lrs::soap::write::XmlWriter) {
                use $crate::lrs::soap::xml_mapping::XmlField;
                $($crate::lrs::soap::xml_mapping::wire!(
                    @put self.$field, writer, concat!($prefix, $element) $(, $nil)? $(, $item, $attributes, $item_attributes)?
                );)*
            }
        }
    };
    (@take $field:ident, $reader:ident, $start:ident, $element:literal) => {
        XmlField::take(&mut $field, $reader, &$start, $element)
    };
    (@take $field:ident, $reader:ident, $start:ident, $element:literal, $item:literal) => {
        $crate::lrs::soap::xml_mapping::take_list(&mut $field, $reader, &$start, ($element, $item))
    };
    (@absent $element:literal) => { XmlField::absent($element)? };
    (@absent $element:literal, $item:literal) => { Vec::new() };
    (@put $value:expr, $writer:ident, $element:expr) => { XmlField::put(&$value, $writer, $element) };
    (@put $value:expr, $writer:ident, $element:expr, nil) => { $writer.nillable($element, $value.as_ref()) };
    (@put $value:expr, $writer:ident, $element:expr, $item:literal, $attributes:expr, $item_attributes:expr) => {
        $writer.element($element, $attributes, |writer| {
            for item in &$value {
                writer.element($item, $item_attributes, |writer| {
                    writer.text(&$crate::lrs::soap::write::ToXmlText::to_xml_text(item));
                });
            }
        })
    };
}
pub(crate) use wire;

/// Writes an operation's request: the elements before the credentials, then those, then the others. The part of an
/// [`Operation`](crate::lrs::Operation) that says so.
macro_rules! elements {
    ([$($before:ident : $before_element:literal),* $(,)?] $credentials:path, [$($field:ident : $element:literal $($nil:ident)?),* $(,)?]) => {
        const FIELDS: $crate::lrs::soap::xml_mapping::Fields =
            &[$(($before_element, stringify!($before)),)* $(($element, stringify!($field))),*];

        fn write(&self, context: &$crate::lrs::MessageContext<'_>, writer: &mut $crate::lrs::soap::write::XmlWriter) {
            use $crate::lrs::soap::xml_mapping::XmlField;
            $(XmlField::put(&self.$before, writer, $before_element);)*
            $credentials(context, writer);
            $($crate::lrs::soap::xml_mapping::wire!(@put self.$field, writer, $element $(, $nil)?);)*
        }
    };
}
pub(crate) use elements;
