//! The tools as clients see them, made once per catalog.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use packhost_core::{Identity, PackName};
use packhost_engine::{Annotations, Catalog, Tool};
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, JsonObject, ListToolsResult, MetaObject, PaginatedRequestParams, ToolAnnotations,
};
use serde_json::{Value, json};

use crate::meta;

/// How long a client may hold on to a list, in milliseconds. Those that listen hear of a change at once.
const FRESH_MS: u64 = 60_000;

/// The listing of the catalog that was asked for last.
pub(crate) struct Shelf(ArcSwap<Listing>);

impl Shelf {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self(ArcSwap::from_pointee(Listing::new(catalog)))
    }

    /// The listing of this catalog; made anew only where the catalog is another one.
    pub(crate) fn listing(&self, catalog: Arc<Catalog>) -> Arc<Listing> {
        let held = self.0.load_full();
        if Arc::ptr_eq(&held.catalog, &catalog) {
            return held;
        }
        let made = Arc::new(Listing::new(catalog));
        self.0.store(Arc::clone(&made));
        made
    }
}

/// A catalog and its tools in the form of the wire.
pub(crate) struct Listing {
    catalog: Arc<Catalog>,
    tools: HashMap<PackName, rmcp::model::Tool>,
}

impl Listing {
    fn new(catalog: Arc<Catalog>) -> Self {
        let tools = catalog.tools().map(|tool| (tool.name.clone(), on_the_wire(tool))).collect();
        Self { catalog, tools }
    }

    /// `tools/list`: one page, in the order of the catalog, of what this caller may see.
    pub(crate) fn page(
        &self,
        request: Option<&PaginatedRequestParams>,
        identity: &Identity,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("unknown cursor: the list has one page", None));
        }
        let tools = self.catalog.visible_to(identity).filter_map(|tool| self.tools.get(&tool.name)).cloned();
        let list = ListToolsResult::with_all_items(tools.collect());
        Ok(list.with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    /// A tool by its own name or by the pack's.
    pub(crate) fn tool(&self, name: &str) -> Option<&rmcp::model::Tool> {
        self.tools.get(&self.catalog.find(name)?.name)
    }

    /// Whether there is such a tool for this caller.
    pub(crate) fn shows(&self, name: &str, identity: &Identity) -> bool {
        self.catalog.find(name).is_some_and(|tool| tool.is_visible_to(identity))
    }
}

fn on_the_wire(tool: &Tool) -> rmcp::model::Tool {
    let pack = json!({"name": tool.name, "version": tool.pack.version});
    let about = MetaObject([(meta::PACK.to_owned(), pack)].into_iter().collect());
    let input = input_schema(&tool.input_schema);
    let mut wire = rmcp::model::Tool::new(tool.tool.as_str().to_owned(), tool.description.clone(), input)
        .with_title(tool.title.clone())
        .with_annotations(hints(tool.annotations))
        .with_meta(about);
    // A boolean is a schema too, but one that says nothing to a client.
    if let Some(Value::Object(schema)) = tool.output_schema.as_deref() {
        wire = wire.with_raw_output_schema(Arc::new(schema.clone()));
    }
    wire
}

/// The input's schema. Its root has to say that it is an object (schema `Tool.inputSchema`).
fn input_schema(schema: &Value) -> JsonObject {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.entry("type").or_insert_with(|| "object".into());
    schema
}

fn hints(hints: Annotations) -> ToolAnnotations {
    ToolAnnotations::new()
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world)
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;

    use super::*;

    #[test]
    fn a_cursor_that_was_never_given_out_is_refused() {
        let listing = Listing::new(Arc::default());
        let request = PaginatedRequestParams::default().with_cursor(Some("2".into()));
        let error = listing.page(Some(&request), &Identity::local()).expect_err("there is one page");
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        let page =
            listing.page(Some(&PaginatedRequestParams::default()), &Identity::local()).expect("a page");
        assert_eq!((page.next_cursor, page.cache_scope), (None, Some(CacheScope::Private)));
        assert_eq!(page.ttl_ms, Some(FRESH_MS));
    }

    #[test]
    fn a_listing_is_made_once_per_catalog() {
        let (first, second) = (Arc::<Catalog>::default(), Arc::<Catalog>::default());
        let shelf = Shelf::new(Arc::clone(&first));
        let listing = shelf.listing(Arc::clone(&first));
        assert!(Arc::ptr_eq(&listing, &shelf.listing(first)));
        assert!(!Arc::ptr_eq(&listing, &shelf.listing(second)));
    }

    #[test]
    fn every_input_schema_says_that_it_is_an_object() {
        assert_eq!(
            Value::Object(input_schema(&json!({"properties": {}}))),
            json!({"properties": {}, "type": "object"})
        );
        assert_eq!(Value::Object(input_schema(&json!(true))), json!({"type": "object"}));
    }

    #[test]
    fn hints_are_all_said() {
        let all =
            hints(Annotations { read_only: true, destructive: false, idempotent: true, open_world: false });
        assert_eq!(
            serde_json::to_value(all).expect("hints are JSON"),
            json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false})
        );
    }
}
