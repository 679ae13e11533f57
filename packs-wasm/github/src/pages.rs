//! Lists that come in pages: the next one is where the header `link` says (RFC 8288).

use packhost_sdk::api::Transport;
use packhost_sdk::http::{Reply, Url};
use packhost_sdk::{Error, text};
use serde::Serialize;

use crate::client::{GitHub, Subject};

/// The most pages of one list.
const PAGES: usize = 10;

/// Entries of a page; GitHub's own most.
pub(crate) const PAGE: usize = 100;

/// Bytes of JSON that a list's entries may take together: an answer may have 1 MiB as shipped.
const LARGEST: usize = 768 << 10;

/// Entries of a list, and whether there are more.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<E> {
    /// In GitHub's order.
    pub items: Vec<E>,
    /// There are, or may be, more than these.
    pub truncated: bool,
}

/// Entries while they are collected.
struct Collected<E> {
    items: Vec<E>,
    limit: usize,
    room: usize,
}

impl<E: Serialize> Collected<E> {
    /// Takes an entry, unless there is no place for it.
    fn take(&mut self, item: E) -> bool {
        let length = serde_json::to_string(&item).map_or(usize::MAX, |json| json.len().saturating_add(1));
        let fits = self.items.len() < self.limit && length <= self.room;
        if fits {
            self.room -= length;
            self.items.push(item);
        }
        fits
    }
}

impl<T: Transport> GitHub<T> {
    /// At most `limit` entries of a list, over at most ten pages. `read` takes the entries out of a page.
    ///
    /// Of the link to the next page only its query is taken: the path stays the one that the call names and the
    /// manifest grants, whatever the answer says.
    pub(crate) fn list<E: Serialize>(
        &self,
        subject: &Subject<'_>,
        query: &[(&str, &str)],
        limit: usize,
        mut read: impl FnMut(&Reply) -> Result<Vec<E>, Error>,
    ) -> Result<Listed<E>, Error> {
        let mut request = self.request("GET", subject.path);
        request.url.query_pairs_mut().extend_pairs(query);
        let mut found = Collected { items: Vec::new(), limit, room: LARGEST };
        for _ in 0..PAGES {
            let reply = self.send(&request, subject)?;
            for item in read(&reply)? {
                if !found.take(item) {
                    return Ok(Listed { items: found.items, truncated: true });
                }
            }
            let Some(next) = next_query(&reply, &request.url) else {
                return Ok(Listed { items: found.items, truncated: false });
            };
            if found.items.len() == limit {
                break;
            }
            request.url.set_query(Some(&next));
        }
        Ok(Listed { items: found.items, truncated: true })
    }
}

/// Entries of a page for a list of at most `limit`.
pub(crate) fn page_size(limit: usize) -> String {
    limit.clamp(1, PAGE).to_string()
}

/// The query of the link whose relation is `next`.
fn next_query(reply: &Reply, base: &Url) -> Option<String> {
    let mut rest = reply.header("link")?;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let end = after.find('<').unwrap_or(after.len());
        let (parameters, following) = after.split_at(end);
        if parameters.split([';', ',']).any(is_next) {
            return base.join(target).ok()?.query().map(str::to_owned);
        }
        rest = following;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    parameter.trim().split_once('=').is_some_and(|(name, value)| {
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel") && relations.any(|r| r.eq_ignore_ascii_case("next"))
    })
}

/// Cuts what an answer shows of a text that others wrote; says whether there was more.
pub(crate) fn shorten(text: &mut Option<String>, json: usize) -> bool {
    text.as_mut().is_some_and(|text| text::cut(text, usize::MAX, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_of_the_next_link_is_taken() {
        let base = Url::parse("https://api.github.com/repos/o/r/issues?per_page=3").expect("a URL");
        let cases = [
            (
                r#"<https://api.github.com/repositories/1/issues?per_page=3&page=2>; rel="next""#,
                Some("per_page=3&page=2"),
            ),
            (
                r#"<https://a.example/?page=1>; rel="prev", <https://evil.example/x?page=3>; rel="next""#,
                Some("page=3"),
            ),
            (r#"<https://a.example/?a=1,2>; title="b"; REL="last next""#, Some("a=1,2")),
            (r#"<?page=9>; rel=next"#, Some("page=9")),
            (r#"<https://a.example/?page=1>; rel="nextish", <https://a.example/?page=2>; rel="last""#, None),
            (r#"<https://a.example/none>; rel="next""#, None),
            (r#"<https://a.example/?page=1; rel="next""#, None),
            ("", None),
        ];
        for (link, expected) in cases {
            let headers = vec![("link".to_owned(), link.to_owned())];
            let reply = Reply { status: 200, headers, body: Vec::new() };
            assert_eq!(next_query(&reply, &base).as_deref(), expected, "{link}");
        }
    }
}
