//! The invented learner of the OpenAPI document.

/// The examples of a learner's fields, by their names in JSON. Records of one learner share them, so that their examples fit together.
pub const EXAMPLE_LEARNER: &[(&str, &str)] = &[
    ("misIdentifier", "STU-17"),
    ("title", "Ms"),
    ("givenName", "Ana"),
    ("preferredGivenName", "Annie"),
    ("middleOtherName", "Mair"),
    ("familyName", "O'Neill"),
    ("previousFamilyName", "Rees"),
    ("familyNameAtAge16", "Hughes"),
    ("schoolAtAge16", "Example Academy"),
    ("lastKnownAddressLine1", "1 Example Street"),
    ("lastKnownAddressLine2", "Sample Quarter"),
    ("lastKnownAddressTown", "Exampleton"),
    ("lastKnownAddressCountyOrCity", "Exampleshire"),
    ("lastKnownPostCode", "ZZ99 9ZZ"),
    ("dateOfAddressCapture", "2021-09-06"),
    ("dateOfBirth", "2003-04-05"),
    ("placeOfBirth", "Sampleford"),
    ("emailAddress", "ana.oneill@example.org"),
    ("nationality", "GBR"),
    ("scottishCandidateNumber", "012345678"),
    ("otherVerificationDescription", "Student card"),
    ("notes", "Prefers contact by email."),
];
