//! The differences between a search by demographics and a candidate.

use std::borrow::Cow;

use crate::domain::{BoundedText, DemographicSearch, Learner, Personal, SearchedField, look_alike};
use crate::schema::Scalar;

impl DemographicSearch {
    /// Returns the searched fields whose values differ from those of a record, or that the record lacks.
    ///
    /// Case, the kind of apostrophes and hyphens, unusual and repeated spaces, and the space of a postcode make no difference. Accents do:
    /// whether LRS regards them as equal is not public, and a person decides.
    pub fn differences(&self, candidate: &Learner) -> Vec<SearchedField> {
        let text_differs = |searched: &str, held: &[&Option<Personal<String>>]| {
            let searched = comparable(searched);
            !searched.is_empty() && !held.iter().filter_map(|held| held.as_ref()).any(|held| comparable(held.reveal()) == searched)
        };
        let optional_differs = |searched: Option<&str>, held| text_differs(searched.unwrap_or_default(), &[held]);
        let post_code_differs = {
            let held = candidate.last_known_post_code.as_ref().map(|held| compact(held.reveal()));
            held.as_deref() != Some(&compact(self.last_known_post_code.as_str()))
        };
        let known_date = candidate.date_of_birth.as_ref().and_then(|date| date.known());
        let known_gender = candidate.gender.as_ref().and_then(|gender| gender.known());
        let previous_family_name = self.previous_family_name.as_ref().map(BoundedText::as_str);
        let school = self.school_at_age16.as_ref().map(BoundedText::as_str);
        let place = self.place_of_birth.as_ref().map(BoundedText::as_str);
        let email = self.email_address.as_ref().map(Scalar::text);
        let differs = [
            (SearchedField::GivenName, text_differs(self.given_name.as_str(), &[&candidate.given_name, &candidate.preferred_given_name])),
            (SearchedField::FamilyName, text_differs(self.family_name.as_str(), &[&candidate.family_name])),
            (SearchedField::DateOfBirth, known_date != Some(&self.date_of_birth)),
            (SearchedField::Gender, known_gender != Some(&self.gender)),
            (SearchedField::LastKnownPostCode, post_code_differs),
            (SearchedField::PreviousFamilyName, optional_differs(previous_family_name, &candidate.previous_family_name)),
            (SearchedField::SchoolAtAge16, optional_differs(school, &candidate.school_at_age16)),
            (SearchedField::PlaceOfBirth, optional_differs(place, &candidate.place_of_birth)),
            (SearchedField::EmailAddress, optional_differs(email.as_deref(), &candidate.email_address)),
        ];
        differs.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
    }
}

fn comparable(text: &str) -> String {
    look_alike::plain(text).trim().to_lowercase()
}

/// Returns a postcode in capitals and without spaces.
fn compact(post_code: &str) -> String {
    let characters: Cow<'_, str> = look_alike::plain(post_code);
    characters.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::CodeList as _;
    use crate::schema::deserialize::from_json;
    use crate::xml::{XmlRecord as _, XmlWriter};

    fn search(fields: &str) -> DemographicSearch {
        let required =
            r#""givenName":"Zoë","familyName":"O'Neill Rees","dateOfBirth":"2004-02-29","gender":"FEMALE","lastKnownPostCode":"ZZ1 1AA""#;
        from_json(format!("{{{required}{fields}}}").as_bytes()).expect("a valid search")
    }

    /// Returns the words of the differences from a record with this XML in place of the element with the same name.
    fn differences(fields: &str, xml: &'static [(&'static str, &'static str)]) -> Vec<&'static str> {
        let same = [
            ("ULN", "3000000126"),
            ("GivenName", "Zoë"),
            ("FamilyName", "O'Neill Rees"),
            ("LastKnownPostCode", "ZZ1 1AA"),
            ("DateOfBirth", "2004-02-29"),
            ("Gender", "2"),
        ];
        let candidate = Learner::read_written(|writer: &mut XmlWriter| {
            writer.element("Learner", "", |writer| {
                let unchanged = same.iter().filter(|(name, _)| xml.iter().all(|(other, _)| other != name));
                unchanged.chain(xml).for_each(|(name, text)| writer.value(name, *text));
            });
        });
        let fields = search(fields).differences(&candidate.expect("a record"));
        fields.into_iter().map(SearchedField::word).collect()
    }

    #[test]
    fn candidate_that_looks_the_same_has_no_differences() {
        for xml in [
            &[][..],
            &[("GivenName", "ZOË "), ("FamilyName", "o\u{2019}neill  REES")],
            &[("GivenName", "Zoe\u{308}"), ("LastKnownPostCode", "zz11aa")],
            &[("GivenName", "Zo"), ("PreferredGivenName", "Zoë")],
            &[("FamilyName", "O`Neill\u{A0}Rees"), ("LastKnownPostCode", "ZZ1  1AA  ")],
        ] {
            assert_eq!(differences("", xml), [""; 0], "{xml:?}");
        }
        assert_eq!(differences(r#","previousFamilyName":"","emailAddress":"""#, &[("EmailAddress", "zoe@example.com")]), [""; 0]);
    }

    #[test]
    fn candidate_with_other_missing_or_undocumented_values_has_differences() {
        assert_eq!(differences("", &[("GivenName", "Zoe")]), ["givenName"]);
        assert_eq!(differences("", &[("FamilyName", "O'Neill-Rees")]), ["familyName"]);
        assert_eq!(differences("", &[("DateOfBirth", "29/02/2004"), ("Gender", "7")]), ["dateOfBirth", "gender"]);
        assert_eq!(differences("", &[("DateOfBirth", ""), ("LastKnownPostCode", "")]), ["dateOfBirth", "lastKnownPostCode"]);
        let optional = r#","previousFamilyName":"Rees","schoolAtAge16":"A","placeOfBirth":"B","emailAddress":"zoe@example.com""#;
        assert_eq!(differences(optional, &[]), ["previousFamilyName", "schoolAtAge16", "placeOfBirth", "emailAddress"]);
        assert_eq!(
            differences(
                optional,
                &[("PreviousFamilyName", "REES"), ("SchoolAtAge16", "a"), ("PlaceOfBirth", "b "), ("EmailAddress", "ZOE@example.com")]
            ),
            [""; 0]
        );
    }
}
