//! Markdown of the documentation, as HTML.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::blocks;
use super::page::Heading;

/// The content of a page in Markdown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The heading of level 1 as text: empty if there is none.
    pub title: String,
    /// The first paragraph below it, as text.
    pub summary: String,
    /// The content without the heading of level 1, as HTML.
    pub html: String,
    /// The headings of level 2 and 3.
    pub headings: Vec<Heading>,
}

/// Renders Markdown. `link` returns the address for the target of each link and image.
///
/// Comments of HTML are left out. All other HTML in Markdown is shown as text.
pub fn render(markdown: &str, link: impl Fn(&str) -> String) -> Content {
    render_events(events(markdown), link)
}

/// Returns the parts of a page in Markdown.
pub fn events(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
}

/// Renders the parts of a page, as [`render`] does.
pub fn render_events<'e>(mut parser: impl Iterator<Item = Event<'e>>, link: impl Fn(&str) -> String) -> Content {
    let mut content = Content::default();
    let mut ids = Vec::new();
    let mut labels = Labels::default();
    let mut events: Vec<Event<'_>> = Vec::new();
    while let Some(event) = parser.next() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let inner: Vec<Event<'_>> = parser.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_)))).collect();
                let text = text_of(&inner);
                labels.heading.clone_from(&text);
                if level == HeadingLevel::H1 && content.title.is_empty() {
                    content.title = text;
                    continue;
                }
                let (level, id) = (level as u8, unique(slug(&text), &mut ids));
                let mut inner_html = String::new();
                html::push_html(&mut inner_html, linked(inner, &link).into_iter());
                events.push(raw(blocks::heading(level, &id, &inner_html, &text)));
                if matches!(level, 2 | 3) {
                    content.headings.push(Heading { level, id, text });
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let inner: Vec<Event<'_>> = parser.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::CodeBlock))).collect();
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split([' ', ':', ',']).next().unwrap_or_default(),
                    CodeBlockKind::Indented => "",
                };
                events.push(raw(blocks::code(language, &text_of(&inner), &labels.next("Code"))));
            }
            // The parser returns each line of a block of HTML alone: comments can have several.
            Event::Start(Tag::HtmlBlock) => {
                let lines = parser.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::HtmlBlock)));
                let html: String =
                    lines.map(|event| if let Event::Html(line) = event { line.into_string() } else { String::new() }).collect();
                events.extend(linked(vec![raw(html)], &link));
            }
            Event::Start(Tag::Table(alignments)) => {
                events.push(raw(blocks::table_start(&labels.next("Table"))));
                events.push(Event::Start(Tag::Table(alignments)));
            }
            Event::End(TagEnd::Table) => events.extend([event, raw(blocks::TABLE_END.to_owned())]),
            Event::End(TagEnd::Paragraph) if content.summary.is_empty() => {
                let start = events.iter().rposition(|event| matches!(event, Event::Start(Tag::Paragraph))).unwrap_or_default();
                content.summary = text_of(&events[start..]);
                events.push(event);
            }
            event => events.extend(linked(vec![event], &link)),
        }
    }
    html::push_html(&mut content.html, events.into_iter());
    // The content security policy forbids styles in attributes. Text has no `<`.
    for (style, class) in [("left", ""), ("center", ""), ("right", " class=\"number\"")] {
        for cell in ["td", "th"] {
            let (from, to) = (format!("<{cell} style=\"text-align: {style}\">"), format!("<{cell}{class}>"));
            content.html = content.html.replace(&from, &to);
        }
    }
    content
}

/// Names for the regions of a page that scroll. Each region has another one.
#[derive(Default)]
struct Labels {
    heading: String,
    count: usize,
}

impl Labels {
    fn next(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind} {} in “{}”", self.count, self.heading)
    }
}

/// Renders Markdown without tables and headings, such as a description of the OpenAPI document. All HTML in it is shown as text.
pub fn prose(markdown: &str) -> String {
    let mut content = String::new();
    html::push_html(&mut content, linked(Parser::new(markdown).collect(), &str::to_owned).into_iter());
    content
}

/// Returns HTML of our own as an event.
fn raw(html: String) -> Event<'static> {
    Event::Html(html.into())
}

