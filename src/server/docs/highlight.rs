//! Code in colours, without a script: comments, strings, numbers, keywords and names of properties.

use super::page::escape;

/// What the tokenizer must know of a language.
#[derive(Debug, Default, Clone, Copy)]
struct Syntax {
    line_comments: &'static [&'static str],
    block_comment: Option<(&'static str, &'static str)>,
    /// Characters that start and end a string within one line.
    quotes: &'static [char],
    /// Marks that start and end a string of several lines.
    long_quotes: &'static [&'static str],
    keywords: &'static [&'static str],
    /// What follows the name of a property.
    after_name: Option<char>,
    /// `true` if what follows a name ends with a space or the line: a colon within a word separates nothing.
    has_spaced_values: bool,
    /// `true` if names that start with `$` are variables.
    has_variables: bool,
    /// `true` for a shell: words can contain numbers and `#`, and a backslash is only a character between single quotes.
    is_shell: bool,
}

const C_LIKE: Syntax = Syntax {
    line_comments: &["//"],
    block_comment: Some(("/*", "*/")),
    quotes: &['"', '\''],
    long_quotes: &[],
    keywords: &[
        "abstract", "as", "async", "await", "boolean", "break", "case", "catch", "class", "const", "continue", "default", "defer", "do",
        "double", "else", "enum", "export", "extends", "false", "final", "finally", "fn", "for", "foreach", "from", "fun", "func",
        "function", "go", "if", "impl", "implements", "import", "in", "int", "interface", "is", "let", "long", "loop", "map", "match",
        "mod", "mut", "namespace", "new", "nil", "null", "object", "of", "override", "package", "private", "protected", "pub", "public",
        "range", "readonly", "record", "return", "self", "Self", "static", "string", "struct", "super", "switch", "this", "throw",
        "throws", "true", "try", "type", "typeof", "undefined", "use", "using", "val", "var", "void", "when", "where", "while", "yield",
        "None", "Some", "Ok", "Err", "echo",
    ],
    after_name: None,
    has_spaced_values: false,
    has_variables: false,
    is_shell: false,
};
const HASH_COMMENT: Syntax = Syntax {
    line_comments: &["#"],
    block_comment: None,
    quotes: &['"', '\''],
    long_quotes: &[],
    keywords: &[],
    after_name: None,
    has_spaced_values: false,
    has_variables: false,
    is_shell: false,
};
const DATA_WORDS: &[&str] = &["true", "false", "null"];

/// Returns the syntax of a language; `None` for text and for languages that are shown as text.
fn syntax(language: &str) -> Option<Syntax> {
    Some(match language {
        "json" => Syntax { quotes: &['"'], keywords: DATA_WORDS, after_name: Some(':'), ..Syntax::default() },
        "yaml" => Syntax { keywords: DATA_WORDS, after_name: Some(':'), has_spaced_values: true, ..HASH_COMMENT },
        "toml" => Syntax { keywords: DATA_WORDS, after_name: Some('='), long_quotes: &["\"\"\"", "'''"], ..HASH_COMMENT },
        "sh" => Syntax {
            quotes: &[],
            long_quotes: &["\"", "'"],
            keywords: &[
                "case", "do", "done", "elif", "else", "esac", "export", "fi", "for", "function", "if", "in", "local", "return", "set",
                "then", "while",
            ],
            has_variables: true,
            is_shell: true,
            ..HASH_COMMENT
        },
        "nginx" => HASH_COMMENT,
        "python" => Syntax {
            long_quotes: &["\"\"\"", "'''"],
            keywords: &[
                "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "False",
                "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "None", "nonlocal", "not", "or", "pass", "raise",
                "return", "self", "True", "try", "while", "with", "yield",
            ],
            ..HASH_COMMENT
        },
        "ruby" => Syntax {
            keywords: &[
                "and", "begin", "break", "case", "class", "def", "do", "else", "elsif", "end", "ensure", "false", "for", "if", "in",
                "module", "next", "nil", "not", "or", "raise", "require", "rescue", "return", "self", "super", "then", "true", "unless",
                "until", "when", "while", "yield",
            ],
            ..HASH_COMMENT
        },
        "typescript" | "go" => Syntax { long_quotes: &["`"], ..C_LIKE },
        "csharp" | "java" | "kotlin" => Syntax { long_quotes: &["\"\"\""], ..C_LIKE },
        "php" => Syntax { line_comments: &["//", "#"], has_variables: true, ..C_LIKE },
        // A single quote starts lifetimes, too.
        "rust" => Syntax { quotes: &[], long_quotes: &["\""], ..C_LIKE },
        _ => return None,
    })
}

