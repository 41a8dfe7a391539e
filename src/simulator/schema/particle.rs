//! Sequences of elements, the content model of every request message.

use std::sync::LazyLock;

use crate::simulator::schema::simple_type::SimpleType;

/// A sequence of elements, and the namespace of its elements.
#[derive(Clone, Copy)]
pub struct Sequence {
    pub(super) namespace: Option<&'static str>,
    pub(super) particles: &'static [Particle],
}

/// One element declaration of a sequence.
pub struct Particle {
    pub(super) name: &'static str,
    pub(super) content: Content,
    pub(super) min_occurs: usize,
    pub(super) max_occurs: usize,
    pub(super) nillable: bool,
}

/// The content of an element.
pub(super) enum Content {
    Text(&'static LazyLock<SimpleType>),
    Elements(Sequence),
}

/// Declares an element that occurs once.
pub(super) const fn required(name: &'static str, simple_type: &'static LazyLock<SimpleType>) -> Particle {
    Particle { name, content: Content::Text(simple_type), min_occurs: 1, max_occurs: 1, nillable: false }
}

/// Declares an element that occurs once or is absent.
pub(super) const fn optional(name: &'static str, simple_type: &'static LazyLock<SimpleType>) -> Particle {
    Particle { min_occurs: 0, ..required(name, simple_type) }
}

/// Declares an element that has a value, is nil or is absent.
pub(super) const fn optional_nillable(name: &'static str, simple_type: &'static LazyLock<SimpleType>) -> Particle {
    Particle { nillable: true, ..optional(name, simple_type) }
}

/// Declares an element that occurs once and contains a sequence.
pub(super) const fn nested(name: &'static str, namespace: Option<&'static str>, particles: &'static [Particle]) -> Particle {
    Particle { name, content: Content::Elements(Sequence { namespace, particles }), min_occurs: 1, max_occurs: 1, nillable: false }
}
