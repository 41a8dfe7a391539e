//! The calls of the programs in `examples/clients`, which `make test-clients` compiles and runs.
//!
//! A comment of one line starts a snippet, and names it: `// [findLearnerByUln]` or `# [findLearnerByUln]`. `[end]` ends it. A snippet can have
//! several names, and several parts.

/// A program that calls the gateway with a generated client.
pub struct Program {
    pub language: &'static str,
    /// Name of the language in the class of a block of code.
    pub class: &'static str,
    /// Directory in `examples/clients`.
    pub directory: &'static str,
    source: &'static str,
}

/// Declares a program by its file.
macro_rules! program {
    ($language:literal, $class:literal, $directory:literal, $file:literal) => {
        Program {
            language: $language,
            class: $class,
            directory: $directory,
            source: include_str!(concat!("../../../../examples/clients/", $directory, "/", $file)),
        }
    };
}

/// One program for each language.
pub const PROGRAMS: [Program; 9] = [
    program!("Python", "python", "python-openapi-python-client", "client.py"),
    program!("TypeScript", "typescript", "typescript-openapi-fetch", "client.ts"),
    program!("C#", "csharp", "csharp", "Client.cs"),
    program!("Java", "java", "java", "Client.java"),
    program!("Kotlin", "kotlin", "kotlin", "Client.kt"),
    program!("PHP", "php", "php", "client.php"),
    program!("Go", "go", "go", "client.go"),
    program!("Ruby", "ruby", "ruby", "client.rb"),
    program!("Rust", "rust", "rust", "client.rs"),
];

impl Program {
    /// Returns the snippet with this name, if the program has one.
    pub fn snippet(&self, name: &str) -> Option<String> {
        cut(self.source, name)
    }
}

/// Returns the parts of a program that have this name, each without its indentation.
fn cut(source: &str, name: &str) -> Option<String> {
    let mut parts: Vec<Vec<&str>> = Vec::new();
    let mut is_inside = false;
    for line in source.lines() {
        match marker(line) {
            Some("end") => is_inside = false,
            Some(names) if names.split(", ").any(|one| one == name) => {
                is_inside = true;
                parts.push(Vec::new());
            }
            None if is_inside => parts.last_mut()?.push(line),
            Some(_) | None => {}
        }
    }
    let parts: Vec<String> = parts.iter().map(|lines| without_indentation(lines)).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// Returns the names in a comment that is a marker.
fn marker(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("// [").or_else(|| line.strip_prefix("# ["))?.strip_suffix(']')
}

fn without_indentation(lines: &[&str]) -> String {
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or_default();
    lines.iter().map(|line| line.get(common..).unwrap_or_default()).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Snippets that every program has.
    const NAMES: [&str; 7] = [
        "connect",
        "problem",
        "findLearnerByUln",
        "obtainUln",
        "submitRegistrationBatch",
        "getRegistrationBatch",
        "getRegistrationBatchResults",
    ];

    #[test]
    fn every_program_has_the_main_calls_as_snippets() {
        for program in &PROGRAMS {
            for name in NAMES {
                let snippet = program.snippet(name).unwrap_or_else(|| panic!("examples/clients/{}: no [{name}]", program.directory));
                assert!(snippet.lines().count() < 50, "examples/clients/{}: [{name}] does not end", program.directory);
            }
            let call = program.snippet("findLearnerByUln").unwrap_or_default().to_lowercase().replace(['_', '-'], "");
            assert!(call.contains("findlearnerbyuln") || call.contains("findbyuln"), "{}: {call}", program.language);
        }
    }

    #[test]
    fn every_marker_names_a_snippet_of_every_program_and_has_an_end() {
        for program in &PROGRAMS {
            let markers: Vec<&str> = program.source.lines().filter_map(marker).collect();
            for pair in markers.chunks(2) {
                let [names, "end"] = pair else { panic!("examples/clients/{}: {pair:?}", program.directory) };
                for name in names.split(", ") {
                    assert!(NAMES.contains(&name), "examples/clients/{}: [{name}]", program.directory);
                }
            }
        }
    }

    #[test]
    fn snippet_has_all_parts_of_its_name_without_markers_and_indentation() {
        let source = "    # [a, b]\n    one\n\n      two\n    # [end]\nthree\n// [b]\nfour\n// [end]\n#[derive(X)]";
        assert_eq!(cut(source, "a").as_deref(), Some("one\n\n  two"));
        assert_eq!(cut(source, "b").as_deref(), Some("one\n\n  two\n\nfour"));
        assert_eq!(cut(source, "c"), None);
    }
}