/// Returns events with the addresses of their links, and with the HTML of the author as text.
fn linked<'e>(events: Vec<Event<'e>>, link: &impl Fn(&str) -> String) -> Vec<Event<'e>> {
    let linked = events.into_iter().filter_map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Some(Event::Start(Tag::Link { link_type, dest_url: CowStr::from(link(&dest_url)), title, id }))
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Some(Event::Start(Tag::Image { link_type, dest_url: CowStr::from(link(&dest_url)), title, id }))
        }
        Event::Html(html) | Event::InlineHtml(html) => {
            let text = without_comments(&html);
            (!text.trim().is_empty()).then(|| Event::Text(text.into()))
        }
        event => Some(event),
    });
    linked.collect()
}

/// Returns HTML without its comments.
fn without_comments(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    text + rest
}

/// Returns the text of events, without markup.
fn text_of(events: &[Event<'_>]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    text
}

/// Returns the fragment for a heading, as GitHub makes it: links then work in the repository too.
pub fn slug(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            other => other.is_alphanumeric().then_some(other),
        })
        .collect()
}

/// Returns the fragment with a number if an earlier heading of the page has it.
fn unique(slug: String, earlier: &mut Vec<String>) -> String {
    let same = earlier.iter().filter(|id| **id == slug).count();
    earlier.push(slug.clone());
    if same == 0 { slug } else { format!("{slug}-{same}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_its_title_its_summary_and_the_fragments_of_its_headings() {
        let text = "# The *title*\n\nThe first\n`line`.\n\n## A & B: `c`\n\n[x](OTHER.md)\n\n## A & B: `c`\n";
        let content = render(text, |target| format!("to-{target}"));
        assert_eq!((content.title.as_str(), content.summary.as_str()), ("The title", "The first line."));
        let ids: Vec<&str> = content.headings.iter().map(|heading| heading.id.as_str()).collect();
        assert_eq!(ids, ["a--b-c", "a--b-c-1"]);
        assert!(content.html.contains("<h2 id=\"a--b-c\">A &amp; B: <code>c</code></h2>"), "{}", content.html);
        assert!(content.html.contains("<a href=\"to-OTHER.md\">x</a>"), "{}", content.html);
    }

    #[test]
    fn html_of_the_author_is_text_and_comments_are_left_out() {
        let text = "# T\n\n<!-- generated\nfrom the code -->\n\nA <b>bold</b> <!-- c --> word.\n\n\
            <script>alert(1)</script>\n\n## <i>H</i>\n\n```json\n\"<b>\"\n```\n";
        let html = render(text, str::to_owned).html;
        assert!(!html.contains("<b>") && !html.contains("<script") && !html.contains("<i>") && !html.contains("<!--"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("&lt;b&gt;bold&lt;/b&gt;"), "{html}");
        assert!(!html.contains("generated") && !html.contains("from the code"), "{html}");
    }

    #[test]
    fn each_table_and_each_code_scrolls_in_a_region_with_a_name_of_its_own() {
        let table = "| a | b |\n|---|---|\n| 1 | 2 |\n\n";
        let html = render(&format!("# T\n\n{table}## H\n\n{table}```sh not-run: a reason\nls # c\n```\n"), str::to_owned).html;
        for label in ["Table 1 in “T”", "Table 2 in “H”", "Code 3 in “H”"] {
            assert!(html.contains(&format!("tabindex=\"0\" role=\"region\" aria-label=\"{label}\"")), "{label}: {html}");
        }
        assert!(html.contains("<span class=\"hc\"># c</span>"), "{html}");
    }

    #[test]
    fn aligned_columns_have_no_inline_style() {
        let html = render("| a | b | c |\n|---:|:---|:-:|\n| 1 | style=\"text-align: right\" | 3 |\n", str::to_owned).html;
        assert!(html.contains("<td class=\"number\">1</td><td>style=\"text-align: right\"</td><td>3</td>"), "{html}");
    }

    #[test]
    fn html_in_prose_stays_text() {
        let html = prose("Send `<b>`, <script>alert(1)</script>\n\n<img src=x onerror=y>\n\n* [x](y)");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("&lt;script&gt;") && html.contains("<li><a href=\"y\">x</a></li>"), "{html}");
    }
}
