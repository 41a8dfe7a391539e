//! The groups of operations, in the order in which a learner's life meets them.

use super::api_document::{ApiDocument, Operation};

/// A group with its operations.
pub struct Group<'d> {
    pub title: &'static str,
    pub operations: Vec<Operation<'d>>,
}

/// What belongs to a group.
enum Members {
    /// Operations with these ids, in this order.
    Ids(&'static [&'static str]),
    /// The operations under a tag of the document that no other group has.
    Tag(&'static str),
}

const GROUPS: [(&str, Members); 12] = [
    ("Find a learner", Members::Ids(&["findLearnerByUln", "findLearnersByDemographics"])),
    ("Obtain a ULN", Members::Ids(&["obtainUln", "registerLearner"])),
    ("Change a learner’s record", Members::Ids(&["amendLearner", "updateLearner"])),
    ("Verify a learner", Members::Ids(&["verifyLearner"])),
    ("Read a learning record", Members::Tag("Learning events")),
    ("Retrieve ULNs", Members::Ids(&["retrieveUlns"])),
    ("Other operations for learners", Members::Tag("Learners")),
    ("Batches: register learners", Members::Tag("Registration batches")),
    ("Batches: verify learners", Members::Tag("Verification batches")),
    ("Batches: achievements", Members::Tag("Achievement batches")),
    ("Organisation, LRS and health", Members::Tag("Service")),
    ("Other operations", Members::Tag("")),
];

/// Returns the groups that have operations. Each operation is in one of them.
pub fn groups(api: ApiDocument<'_>) -> Vec<Group<'_>> {
    let operations = api.operations();
    let is_listed = |id: &str| GROUPS.iter().any(|(_, members)| matches!(members, Members::Ids(ids) if ids.contains(&id)));
    let has_group = |tag: &str| GROUPS.iter().any(|(_, members)| matches!(members, Members::Tag(name) if *name == tag));
    let groups = GROUPS.iter().map(|(title, members)| {
        let operations = match members {
            Members::Ids(ids) => ids.iter().filter_map(|id| operations.iter().find(|operation| operation.id() == *id).copied()).collect(),
            Members::Tag(tag) => {
                let is_member = |operation: &&Operation<'_>| {
                    let own = if has_group(operation.tag()) { operation.tag() } else { "" };
                    own == *tag && !is_listed(operation.id())
                };
                operations.iter().filter(is_member).copied().collect()
            }
        };
        Group { title, operations }
    });
    groups.filter(|group| !group.operations.is_empty()).collect()
}
