//! The modules of the program know each other one way only: a circle is a defect.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn modules_go_in_no_circle() {
    let graph = graph();
    assert!(graph.len() > 15 && graph["api"].contains("app") && graph["lrs"].contains("organisations"), "{graph:?}");
    for module in graph.keys() {
        if let Some(circle) = back_to(module, &graph) {
            panic!("{}", circle.join(" → "));
        }
    }
}

/// Which modules each module names with `crate::`, outside its comments and its own tests.
fn graph() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut graph = Graph::new();
    for file in files(&root) {
        let inside = file.strip_prefix(&root).expect("inside").iter().next().expect("a name");
        let module = inside.to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&file).expect("text");
        let code: String =
            text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().filter(|line| !is_comment(line)).collect();
        let named =
            code.split("crate::").skip(1).map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>());
        let others = named.filter(|name| *name != module && (root.join(name).is_dir() || root.join(format!("{name}.rs")).is_file()));
        graph.entry(module.clone()).or_default().extend(others.filter(|name| !name.is_empty()));
    }
    graph.remove("lib");
    graph
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The shortest way from a module back to it.
fn back_to(module: &str, graph: &Graph) -> Option<Vec<String>> {
    let mut ways = vec![vec![module.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in &graph[way.last().expect("never empty")] {
                let further: Vec<String> = way.iter().chain([next]).cloned().collect();
                if next == module {
                    return Some(further);
                }
                if graph.contains_key(next) && seen.insert(next.clone()) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}
