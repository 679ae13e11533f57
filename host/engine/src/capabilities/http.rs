//! `wasi:http`: outgoing requests, 0.2 and 0.3, through one hook into egress.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::BodyExt;
use packhost_core::Failure;
use packhost_egress::{Account, CallEgress, Egress, EgressError, Ending, Holding, Rules, Verdict, Waits};
use packhost_manifest::{Decision, DeniedRequest, Entry, Grants, HttpGrants, Limits, Place};
use packhost_package::Outline;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::Granted;
use crate::runtime::{Flavour, Guest, Stop};

pub(super) fn link(linker: &mut Linker<Guest>, flavour: Flavour) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    if flavour == Flavour::Concurrent {
        wasmtime_wasi_http::p3::add_to_linker(linker)?;
    }
    Ok(())
}

pub(super) fn unmet(outline: &Outline, entry: &Entry) -> Option<String> {
    (super::imports(outline, "wasi:http/") && !entry.may_send())
        .then(|| "it makes outgoing requests (wasi:http) and its entry has no \"http\"".into())
}

pub(super) fn build(granted: &Granted<'_>) -> Outgoing {
    let Spending { call, decided } = granted.spending.of(&granted.grants, Side::Pack);
    Outgoing { egress: granted.spending.egress.clone(), call, refused: Arc::default(), decided }
}

/// Whose requests are decided about: both sides of a call have rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The pack itself.
    Pack,
    /// Programs in its sandbox.
    Sandbox,
}

/// What a call sends with.
pub(crate) struct Spends<'a> {
    pub(crate) egress: &'a Egress,
    pub(crate) account: Account,
    pub(crate) holding: Holding,
    pub(crate) limits: &'a Limits,
    pub(crate) stop: &'a Stop,
}

/// One side of a call as egress sees it, and the requests that no rule allows.
pub(crate) struct Spending {
    pub(crate) call: CallEgress,
    pub(crate) decided: Decided,
}

impl Spends<'_> {
    /// The bounds hold for each side by itself.
    pub(crate) fn of(&self, grants: &Arc<Grants>, side: Side) -> Spending {
        let decided = Decided::default();
        let rules = Granting { grants: Arc::clone(grants), side, decided: decided.clone() };
        let allowance = packhost_egress::Allowance {
            requests: self.limits.requests.into(),
            bytes: self.limits.transfer,
            ..packhost_egress::Allowance::default()
        };
        let ending = Ending { revoked: self.stop.revoked().clone(), cancelled: self.stop.token().clone() };
        let (account, holding) = (self.account.clone(), self.holding.clone());
        Spending { call: CallEgress::of(account, Arc::new(rules), allowance, holding, ending), decided }
    }
}

/// Of one call, this many requests that no rule allows are noted.
const DENIED: usize = 64;

/// What the rules of a call have decided. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Decided(Arc<Mutex<Decisions>>);

#[derive(Default)]
struct Decisions {
    /// What no rule allows, each request once.
    denied: Vec<DeniedRequest>,
    /// Where the rules stand that have allowed something, each once.
    rules: Vec<Place>,
}

impl Decided {
    /// The requests that no rule allows, those that went out all the same included.
    pub(crate) fn denied(&self) -> Vec<DeniedRequest> {
        self.lock().denied.clone()
    }

    /// Where the rules stand that have allowed something.
    pub(crate) fn rules(&self) -> Vec<Place> {
        self.lock().rules.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Decisions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, decision: &Decision) {
        if let Decision::Reported(allowed, _) | Decision::Allowed(allowed) = decision {
            self.allowed_by(&allowed.place);
        }
        if let Decision::Reported(_, denial) | Decision::Denied(denial) = decision
            && let Some(request) = &denial.request
        {
            let mut decisions = self.lock();
            if decisions.denied.len() < DENIED && !decisions.denied.contains(request) {
                decisions.denied.push(request.clone());
            }
        }
    }

    fn allowed_by(&self, rule: &Place) {
        let mut decisions = self.lock();
        if !decisions.rules.contains(rule) {
            decisions.rules.push(rule.clone());
        }
    }
}

/// The grants of one call, as egress asks for them.
struct Granting {
    grants: Arc<Grants>,
    side: Side,
    decided: Decided,
}

impl Granting {
    /// The rules that count; none for a sandbox where there is none.
    fn http(&self) -> Option<&HttpGrants> {
        match self.side {
            Side::Pack => Some(&self.grants.http),
            Side::Sandbox => self.grants.session.as_ref().map(|session| &session.http),
        }
    }
}

impl Rules for Granting {
    fn decide(&self, method: &http::Method, url: &url::Url) -> Verdict {
        let Some(http) = self.http() else { return nothing() };
        let decision = http.decide(method.as_str(), url);
        self.decided.note(&decision);
        verdict(decision)
    }

