//! The pack `web.scrape`: a page's main content as Markdown. Runs no scripts of the page.

use std::collections::HashSet;

use dom_query::Document;
use dom_smoothie::{Config, Readability};
use packhost_charset::{Markup, decode};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, http, text};

/// Bytes of HTML that are read at most.
const LARGEST: usize = 8 << 20;

/// Elements of a page that is still looked at; beyond, its whole text is answered.
const ELEMENTS: usize = 100_000;

/// Links that are answered at most.
const LINKS: usize = 500;

/// Bytes of JSON that each part of an answer may take: all of it may have 1 MiB as shipped.
const MARKDOWN_LARGEST: usize = 512 << 10;
const HTML_LARGEST: usize = 256 << 10;
const LINKS_LARGEST: usize = 192 << 10;

/// Characters of a title, and of the words of a link.
const WORDS: usize = 500;

const HOPS: u32 = 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The page's absolute address, such as "https://example.com/article".
    url: String,
    /// What to return: "markdown" always; add "links" for the page's links, "html" for the main content as HTML.
    #[serde(default)]
    formats: Vec<Format>,
    /// How many characters of Markdown to return at most, and of HTML where that is asked for.
    #[serde(default = "hundred_thousand")]
    #[schemars(range(min = 1, max = 500_000))]
    max_chars: usize,
}

fn hundred_thousand() -> usize {
    100_000
}

#[derive(Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Markdown,
    Html,
    Links,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The address that answered; after redirects, the last one.
    url: String,
    /// The HTTP status code.
    status: u16,
    /// The page's title.
    title: String,
    /// The main content.
    markdown: String,
    /// The Markdown or HTML was longer than max_chars, or the page too long, and was cut.
    truncated: bool,
    /// The links of the page, in order, each once; when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<Link>>,
    /// The main content as HTML; when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Link {
    /// The words of the link.
    text: String,
    /// Where it leads.
    url: String,
}

packhost_sdk::pack! {
    name: "web.scrape",
    title: "Read a web page",
    description: "Fetches a web page and returns its main content as Markdown, without menus and advertisements. \
                  For web APIs and raw responses, use http.fetch.",
    effects: [read_only, idempotent],
    wants: { http: "to fetch the page that it is asked for" },
    examples: [{ "url": "https://example.com/article" }, { "url": "https://example.com", "formats": ["links"] }],
    run: scrape,
}

fn scrape(input: Input) -> Result<Output, Error> {
    let response = http::Request::get(http::url(&input.url)?)
        .header("accept", "text/html,application/xhtml+xml,text/plain;q=0.8")
        .header("user-agent", concat!("packhost-web.scrape/", env!("CARGO_PKG_VERSION")))
        .follow(HOPS)?;
    let (url, status) = (response.url.clone(), response.status);
    let kind = response.header("content-type").unwrap_or("text/html").to_ascii_lowercase();
    refuse_errors(&url, status)?;
    if !["html", "text/", "xml"].iter().any(|known| kind.contains(known)) {
        return Err(
            Error::invalid_input(format!("{url} is {kind}, not a web page.")).fix("Use http.fetch for it.")
        );
    }
    let body = response.read(LARGEST)?;
    let page = if kind.contains("html") || kind.contains("xml") {
        let source = decode(&body.bytes, Some(&kind), Markup::Html);
        Page::read(source, &url, &input.formats)
    } else {
        Page { markdown: decode(&body.bytes, Some(&kind), Markup::None), ..Page::default() }
    };
    let Page { mut title, mut markdown, mut html, links } = page;
    text::cut(&mut title, WORDS, usize::MAX);
    let mut truncated = body.truncated | text::cut(&mut markdown, input.max_chars, MARKDOWN_LARGEST);
    if let Some(html) = &mut html {
        truncated |= text::cut(html, input.max_chars, HTML_LARGEST);
    }
    Ok(Output { url: url.into(), status, title, markdown, truncated, links, html })
}

/// What is in a page.
#[derive(Default)]
struct Page {
    title: String,
    markdown: String,
    html: Option<String>,
    links: Option<Vec<Link>>,
}

impl Page {
    fn read(source: String, url: &http::Url, formats: &[Format]) -> Self {
        let page = Document::from(source);
        let links = formats.contains(&Format::Links).then(|| links(&page, url));
        let title = words(&page.select_single("title").text());
        let whole = page.body().map(|body| (body.md(None), body.html()));
        let config = Config { max_elements_to_parse: ELEMENTS, ..Config::default() };
        let article = Readability::with_document(page, Some(url.as_str()), Some(config))
            .and_then(|mut readability| readability.parse())
            .ok();
        let (title, markdown, html) = match article {
            // A heading repeats the title in most articles; readability takes it out of the content.
            Some(article) => {
                (article.title, Document::fragment(article.content.clone()).md(None), article.content)
            }
            None => whole.map(|(markdown, html)| (title, markdown, html)).unwrap_or_default(),
        };
        let html = formats.contains(&Format::Html).then(|| html.to_string());
        Self { title, markdown: markdown.trim().to_owned(), html, links }
    }
}

fn refuse_errors(url: &http::Url, status: u16) -> Result<(), Error> {
    match status {
        200..=299 => Ok(()),
        404 | 410 => Err(Error::not_found(format!("There is no page at {url} (status {status})."))),
        401 | 403 => Err(Error::auth_failed(format!("{url} does not let us in (status {status})."))),
        429 => Err(Error::rate_limited(format!("{url} asks to slow down (status 429)."))),
        _ => Err(Error::failed(format!("{url} answered with status {status} instead of a page."))),
    }
}

fn links(page: &Document, base: &http::Url) -> Vec<Link> {
    let (mut seen, mut all, mut room) = (HashSet::new(), Vec::new(), LINKS_LARGEST);
    for anchor in page.select("a[href]").iter() {
        let Some(url) = anchor.attr("href").and_then(|href| base.join(&href).ok()) else { continue };
        if all.len() < LINKS && matches!(url.scheme(), "http" | "https") && seen.insert(url.clone()) {
            let (mut text, url) = (words(&anchor.text()), String::from(url));
            text::cut(&mut text, WORDS, usize::MAX);
            // What is around them takes less than 40 bytes. One that is too long may be followed by shorter ones.
            if let Some(left) = room.checked_sub(text::json_len(&text) + text::json_len(&url) + 40) {
                room = left;
                all.push(Link { text, url });
            }
        }
    }
    all
}

/// Text of a page on one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
