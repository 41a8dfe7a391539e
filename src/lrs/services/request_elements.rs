//! The macro that writes an operation's request.

/// Implements `FIELDS` and `write` of an [`Operation`](crate::lrs::Operation): the elements before the credentials, the function that
/// writes the credentials, and the elements after them.
macro_rules! request_elements {
    ([$($before:ident : $before_element:literal),* $(,)?] $credentials:path, [$($field:ident : $element:literal $($nil:ident)?),* $(,)?]) => {
        const FIELDS: $crate::lrs::soap::xml_mapping::FieldMapping =
            &[$(($before_element, stringify!($before)),)* $(($element, stringify!($field))),*];

        fn write(&self, context: &$crate::lrs::operation::MessageContext<'_>, writer: &mut $crate::lrs::soap::write::XmlWriter) {
            use $crate::lrs::soap::xml_mapping::XmlField;
            $(XmlField::write_elements(&self.$before, writer, $before_element);)*
            $credentials(context, writer);
            $($crate::lrs::soap::xml_mapping::xml_record!(@write self.$field, writer, $element $(, $nil)?);)*
        }
    };
}
pub(super) use request_elements;
