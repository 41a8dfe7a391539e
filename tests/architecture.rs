//! The structure of `src/`: dependencies between files have no cycles, and each layer uses only the modules and crates that its rules allow.
//!
//! A file depends on another file if it names one of its paths (`crate::`, `super::`, `self::` or a child module), in code, macros or
//! unit tests. Re-exports are followed to the file that defines the name. `mod` declarations and re-exports of a module's own children
//! add no dependency. A file that derives a trait of `derive/` uses all paths that the derive expands to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The text of each file, by its path below `src/`.
type Sources = BTreeMap<String, String>;
/// The files that each file depends on.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// What a layer may use.
struct Layer {
    folder: &'static str,
    /// Files of the folder that these rules do not apply to.
    exceptions: &'static [&'static str],
    /// The modules that the layer may use; `None` means all that [`FORBIDDEN_MODULES`] does not name.
    allowed_modules: Option<&'static [&'static str]>,
    forbidden_crates: &'static [&'static str],
}

/// The rules of the layers.
const LAYERS: [Layer; 7] = [
    Layer {
        folder: "schema",
        exceptions: &[],
        allowed_modules: Some(&["schema"]),
        forbidden_crates: &["actix_web", "quick_xml", "redis", "reqwest"],
    },
    Layer {
        folder: "xml",
        exceptions: &[],
        allowed_modules: Some(&["xml"]),
        forbidden_crates: &["actix_web", "redis", "reqwest", "serde_json", "utoipa"],
    },
    Layer {
        folder: "domain",
        exceptions: &[],
        allowed_modules: Some(&["domain", "schema", "xml"]),
        forbidden_crates: &["actix_web", "quick_xml", "redis", "reqwest", "serde_json", "utoipa"],
    },
    Layer {
        folder: "lrs",
        exceptions: &[],
        allowed_modules: None,
        forbidden_crates: &["actix_web", "quick_xml", "redis", "serde_json", "utoipa"],
    },
    Layer { folder: "batches", exceptions: &[], allowed_modules: None, forbidden_crates: &["actix_web", "quick_xml", "reqwest", "utoipa"] },
    Layer { folder: "api", exceptions: &[], allowed_modules: None, forbidden_crates: &["quick_xml", "redis", "reqwest"] },
    Layer {
        folder: "simulator",
        exceptions: &[],
        allowed_modules: Some(&["domain", "file_watch", "lrs", "schema", "simulator", "tls.rs", "xml"]),
        forbidden_crates: &["quick_xml", "redis", "reqwest", "utoipa"],
    },
];

/// The modules that each layer must not use.
const FORBIDDEN_MODULES: [(&str, &[&str]); 3] = [
    ("lrs", &["api", "app", "auth", "batches", "cli", "config", "problem", "server"]),
    ("batches", &["api", "app", "auth", "cli", "config", "problem", "server"]),
    ("api", &["cli", "config", "lrs/soap", "server", "simulator", "storage", "xml"]),
];

#[test]
fn dependencies_between_files_have_no_cycle() {
    let sources = program();
    let graph = graph(&sources);
    assert!(graph.len() > 100, "{} files", graph.len());
    assert!(graph["server/router.rs"].contains("api/find_learners.rs"), "{:?}", graph["server/router.rs"]);
    assert!(graph["problem/mapping.rs"].contains("lrs/error.rs"), "the definition behind a re-export: {:?}", graph["problem/mapping.rs"]);
    let cycles = cycles(&graph);
    assert!(cycles.is_empty(), "files that depend on each other in a cycle: {cycles:#?}");
}

#[test]
fn dependencies_between_folders_have_no_cycle() {
    let mut folders = Graph::new();
    for (file, others) in graph(&program()) {
        let from = top_level(&file).to_owned();
        let targets = others.iter().map(|other| top_level(other).to_owned()).filter(|other| *other != from).collect::<BTreeSet<_>>();
        folders.entry(from).or_default().extend(targets);
    }
    let cycles = cycles(&folders);
    assert!(cycles.is_empty(), "top-level modules that depend on each other in a cycle: {cycles:#?}");
}