/// Returns code as HTML: the text, escaped, with `span` elements around its tokens.
pub fn html(language: &str, code: &str) -> String {
    let mut output = Output(String::with_capacity(code.len() * 2));
    match (language, syntax(language)) {
        ("http", _) => message(code, &mut output),
        (_, Some(syntax)) => tokens(&syntax, code, &mut output),
        (_, None) => output.plain(code),
    }
    output.0
}

/// A kind of token, as the class of its element.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Comment,
    String,
    Number,
    Keyword,
    Name,
}

/// HTML that is being written.
struct Output(String);

impl Output {
    fn plain(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    fn token(&mut self, kind: Kind, text: &str) {
        let class = match kind {
            Kind::Comment => "hc",
            Kind::String => "hs",
            Kind::Number => "hn",
            Kind::Keyword => "hk",
            Kind::Name => "hp",
        };
        for part in ["<span class=\"", class, "\">", &escape(text), "</span>"] {
            self.0.push_str(part);
        }
    }
}

/// Writes the tokens of code.
fn tokens(syntax: &Syntax, code: &str, output: &mut Output) {
    let (mut rest, mut before) = (code, '\n');
    while let Some(first) = rest.chars().next() {
        let (length, kind) = token(syntax, rest, before);
        let (text, after) = rest.split_at(length);
        let kind = match kind {
            Some(Kind::String) | None if is_name(syntax, text, after) => Some(Kind::Name),
            kind => kind,
        };
        match kind {
            Some(kind) => output.token(kind, text),
            None => output.plain(text),
        }
        before = text.chars().next_back().unwrap_or(first);
        rest = after;
    }
}

/// Returns the length and the kind of the token at the start of a text that is not empty.
fn token(syntax: &Syntax, text: &str, before: char) -> (usize, Option<Kind>) {
    let first = text.chars().next().unwrap_or_default();
    // In a shell, `#` within a word starts no comment.
    let starts_comment = |mark: &&&str| text.starts_with(**mark) && (**mark != "#" || before.is_whitespace() || !syntax.is_shell);
    if syntax.line_comments.iter().any(|mark| starts_comment(&mark)) {
        return (text.find('\n').unwrap_or(text.len()), Some(Kind::Comment));
    }
    if let Some((_, end)) = syntax.block_comment.filter(|(start, _)| text.starts_with(start)) {
        return (text[2..].find(end).map_or(text.len(), |found| 2 + found + end.len()), Some(Kind::Comment));
    }
    if let Some(quote) = syntax.long_quotes.iter().find(|quote| text.starts_with(**quote)) {
        return (string_length(text, quote, true, !syntax.is_shell || *quote != "'"), Some(Kind::String));
    }
    if syntax.is_shell && first == '\\' {
        return (1 + text[1..].chars().next().map_or(0, char::len_utf8), None);
    }
    if syntax.quotes.contains(&first) {
        return (string_length(text, &text[..1], false, true), Some(Kind::String));
    }
    if syntax.has_variables && first == '$' {
        let end = if text.starts_with("${") { text.find('}').map(|end| end + 1) } else { None };
        return (end.unwrap_or_else(|| 1 + word_length(&text[1..])), Some(Kind::Name));
    }
    // In a shell, numbers are mostly parts of addresses.
    if first.is_ascii_digit() && (!syntax.is_shell || before.is_whitespace()) {
        let is_part = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
        return (text.find(|character| !is_part(character)).unwrap_or(text.len()), Some(Kind::Number));
    }
    match word_length(text) {
        0 => (first.len_utf8(), None),
        length => (length, syntax.keywords.contains(&&text[..length]).then_some(Kind::Keyword)),
    }
}

/// Returns the length of the word at the start of a text.
fn word_length(text: &str) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || "_-".contains(character);
    if text.starts_with('-') { 0 } else { text.find(|character| !is_part(character)).unwrap_or(text.len()) }
}