    fn tunnel(&self, origin: &url::Url) -> Verdict {
        let Some(http) = self.http() else { return nothing() };
        let decision = http.tunnel(origin);
        // A tunnel that is denied is a contact on the record, and no request that a rule could allow as it stands.
        if let Decision::Allowed(allowed) = &decision {
            self.decided.allowed_by(&allowed.place);
        }
        verdict(decision)
    }

    fn terminates(&self, origin: &url::Url) -> bool {
        self.http().is_some_and(|http| http.terminates(origin))
    }
}

/// Where there are no rules, nothing leaves.
fn nothing() -> Verdict {
    Verdict::Denied {
        message: "no request may leave this sandbox".to_owned(),
        fix: "Ask the operator for a rule under `session.http`.".to_owned(),
    }
}

fn verdict(decision: Decision) -> Verdict {
    match decision {
        Decision::Allowed(allowed) | Decision::Reported(allowed, _) => {
            Verdict::Allowed { addresses: allowed.addresses, credentials: allowed.credentials }
        }
        Decision::Denied(denial) => Verdict::Denied { message: denial.what, fix: denial.missing },
    }
}

/// The first request since the last good one that did not come to an end, so that the agent can be told which rule is missing and not just "denied".
type FirstRefusal = Arc<Mutex<Option<Failure>>>;

/// The way out for one call.
pub(crate) struct Outgoing {
    egress: Egress,
    call: CallEgress,
    refused: FirstRefusal,
    decided: Decided,
}

impl Outgoing {
    /// What the rules have decided so far.
    pub(crate) fn decided(&self) -> &Decided {
        &self.decided
    }

    /// The first request that did not leave, if one did not.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was contacted, for the record.
    pub(crate) fn call(&self) -> &CallEgress {
        &self.call
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let (egress, call, refused) = (self.egress.clone(), self.call.clone(), Arc::clone(&self.refused));
        Box::new(async move {
            match egress.send(request, &call, waits(options)).await {
                Ok(response) => {
                    // What failed before was made good: it does not explain what the pack says from here on.
                    forget(&refused);
                    let response =
                        response.map(|body| body.map_err(move |error| note(&refused, error)).boxed_unsync());
                    Ok((response, Box::new(std::future::ready(Ok(()))) as Box<dyn Future<Output = _> + Send>))
                }
                Err(error) => Err(note(&refused, error)),
            }
        })
    }
}

/// Keeps the failure for the agent and tells the guest its kind.
fn note(refused: &FirstRefusal, error: EgressError) -> Error {
    // What ends with its call explains nothing that the pack has said before.
    if error != EgressError::Cancelled {
        let failure = Failure::from(error.clone());
        refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }
    to_wasi(error)
}

fn forget(refused: &FirstRefusal) {
    refused.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// What the guest would wait at most; egress takes the smaller of this and its own.
fn waits(options: Option<RequestOptions>) -> Waits {
    let options = options.unwrap_or_default();
    Waits {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        between_bytes: options.between_bytes_timeout,
    }
}

/// What the guest is told: the kind of failure, in the words that `wasi:http` has.
fn to_wasi(error: EgressError) -> Error {
    match error {
        EgressError::Denied { .. }
        | EgressError::Misplaced { .. }
        | EgressError::CredentialNotGranted { .. }
        | EgressError::Credential { .. }
        | EgressError::Revoked
        | EgressError::Rate { .. }
        | EgressError::Unsigned { .. }
        | EgressError::Budget { .. } => Error::HttpRequestDenied,
        EgressError::Address { .. } => Error::DestinationIpProhibited,
        EgressError::Url(_) => Error::HttpRequestUriInvalid,
        EgressError::Dns { .. } => Error::DnsError { rcode: None, info_code: None },
        EgressError::Connect { .. } => Error::ConnectionRefused,
        EgressError::Tls { certificate: true, .. } => Error::TlsCertificateError,
        EgressError::Tls { .. } => Error::TlsProtocolError,
        EgressError::Timeout { wait: packhost_egress::Wait::Dns, .. } => Error::DnsTimeout,
        EgressError::Timeout { wait: packhost_egress::Wait::Connect, .. } => Error::ConnectionTimeout,
        EgressError::Timeout { .. } => Error::HttpResponseTimeout,
        EgressError::TooLarge { .. } => Error::HttpResponseHeaderSectionSize(None),
        EgressError::Decoded { .. } => Error::HttpResponseBodySize(None),
        EgressError::Opaque(_) => Error::HttpResponseContentCoding(None),
        EgressError::Protocol(_) => Error::HttpProtocolError,
        EgressError::Cancelled => Error::ConnectionTerminated,
    }
}
