//! The structure of `src/`: files depend on each other in one direction only, and layers know what they may know.
//!
//! A file depends on another if it names a path of it (`crate::`, `super::`, `self::` or a child module), in code, macros or unit
//! tests. Re-exports are followed to the file that defines the name; a module's face (`mod` and `pub use` of its own children) adds no
//! dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files by their path below `src/`, with their text.
type Sources = BTreeMap<String, String>;
/// Which files each file depends on.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_of_the_program_have_no_circle() {
    let sources = program();
    let graph = graph(&sources);
    assert!(graph.len() > 100, "{} files", graph.len());
    assert!(graph["server/router.rs"].contains("api/find_learners.rs"), "{:?}", graph["server/router.rs"]);
    assert!(graph["problem/mapping.rs"].contains("lrs/error.rs"), "re-exports are followed: {:?}", graph["problem/mapping.rs"]);
    let circles = circles(&graph);
    assert!(circles.is_empty(), "files import each other in a circle: {circles:#?}");
}

#[test]
fn folders_of_the_program_have_no_circle() {
    let mut folders = Graph::new();
    for (file, others) in graph(&program()) {
        let from = top(&file).to_owned();
        let targets = others.iter().map(|other| top(other).to_owned()).filter(|other| *other != from).collect::<BTreeSet<_>>();
        folders.entry(from).or_default().extend(targets);
    }
    let circles = circles(&folders);
    assert!(circles.is_empty(), "top-level modules import each other in a circle: {circles:#?}");
}

#[test]
fn layers_know_only_what_they_may_know() {
    const LAYERS: [Layer; 6] = [
        Layer { folder: "schema", except: &[], may_use: Some(&["schema"]), crates: &["actix_web", "quick_xml", "redis", "reqwest"] },
        Layer {
            folder: "domain",
            except: &[],
            may_use: Some(&["domain", "schema"]),
            crates: &["actix_web", "quick_xml", "redis", "reqwest", "serde_json", "utoipa"],
        },
        // The audit trail's lines are JSON.
        Layer { folder: "lrs", except: &["lrs/audit.rs"], may_use: None, crates: &["actix_web", "redis", "serde_json", "utoipa"] },
        Layer { folder: "batches", except: &[], may_use: None, crates: &["actix_web", "quick_xml", "reqwest", "utoipa"] },
        Layer { folder: "api", except: &[], may_use: None, crates: &["quick_xml", "redis", "reqwest"] },
        Layer {
            folder: "simulator",
            except: &[],
            may_use: Some(&["domain", "file_watch.rs", "lrs", "schema", "simulator", "tls.rs"]),
            crates: &["quick_xml", "redis", "reqwest", "utoipa"],
        },
    ];
    const FORBIDDEN: [(&str, &[&str]); 3] = [
        ("lrs", &["api", "app", "auth", "batches", "cli", "config", "problem", "server"]),
        ("batches", &["api", "app", "auth", "cli", "config", "problem", "server"]),
        ("api", &["cli", "config", "lrs/soap", "server", "simulator", "storage"]),
    ];
    let sources = program();
    let graph = graph(&sources);
    let mut violations = Vec::new();
    for (file, others) in &graph {
        for layer in LAYERS.iter().filter(|layer| top(file) == layer.folder && !layer.except.contains(&file.as_str())) {
            let code = production_code(&sources[file]);
            violations
                .extend(layer.crates.iter().filter(|name| names_crate(&code, name)).map(|name| format!("{file} uses the crate {name}")));
            if let Some(allowed) = layer.may_use {
                violations.extend(others.iter().filter(|other| !allowed.contains(&top(other))).map(|other| format!("{file} uses {other}")));
            }
        }
        for (_, forbidden) in FORBIDDEN.iter().filter(|(folder, _)| top(file) == *folder) {
            let is_forbidden = |other: &&String| forbidden.iter().any(|folder| other.starts_with(&format!("{folder}/")));
            violations.extend(others.iter().filter(is_forbidden).map(|other| format!("{file} uses {other}")));
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn src_has_few_loose_files() {
    let loose: Vec<String> = program().into_keys().filter(|file| !file.contains('/')).collect();
    assert!(loose.len() <= 8, "{loose:?}");
}

#[test]
fn circle_between_two_files_is_found() {
    let sources = sources(&[("a.rs", "use crate::b::Two;"), ("b.rs", "use crate::a::One;"), ("c.rs", "use crate::a::One;")]);
    assert_eq!(circles(&graph(&sources)), [["a.rs", "b.rs"]]);
}

#[test]
fn circle_through_a_re_export_a_macro_and_a_unit_test_is_found() {
    let sources = sources(&[
        ("a/mod.rs", "mod first;\nmod second;\npub use first::First;\npub use second::Second;"),
        ("a/first.rs", "use crate::a::Second;"),
        ("a/second.rs", "macro_rules! make { () => { $crate::a::third::Third } }\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("a/third.rs", "#[cfg(test)]\nmod tests {\n    use super::super::First;\n}"),
    ]);
    assert_eq!(circles(&graph(&sources)), [["a/first.rs", "a/second.rs", "a/third.rs"]]);
}

#[test]
fn face_of_a_module_is_no_circle_but_code_in_it_is() {
    let face = ("a/mod.rs", "mod child;\npub use child::Child;");
    let child = ("a/child.rs", "use super::Child;\nuse crate::b::B;");
    let b = ("b.rs", "use crate::a::Child;");
    assert_eq!(circles(&graph(&sources(&[face, ("a/child.rs", "use crate::c::C;"), ("c.rs", "struct C;")]))), Vec::<Vec<String>>::new());
    assert_eq!(circles(&graph(&sources(&[face, child, b]))), [["a/child.rs", "b.rs"]]);
    let code = ("a/mod.rs", "mod child;\npub use child::Child;\npub struct Parent(Child);");
    assert_eq!(circles(&graph(&sources(&[code, ("a/child.rs", "use super::Parent;")]))), [["a/child.rs", "a/mod.rs"]]);
}

/// What a layer may use of the program (`None`: anything that is not forbidden elsewhere) and which crates it may not use.
struct Layer {
    folder: &'static str,
    except: &'static [&'static str],
    may_use: Option<&'static [&'static str]>,
    crates: &'static [&'static str],
}

fn program() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let relative = |path: &Path| path.strip_prefix(&root).expect("inside src").to_string_lossy().into_owned();
    let rust = files(&root).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (relative(&path), std::fs::read_to_string(&path).expect("text"))).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// The folder of a file, or the file itself if it is loose.
