//! Validation of a request against a sequence.

use crate::simulator::schema::particle::{Content, Particle, Sequence};
use crate::simulator::schema::simple_type::SimpleType;
use crate::xml::Element;

/// The reason why a request is not valid, worded like a schema validator's message.
///
/// The text quotes the value, as LRS's fault texts do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    element: String,
    text: String,
}

impl Violation {
    /// Returns a violation by this element, with this text.
    pub fn new(element: &str, text: impl Into<String>) -> Self {
        Self { element: element.to_owned(), text: text.into() }
    }

    /// Returns the name of the element at fault.
    pub fn element(&self) -> &str {
        &self.element
    }

    /// Returns the text.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Checks the children of an element against a sequence.
///
/// # Errors
/// Returns the first [`Violation`] in document order.
pub fn validate(element: &Element, sequence: Sequence) -> Result<(), Violation> {
    if !element.text.trim().is_empty() {
        return Err(Violation::new(
            &element.name,
            format!("cvc-complex-type.2.3: Element '{}' cannot have character [children].", element.name),
        ));
    }
    let mut children = element.children.iter().peekable();
    for particle in sequence.particles {
        let mut count = 0;
        while count < particle.max_occurs
            && let Some(child) = children.next_if(|child| child.name == particle.name && child.namespace.as_deref() == sequence.namespace)
        {
            validate_element(child, particle)?;
            count += 1;
        }
        if count < particle.min_occurs {
            return Err(match children.peek() {
                Some(child) => unexpected_element(child),
                None => Violation::new(
                    particle.name,
                    format!(
                        "cvc-complex-type.2.4.b: The content of element '{}' is not complete. '{}' is expected.",
                        element.name, particle.name
                    ),
                ),
            });
        }
    }
    children.next().map_or(Ok(()), |child| Err(unexpected_element(child)))
}

fn unexpected_element(child: &Element) -> Violation {
    Violation::new(&child.name, format!("cvc-complex-type.2.4.a: Invalid content was found starting with element '{}'.", child.name))
}

fn validate_element(element: &Element, particle: &Particle) -> Result<(), Violation> {
    let name = &element.name;
    let violation = |text: String| Err(Violation::new(name, text));
    if element.nil {
        return match (particle.nillable, element.text.is_empty() && element.children.is_empty()) {
            (false, _) => violation(format!("cvc-elt.3.1: Attribute 'nil' must not appear on element '{name}'.")),
            (true, false) => violation(format!("cvc-elt.3.2.1: Element '{name}' must have no content, because it is nil.")),
            (true, true) => Ok(()),
        };
    }
    match &particle.content {
        Content::Elements(sequence) => validate(element, *sequence),
        Content::Text(_) if !element.children.is_empty() => {
            violation(format!("cvc-type.3.1.2: Element '{name}' is a simple type, so it must have no element [children]."))
        }
        Content::Text(simple_type) => check_text(&element.text, simple_type).or_else(violation),
    }
}

/// Checks a text against its type. Returns the reason why it is not valid.
fn check_text(text: &str, simple_type: &SimpleType) -> Result<(), String> {
    let SimpleType { name, min_length, max_length, patterns } = simple_type;
    let length = text.chars().count();
    let problem = if length > *max_length {
        format!("cvc-maxLength-valid: Value '{text}' with length = '{length}' is not facet-valid with respect to maxLength '{max_length}'")
    } else if length < *min_length {
        format!("cvc-minLength-valid: Value '{text}' with length = '{length}' is not facet-valid with respect to minLength '{min_length}'")
    } else if patterns.iter().any(|pattern| pattern.is_match(text)) {
        return Ok(());
    } else {
        format!("cvc-pattern-valid: Value '{text}' is not facet-valid with respect to pattern")
    };
    Err(format!("{problem} for type '{name}'."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::soap::read_body;
    use crate::simulator::schema::learner_service::FIND_BY_ULN;

    fn validate_find_by_uln(children: &str) -> Result<(), Violation> {
        let xml = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><s:Body><R>{children}</R></s:Body></s:Envelope>"
        );
        let element = read_body(&xml, |reader, start| Element::read(reader, start)).expect("well-formed XML");
        validate(&element, FIND_BY_ULN)
    }

    const VALID: &str = "<FindType>FUL</FindType><OrganisationRef xsi:nil='true'/><UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword>\
        <UserName>j.bloggs</UserName><ULN>3000000126</ULN><FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>";

    #[test]
    fn request_that_follows_the_contract_is_valid() {
        assert_eq!(validate_find_by_uln(VALID), Ok(()));
        assert_eq!(validate_find_by_uln(&VALID.replace("<OrganisationRef xsi:nil='true'/>", "")), Ok(()));
        assert_eq!(
            validate_find_by_uln(&VALID.replace("<ULN>3000000126", "<ULN>9999999999")),
            Ok(()),
            "the check digit is not part of the schema"
        );
    }

    #[test]
    fn violation_names_the_type_or_the_element() {
        for (from, to, expected) in [
            ("<GivenName>Ana</GivenName>", "<GivenName></GivenName>", "MIAPNameNonEmpty"),
            ("<GivenName>Ana</GivenName>", "<GivenName>  </GivenName>", "MIAPNameNonEmpty"),
            ("<GivenName>Ana</GivenName>", "", "'GivenName' is expected"),
            ("<GivenName>Ana</GivenName>", "<GivenName xsi:nil='true'/>", "nil"),
            ("3000000126", "300000012", "MIAPULN"),
            ("FUL", "ful", "MIAPFindType"),
            ("<UKPRN>10088881</UKPRN>", "<UKPRN/>", "MIAPUKPRN"),
            ("demo-password-01", "short", "MIAPOrgPassword"),
            ("<FindType>FUL</FindType>", "", "'OrganisationRef'"),
            ("<UserName>j.bloggs</UserName>", "<UserName>j.bloggs</UserName><Extra/>", "'Extra'"),
            ("<ULN>", "<ULN xmlns='urn:x'>", "'ULN'"),
            ("Ana", "<b>Ana</b>", "no element"),
        ] {
            let violation = validate_find_by_uln(&VALID.replacen(from, to, 1)).expect_err(to);
            assert!(violation.text.contains(expected), "{to}: {}", violation.text);
        }
    }
}