#[test]
fn layers_use_only_allowed_modules_and_crates() {
    assert_rules_name_existing_paths();
    let sources = program();
    let graph = graph(&sources);
    let mut violations = Vec::new();
    for (file, others) in &graph {
        for layer in LAYERS.iter().filter(|layer| top_level(file) == layer.folder && !layer.exceptions.contains(&file.as_str())) {
            let code = production_code(&sources[file]);
            violations.extend(
                layer.forbidden_crates.iter().filter(|name| names_crate(&code, name)).map(|name| format!("{file} uses the crate {name}")),
            );
            if let Some(allowed) = layer.allowed_modules {
                violations
                    .extend(others.iter().filter(|other| !allowed.contains(&top_level(other))).map(|other| format!("{file} uses {other}")));
            }
        }
        for (_, forbidden) in FORBIDDEN_MODULES.iter().filter(|(folder, _)| top_level(file) == *folder) {
            let is_forbidden = |other: &&String| forbidden.iter().any(|folder| other.starts_with(&format!("{folder}/")));
            violations.extend(others.iter().filter(is_forbidden).map(|other| format!("{file} uses {other}")));
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn src_has_few_files_outside_folders() {
    let outside_folders: Vec<String> = program().into_keys().filter(|file| !file.contains('/')).collect();
    assert!(outside_folders.len() <= 8, "{outside_folders:?}");
}

#[test]
fn cycle_between_two_files_is_found() {
    let sources = sources(&[("a.rs", "use crate::b::Two;"), ("b.rs", "use crate::a::One;"), ("c.rs", "use crate::a::One;")]);
    assert_eq!(cycles(&graph(&sources)), [["a.rs", "b.rs"]]);
}

#[test]
fn cycle_through_re_export_macro_and_unit_test_is_found() {
    let sources = sources(&[
        ("a/mod.rs", "mod first;\nmod second;\npub use first::First;\npub use second::Second;"),
        ("a/first.rs", "use crate::a::Second;"),
        ("a/second.rs", "macro_rules! make { () => { $crate::a::third::Third } }\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("a/third.rs", "#[cfg(test)]\nmod tests {\n    use super::super::First;\n}"),
    ]);
    assert_eq!(cycles(&graph(&sources)), [["a/first.rs", "a/second.rs", "a/third.rs"]]);
}

#[test]
fn derive_counts_as_use_of_the_paths_that_it_expands_to() {
    let layers = [("schema/mod.rs", ""), ("schema/deserialize.rs", ""), ("schema/openapi.rs", ""), ("xml/mod.rs", "")];
    let uses = |declaration| graph(&sources(&[&layers[..], &[("a.rs", declaration)]].concat()))["a.rs"].iter().cloned().collect::<Vec<_>>();
    assert_eq!(uses("#[derive(Debug, XmlRecord)]\nstruct A;"), ["xml/mod.rs"]);
    assert_eq!(uses("#[derive(Debug)]\n#[derive(crate::schema::Settings)]\nstruct A;"), ["schema/deserialize.rs", "schema/mod.rs"]);
    assert_eq!(uses("#[derive(Request)]\nstruct A;"), ["schema/deserialize.rs", "schema/mod.rs", "schema/openapi.rs"]);
    assert_eq!(uses("#[derive(Answer)]\nstruct A;"), ["schema/mod.rs", "schema/openapi.rs"]);
    assert_eq!(uses("#[derive(CodeList)]\nenum A {}"), ["schema/mod.rs"]);
    assert!(uses("// #[derive(Request)]\n#[derive(Clone)]\nstruct A;").is_empty());
}

#[test]
fn cycle_through_re_exports_of_own_children_is_ignored_and_through_code_is_found() {
    let re_exports = ("a/mod.rs", "mod child;\npub use child::Child;");
    let child = ("a/child.rs", "use super::Child;\nuse crate::b::B;");
    let b = ("b.rs", "use crate::a::Child;");
    assert_eq!(
        cycles(&graph(&sources(&[re_exports, ("a/child.rs", "use crate::c::C;"), ("c.rs", "struct C;")]))),
        Vec::<Vec<String>>::new()
    );
    assert_eq!(cycles(&graph(&sources(&[re_exports, child, b]))), [["a/child.rs", "b.rs"]]);
    let code = ("a/mod.rs", "mod child;\npub use child::Child;\npub struct Parent(Child);");
    assert_eq!(cycles(&graph(&sources(&[code, ("a/child.rs", "use super::Parent;")]))), [["a/child.rs", "a/mod.rs"]]);
}

#[test]
fn re_export_of_a_whole_module_leads_to_the_file_of_each_item() {
    let all = ("a/mod.rs", "mod child;\nmod other;\npub use child::*;\npub use other::*;");
    let child = ("a/child.rs", "use crate::b::B;\npub struct Child(B);");
    let files = [all, child, ("a/other.rs", "pub struct Other;"), ("b.rs", "use crate::a::Other;\npub struct B;")];
    assert_eq!(cycles(&graph(&sources(&files))), Vec::<Vec<String>>::new());
    let b_that_uses_child = ("b.rs", "use crate::a::Child;\npub struct B;");
    assert_eq!(cycles(&graph(&sources(&[&files[..3], &[b_that_uses_child]].concat()))), [["a/child.rs", "b.rs"]]);
    let parent = ("a/mod.rs", "mod child;\npub use child::*;\npub struct Parent(Child);");
    let child = ("a/child.rs", "use super::Parent;\npub struct Child;");
    assert_eq!(cycles(&graph(&sources(&[parent, child]))), [["a/child.rs", "a/mod.rs"]]);
}

fn program() -> Sources {
    let root = source_root();
    let relative = |path: &Path| path.strip_prefix(&root).expect("a path below src").to_string_lossy().into_owned();
    let rust = files(&root).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (relative(&path), std::fs::read_to_string(&path).expect("UTF-8"))).collect()
}

/// Asserts that the rules name existing folders and files: a rule for a renamed folder would have no effect.
fn assert_rules_name_existing_paths() {
    let layers = LAYERS.iter().flat_map(|layer| {
        let allowed = layer.allowed_modules.unwrap_or_default().iter();
        allowed.chain(layer.exceptions).copied().chain([layer.folder])
    });
    let forbidden = FORBIDDEN_MODULES.iter().flat_map(|(folder, modules)| modules.iter().copied().chain([*folder]));
    for path in layers.chain(forbidden) {
        assert!(source_root().join(path).exists(), "src/{path} does not exist");
    }
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Returns the top-level folder of a file, or the file itself if it is outside folders.
fn top_level(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

/// Returns the code before the unit tests.
fn production_code(text: &str) -> String {
    without_comments(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default())
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(position, _)| {
        let before = code[..position].trim_end_matches("::").chars().next_back();
        let is_path = code[..position].ends_with("::") && !code[..position].ends_with(" ::");
        !is_path && before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// Returns the module path of a file: `a::b` for `a/b/mod.rs` and for `a/b.rs`.
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
    let uses_of = |(file, text)| uses_in(file, text, &files).into_iter().flat_map(|used| used.expanded(&files, sources)).collect();
    let uses: BTreeMap<&str, Vec<Use>> = sources.iter().map(|(file, text)| (file.as_str(), uses_of((file.as_str(), text)))).collect();
    let program = Program { files, uses };
    let mut graph = Graph::new();
    for (file, text) in sources {
        let mut targets = BTreeSet::new();
        for used in &program.uses[file.as_str()] {
            let is_re_export_of_child = used.exported && used.path.starts_with(&module_of(file)) && !used.is_used_in(text);
            if !is_re_export_of_child && let Some(target) = program.definition(&used.path, 0) {
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
    /// Returns the file that defines the item of a path.
    fn definition(&self, path: &[String], depth: usize) -> Option<&'a str> {
        let module = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let file = self.files[&path[..module]];
        let Some(name) = path.get(module) else { return Some(file) };
        let exports = self.uses[file].iter().filter(|used| used.exported && depth < 8);
        let export = exports.into_iter().find(|used| used.alias == *name && used.path != path);
        match export.and_then(|used| self.definition(&used.path, depth + 1)) {
            Some(definition) => Some(definition),
            None if module == 0 => None,
            None => Some(file),
        }
    }
}

/// A path in a file.
struct Use {
    path: Vec<String>,
    /// The name of the item in the file; `*` for all items of a module.
    alias: String,
    /// `true` if it is in a `pub use` declaration.
    exported: bool,
}

impl Use {
    /// Returns one path for each public item of a module that is re-exported whole; any other path as it is.
    fn expanded(self, files: &BTreeMap<Vec<String>, &str>, sources: &Sources) -> Vec<Self> {
        let (true, "*", Some(file)) = (self.exported, self.alias.as_str(), files.get(&self.path)) else { return vec![self] };
        let item = |name: String| Self { path: [&self.path[..], std::slice::from_ref(&name)].concat(), alias: name, exported: true };
        public_items(&sources[*file]).map(item).collect()
    }

    /// Returns `true` if the name is used outside `pub use` declarations.
    fn is_used_in(&self, text: &str) -> bool {
        let code = without_comments(text);
        let statements = code.split_inclusive(';').map(str::trim_start);
        let other_statements: String =
            statements.filter(|statement| !statement.starts_with("pub use") && !statement.starts_with("pub(crate) use")).collect();
        other_statements.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == self.alias)
    }
}

/// Returns the names of the public items that a file declares outside inner modules and implementations.
fn public_items(text: &str) -> impl Iterator<Item = String> {
    const KEYWORDS: [&str; 8] =
        ["pub struct ", "pub enum ", "pub trait ", "pub type ", "pub const fn ", "pub const ", "pub static ", "pub fn "];
    let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    text.lines().filter_map(move |line| KEYWORDS.iter().find_map(|keyword| line.strip_prefix(keyword)).and_then(name))
}

/// Returns all paths into the crate in a file, in `use` declarations and elsewhere.
fn uses_in(file: &str, text: &str, files: &BTreeMap<Vec<String>, &str>) -> Vec<Use> {
    let code = without_comments(text);
    let module = module_of(file);
    let mut uses = Vec::new();
    let mut pending = String::new();
    let mut inside_tests = false;
    for statement in code.split_inclusive([';', '{', '}']) {
        inside_tests |= statement.contains("mod tests");
        pending.push_str(statement);
        let Some(position) = use_keyword(&pending) else {
            if statement.ends_with(';') || statement.ends_with('}') {
                paths_outside_use(&pending, &module, inside_tests, files, &mut uses);
                pending.clear();
            }
            continue;
        };
        if !statement.ends_with(';') {
            continue;
        }
        let exported = pending[..position].trim_end().ends_with("pub") || pending[..position].trim_end().ends_with(')');
        paths_outside_use(&pending[..position], &module, inside_tests, files, &mut uses);
        for (path, alias) in leaves(pending[position + "use ".len()..].trim_end_matches(';')) {
            if let Some(path) = absolute(&path, &module, inside_tests, files) {
                let alias = alias.unwrap_or_else(|| path.last().cloned().unwrap_or_default());
                uses.push(Use { path, alias, exported });
            }
        }
        pending.clear();
    }
    paths_outside_use(&pending, &module, inside_tests, files, &mut uses);
    uses.extend(derives_in(&code).flat_map(|name| &EXPANSIONS[name]).map(|path| Use {
        path: path.clone(),
        alias: String::new(),
        exported: false,
    }));
    uses
}

/// The paths of the crate that each derive of `derive/` expands to.
static EXPANSIONS: LazyLock<BTreeMap<&str, Vec<Vec<String>>>> =
    LazyLock::new(|| DERIVES.map(|(name, file)| (name, expansion(file))).into());

/// The derives of `derive/`, each with its file.
const DERIVES: [(&str, &str); 5] =
    [("Answer", "answer"), ("CodeList", "code_list"), ("Request", "request"), ("Settings", "settings"), ("XmlRecord", "xml_record")];

/// Returns the paths of the crate in a file of `derive/`, and in the files of `derive/` that it uses.
fn expansion(file: &str) -> Vec<Vec<String>> {
    let source = |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("derive/src").join(file).with_extension("rs");
    let text = std::fs::read_to_string(source(file)).expect("a file of the derives");
    let paths = uses_in("lib.rs", &production_code(&text), &BTreeMap::new()).into_iter().map(|used| used.path);
    let (own, generated): (Vec<_>, Vec<_>) = paths.partition(|path| path.first().is_some_and(|first| source(first).exists()));
    own.iter().map(|path| path[0].as_str()).collect::<BTreeSet<_>>().into_iter().flat_map(expansion).chain(generated).collect()
}

/// Returns the derives of `derive/` that code names.
fn derives_in(code: &str) -> impl Iterator<Item = &'static str> {
    let lists = code.split("derive(").skip(1).filter_map(|rest| rest.split(')').next());
    let names: BTreeSet<_> = lists.flat_map(|list| list.split(',')).filter_map(|path| path.trim().rsplit(':').next()).collect();
    DERIVES.iter().map(|(name, _)| *name).filter(move |name| names.contains(name)).collect::<Vec<_>>().into_iter()
}

/// Returns the position of the keyword `use` in a statement.
fn use_keyword(statement: &str) -> Option<usize> {
    statement.match_indices("use ").map(|(position, _)| position).find(|position| {
        let line_start = statement[..*position].rfind(['\n', ';', '{', '}']).map_or(0, |end| end + 1);
        let before = statement[line_start..*position].trim();
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

/// Returns the path from the root of the crate; `None` if the path leads out of the crate.
fn absolute(path: &[String], module: &[String], inside_tests: bool, files: &BTreeMap<Vec<String>, &str>) -> Option<Vec<String>> {
    let mut current_module = module.to_vec();
    if inside_tests {
        current_module.push("tests".to_owned());
    }
    let first = path.first()?;
    if first == "crate" {
        return Some(path[1..].to_vec());
    }
    if first == "self" {
        return Some([module, &path[1..]].concat());
    }
    let levels_up = path.iter().take_while(|part| *part == "super").count();
    if levels_up > 0 {
        let base = current_module.len().checked_sub(levels_up)?;
        return Some([&current_module[..base], &path[levels_up..]].concat());
    }
    let child = [module, &path[..1]].concat();
    files.contains_key(&child).then(|| [module, path].concat())
}

/// Returns the paths of a `use` tree, each with its alias.
fn leaves(tree: &str) -> Vec<(Vec<String>, Option<String>)> {
    let tree = tree.trim();
    let Some((prefix, inner)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim().to_owned())));
        let mut path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
        let alias = path.pop_if(|last| last == "*").or(alias);
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

/// Returns the groups of nodes that reach each other, each sorted by name.
fn cycles(graph: &Graph) -> Vec<Vec<String>> {
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
    let (mut reached, mut unvisited) = (BTreeSet::new(), vec![node]);
    while let Some(next) = unvisited.pop() {
        for other in graph.get(next).into_iter().flatten() {
            if reached.insert(other) {
                unvisited.push(other);
            }
        }
    }
    reached
}
