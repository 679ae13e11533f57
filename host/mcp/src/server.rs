//! One handler for both eras of the protocol.

#![expect(deprecated, reason = "rmcp marks what the newest protocol version deprecates")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use packhost_artifacts::Artifacts;
use packhost_core::Identity;
use packhost_engine::{Door, Engine};
use rmcp::model::{
    CacheScope, CallToolRequestMethod, CallToolRequestParams, CallToolResponse, ConstString, CustomRequest,
    CustomResult, DiscoverResult, ErrorCode, Extensions, GetPromptRequestParams, GetPromptResponse,
    Implementation, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ResourcesCapability, ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::changes;
use crate::list::{Listing, Shelf};
use crate::resources;
use crate::seal::Seal;

/// Read by models, small ones too.
const INSTRUCTIONS: &str = "Each tool does one whole job in one call. \
    If a call fails, its text says what to change: change that and call again. \
    If it says that a rule is missing, ask the user; no tool can change the rules.";

/// How long a client may hold on to what the server says of itself, in milliseconds.
const KNOWN_MS: u64 = 300_000;

/// The handler of one session; of one request where the protocol has no sessions.
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Session,
}

/// What all sessions of a door have in common.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) door: Door,
    pub(crate) seal: Seal,
    shelf: Shelf,
    closing: CancellationToken,
}

/// What a session remembers.
pub(crate) struct Session {
    level: Mutex<LoggingLevel>,
    /// Whether its client is told of new catalogs.
    told: AtomicBool,
    ended: CancellationToken,
    _ends: DropGuard,
}

impl Session {
    fn new() -> Self {
        let ended = CancellationToken::new();
        Self {
            level: Mutex::new(LoggingLevel::Info),
            told: AtomicBool::new(false),
            ended: ended.clone(),
            _ends: ended.drop_guard(),
        }
    }

    /// From which level up this client wants log lines: info, until it says otherwise.
    pub(crate) fn log_level(&self) -> LoggingLevel {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// A handler for calls that come through `door`. When `closing` is cancelled, subscriptions end; calls that run
    /// go on.
    pub fn new(engine: Engine, door: Door, closing: CancellationToken) -> Self {
        let shelf = Shelf::new(engine.catalog());
        let shared = Shared { engine, door, seal: Seal::new(), shelf, closing };
        Self { shared: Arc::new(shared), session: Session::new() }
    }

    /// A handler for another session of the same door.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), session: Session::new() }
    }

    /// Who calls. Over HTTP that is who the listener says it is; a request that it did not vouch for is nobody's.
    pub(crate) fn identity(&self, extensions: &Extensions) -> Result<Identity, ErrorData> {
        if self.shared.door != Door::Http {
            return Ok(Identity::local());
        }
        let vouched =
            extensions.get::<http::request::Parts>().and_then(|parts| parts.extensions.get::<Identity>());
        vouched.cloned().ok_or_else(|| ErrorData::internal_error("the listener did not say who calls", None))
    }

    fn artifacts(&self) -> Option<&Artifacts> {
        self.shared.engine.artifacts()
    }

    pub(crate) fn listing(&self) -> Arc<Listing> {
        self.shared.shelf.listing(self.shared.engine.catalog())
    }
}

/// Whether this request is of the stateless era.
pub(crate) fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        // Many clients ask for prompts whatever a server declares, and take an empty list better than an error.
        let mut capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_prompts()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        if self.artifacts().is_some() {
            capabilities.resources = Some(ResourcesCapability::default());
        }
        let name = Implementation::new("packhost", env!("CARGO_PKG_VERSION")).with_title("packhost");
        ServerConfig::new(capabilities)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let about = DiscoverResult::from_server_info(versions, self.get_info());
        Ok(about.with_ttl_ms(KNOWN_MS).with_cache_scope(CacheScope::Private))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.listing().page(request.as_ref(), &self.identity(&context.extensions)?)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        Err(ErrorData::invalid_params(format!("there is no prompt \"{}\"", request.name), None))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(self.artifacts(), &self.identity(&context.extensions)?, request).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates(self.artifacts()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let identity = self.identity(&context.extensions)?;
        Ok(resources::read(self.artifacts(), &identity, &request.uri).await?.into())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request.into(), context).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method == CallToolRequestMethod::VALUE {
            return self.call_loosely(request.params, context).await;
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.listing().tool(name).cloned()
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        *self.session.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // A client may say so as often as it likes.
        if self.session.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let generations = self.shared.engine.generations();
        tokio::spawn(changes::tell_peer(generations, context.peer, self.session.ended.clone()));
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let generations = self.shared.engine.generations();
        changes::tell_subscriber(generations, subscription, self.shared.closing.clone()).await
    }
}
