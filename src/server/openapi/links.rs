//! Links: from the answers that name a batch to the operations with that batch.

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::{OpenApi, RefOr};

use crate::api::description::successful_responses;

/// The paths below that of a kind of batch, and the method, that an answer links to.
const TARGETS: [(&str, bool); 5] = [
    ("/{batchId}", false),
    ("/{batchId}/results", false),
    ("/{batchId}/results.ndjson", false),
    ("/{batchId}/results.csv", false),
    ("/{batchId}", true),
];

/// Adds the links.
pub fn add(document: &mut OpenApi) {
    let paths = &mut document.paths.paths;
    let resources: Vec<String> = paths.keys().filter_map(|path| path.strip_suffix("/{batchId}")).map(str::to_owned).collect();
    for resource in resources {
        let ids: Vec<String> = TARGETS
            .iter()
            .filter_map(|(rest, is_erasure)| {
                let item = paths.get(&format!("{resource}{rest}"))?;
                let operation = if *is_erasure { &item.delete } else { &item.get };
                operation.as_ref()?.operation_id.clone()
            })
            .collect();
        for (path, is_list) in [(resource.clone(), false), (format!("{resource}/track"), false), (resource.clone(), true)] {
            let Some(item) = paths.get_mut(&path) else { continue };
            let operation = if is_list { &mut item.get } else { &mut item.post };
            // A list links to its first batch: links cannot name each batch of a list.
            let (batch, ids) =
                if is_list { ("$response.body#/batches/0/batchId", &ids[..1]) } else { ("$response.body#/batchId", &ids[..]) };
            for response in operation.iter_mut().flat_map(successful_responses) {
                response.links.extend(ids.iter().map(|id| (id.clone(), RefOr::T(link(id, batch)))));
            }
        }
    }
}

fn link(operation_id: &str, batch: &str) -> Link {
    LinkBuilder::new().operation_id(operation_id).parameter("batchId", batch).build()
}