fn top(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

/// The text before the unit tests.
fn production_code(text: &str) -> String {
    without_comments(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default())
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::").chars().next_back();
        let is_path = code[..at].ends_with("::") && !code[..at].ends_with(" ::");
        !is_path && before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// The module path of a file: `a/b/mod.rs` and `a/b.rs` are both `a::b`.
fn module_of(file: &str) -> Vec<String> {
    let mut path: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        path.pop();
    }
    path
}

fn graph(sources: &Sources) -> Graph {
    let files: BTreeMap<Vec<String>, &str> =
        sources.keys().filter(|file| *file != "main.rs").map(|file| (module_of(file), file.as_str())).collect();
    let uses: BTreeMap<&str, Vec<Use>> = sources.iter().map(|(file, text)| (file.as_str(), uses_in(file, text, &files))).collect();
    let program = Program { files, uses };
    let mut graph = Graph::new();
    for (file, text) in sources {
        let mut targets = BTreeSet::new();
        for one in &program.uses[file.as_str()] {
            let is_face = one.exported && one.path.starts_with(&module_of(file)) && !one.is_used_in(text);
            if !is_face && let Some(target) = program.definition(&one.path, 0) {
                targets.insert(target.to_owned());
            }
        }
        targets.remove(file);
        graph.insert(file.clone(), targets);
    }
    graph
}

struct Program<'a> {
    files: BTreeMap<Vec<String>, &'a str>,
    uses: BTreeMap<&'a str, Vec<Use>>,
}

impl<'a> Program<'a> {
    /// The file that defines what a path names.
    fn definition(&self, path: &[String], depth: usize) -> Option<&'a str> {
        let module = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let file = self.files[&path[..module]];
        let Some(name) = path.get(module) else { return Some(file) };
        let exports = self.uses[file].iter().filter(|one| one.exported && depth < 8);
        let export = exports.into_iter().find(|one| one.alias == *name && one.path != path);
        match export.and_then(|one| self.definition(&one.path, depth + 1)) {
            Some(definition) => Some(definition),
            None if module == 0 => None,
            None => Some(file),
        }
    }
}

/// A path that a file names.
struct Use {
    path: Vec<String>,
    /// The name it has in the file.
    alias: String,
    /// Is it `pub use`?
    exported: bool,
}

impl Use {
    /// Returns `true` if the name stands in the code beside `use` declarations.
    fn is_used_in(&self, text: &str) -> bool {
        let code = without_comments(text);
        let statements = code.split_inclusive(';').map(str::trim_start);
        let rest: String = statements.filter(|one| !one.starts_with("pub use") && !one.starts_with("pub(crate) use")).collect();
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == self.alias)
    }
}