/// Returns the length of the string at the start of a text. A string without an end is one up to the end of its line, or of the text.
fn string_length(text: &str, quote: &str, is_long: bool, has_escapes: bool) -> usize {
    let mut position = quote.len();
    while let Some(next) = text[position..].chars().next() {
        if text[position..].starts_with(quote) {
            return position + quote.len();
        }
        if next == '\n' && !is_long {
            return position;
        }
        position += next.len_utf8();
        if has_escapes && next == '\\' {
            position += text[position..].chars().next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

/// Returns `true` if a word or a string is the name of a property: the language's separator follows.
fn is_name(syntax: &Syntax, text: &str, after: &str) -> bool {
    let Some(separator) = syntax.after_name else { return false };
    let is_word = text.starts_with(|first: char| first.is_alphanumeric() || "_\"'".contains(first));
    let Some(value) = after.trim_start_matches(' ').strip_prefix(separator) else { return false };
    is_word && (!syntax.has_spaced_values || value.is_empty() || value.starts_with([' ', '\n']))
}

/// Writes HTTP messages: the names of headers, and a body of JSON.
fn message(code: &str, output: &mut Output) {
    let mut rest = code;
    while !rest.is_empty() {
        if rest.starts_with(['{', '[']) {
            return output.0.push_str(&html("json", rest));
        }
        let (line, after) = rest.split_at(rest.find('\n').map_or(rest.len(), |end| end + 1));
        match line.split_once([':', ' ']) {
            Some((name, _)) if line[name.len()..].starts_with(':') => output.token(Kind::Name, name),
            Some((method, _)) => output.token(Kind::Keyword, method),
            None => output.plain(line),
        }
        if let Some(end) = line.find([':', ' ']) {
            output.plain(&line[end..]);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_each_language_have_their_class() {
        for (language, code, tokens) in [
            ("json", "{\"a\": \"b\", \"n\": 1.5, \"x\": null}", &["hp:&quot;a&quot;", "hs:&quot;b&quot;", "hn:1.5", "hk:null"][..]),
            ("sh", "curl -s \"$GATEWAY/a#b\" # why\nfor i in 1", &["hs:&quot;$GATEWAY/a#b&quot;", "hc:# why", "hk:for", "hn:1"]),
            ("sh", "echo ${A} $B x#y", &["hp:${A}", "hp:$B"]),
            ("sh", "a 'O'\\''Neill' # b", &["hs:'O'", "hs:'Neill'", "hc:# b"]),
            ("sh", "echo 'a\\' \"b\\\"c\"", &["hs:'a\\'", "hs:&quot;b\\&quot;c&quot;"]),
            ("toml", "[server]\nlisten = \"a\" # c", &["hp:listen", "hs:&quot;a&quot;", "hc:# c"]),
            ("yaml", "url: http://a\nb: true", &["hp:url", "hp:b", "hk:true"]),
            ("http", "HTTP/1.1 200 OK\nRetry-After: 5\n\n{\"a\": 1}", &["hk:HTTP/1.1", "hp:Retry-After", "hp:&quot;a&quot;", "hn:1"]),
            ("python", "def f():  # c\n    return '''a\nb'''", &["hk:def", "hc:# c", "hk:return", "hs:'''a\nb'''"]),
            ("rust", "fn f<'a>() { \"x\" } // c", &["hk:fn", "hs:&quot;x&quot;", "hc:// c"]),
            ("go", "x := `a\nb`", &["hs:`a\nb`"]),
            ("php", "$a = new B; // c", &["hp:$a", "hk:new", "hc:// c"]),
            ("java", "/* a */ var s = \"b\\\"c\";", &["hc:/* a */", "hk:var", "hs:&quot;b\\&quot;c&quot;"]),
            ("csharp", "await x;", &["hk:await"]),
            ("kotlin", "val a = 1", &["hk:val", "hn:1"]),
            ("typescript", "const a = 'b'", &["hk:const", "hs:'b'"]),
            ("ruby", "def a # b", &["hk:def", "hc:# b"]),
        ] {
            let html = html(language, code);
            for token in tokens {
                let (class, text) = token.split_once(':').expect("class and text");
                let element = format!("<span class=\"{class}\">{text}</span>");
                assert!(html.replace("&#39;", "'").replace("&#x27;", "'").contains(&element), "{language}: {element} in {html}");
            }
        }
    }

    #[test]
    fn hostile_and_broken_code_stays_text_and_is_complete() {
        let pieces = ["<script>", "\"", "'", "`", "#", "//", "/*", "<!--", "\\", "$", "${", "é", "ß:", "{", "\n", "1", "-", "=", "&"];
        let languages = ["json", "sh", "toml", "yaml", "xml", "http", "python", "rust", "go", "php", "java", "csv", "text", "", "nginx"];
        let mut code = String::new();
        for (number, piece) in pieces.iter().cycle().take(400).enumerate() {
            code.push_str(piece);
            code.push_str(pieces[number * 7 % pieces.len()]);
        }
        for language in languages {
            for start in (0..60).filter(|start| code.is_char_boundary(*start)) {
                let html = html(language, &code[start..]);
                assert!(!html.contains("<script"), "{language}");
                let text = html.split('<').map(|part| part.split_once('>').filter(|(tag, _)| tag.starts_with("span") || *tag == "/span"));
                let text: String = text
                    .enumerate()
                    .map(|(number, part)| {
                        part.map_or(if number == 0 { html.split('<').next().unwrap_or_default() } else { "?" }, |(_, text)| text)
                    })
                    .collect();
                assert_eq!(text, escape(&code[start..]), "{language} from {start}");
            }
        }
    }
}