/// Every path into the program that a file names, in `use` declarations and elsewhere.
fn uses_in(file: &str, text: &str, files: &BTreeMap<Vec<String>, &str>) -> Vec<Use> {
    let code = without_comments(text);
    let module = module_of(file);
    let mut uses = Vec::new();
    let mut rest = String::new();
    let mut inside_tests = false;
    for statement in code.split_inclusive([';', '{', '}']) {
        inside_tests |= statement.contains("mod tests");
        rest.push_str(statement);
        let Some(at) = use_keyword(&rest) else {
            if statement.ends_with(';') || statement.ends_with('}') {
                paths_outside_use(&rest, &module, inside_tests, files, &mut uses);
                rest.clear();
            }
            continue;
        };
        if !statement.ends_with(';') {
            continue;
        }
        let exported = rest[..at].trim_end().ends_with("pub") || rest[..at].trim_end().ends_with(')');
        paths_outside_use(&rest[..at], &module, inside_tests, files, &mut uses);
        for (path, alias) in leaves(rest[at + "use ".len()..].trim_end_matches(';')) {
            if let Some(path) = absolute(&path, &module, inside_tests, files) {
                let alias = alias.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
                uses.push(Use { path, alias, exported });
            }
        }
        rest.clear();
    }
    paths_outside_use(&rest, &module, inside_tests, files, &mut uses);
    uses
}

/// Where the keyword `use` stands in a statement.
fn use_keyword(statement: &str) -> Option<usize> {
    statement.match_indices("use ").map(|(at, _)| at).find(|at| {
        let line_start = statement[..*at].rfind(['\n', ';', '{', '}']).map_or(0, |at| at + 1);
        let before = statement[line_start..*at].trim();
        before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')'))
    })
}

fn paths_outside_use(code: &str, module: &[String], inside_tests: bool, files: &BTreeMap<Vec<String>, &str>, uses: &mut Vec<Use>) {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
    for word in code.split(|c: char| !is_path(c)).filter(|word| word.contains("::")) {
        let path: Vec<String> = word.trim_start_matches('$').split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if let Some(path) = absolute(&path, module, inside_tests, files) {
            let alias = path.last().cloned().unwrap_or_default();
            uses.push(Use { path, alias, exported: false });
        }
    }
}

/// A path from the root of the crate; `None` if it leads out of the crate.
fn absolute(path: &[String], module: &[String], inside_tests: bool, files: &BTreeMap<Vec<String>, &str>) -> Option<Vec<String>> {
    let mut here = module.to_vec();
    if inside_tests {
        here.push("tests".to_owned());
    }
    let first = path.first()?;
    if first == "crate" {
        return Some(path[1..].to_vec());
    }
    if first == "self" {
        return Some([module, &path[1..]].concat());
    }
    let up = path.iter().take_while(|part| *part == "super").count();
    if up > 0 {
        let base = here.len().checked_sub(up)?;
        return Some([&here[..base], &path[up..]].concat());
    }
    let child = [module, &path[..1]].concat();
    files.contains_key(&child).then(|| [module, path].concat())
}

/// The paths of a `use` tree, each with its alias.
fn leaves(tree: &str) -> Vec<(Vec<String>, Option<String>)> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim().to_owned())));
        let path = path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty() && part != "*").collect();
        return vec![(path, alias)];
    };
    let inner = inner.trim_end().trim_end_matches('}');
    let prefix: Vec<String> = prefix.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        if c != ',' || depth > 0 {
            part.push(c);
        }
    }
    parts.push(part);
    let parts = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| leaves(part));
    parts.map(|(path, alias)| ([prefix.clone(), path.into_iter().filter(|part| part != "self").collect()].concat(), alias)).collect()
}

/// Groups of nodes that lead back to each other, each in order of name.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = graph.keys().map(|node| (node, reachable(node, graph))).collect();
    let mut groups = BTreeSet::new();
    for (node, others) in &reach {
        if others.contains(node) {
            let group = others.iter().filter(|other| reach.get(**other).is_some_and(|back| back.contains(node)));
            groups.insert(group.map(|other| (*other).clone()).collect::<Vec<_>>());
        }
    }
    groups.into_iter().collect()
}

fn reachable<'g>(node: &'g String, graph: &'g Graph) -> BTreeSet<&'g String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![node]);
    while let Some(next) = open.pop() {
        for other in graph.get(next).into_iter().flatten() {
            if seen.insert(other) {
                open.push(other);
            }
        }
    }
    seen
}
