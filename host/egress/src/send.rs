//! One request, from the rules to the head of the response.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use ipnet::IpNet;
use packhost_core::{Caller, CredentialName, PackName};
use packhost_manifest::Opening;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::account::{Account, Accounts, Quota};
use crate::address::{self, Closed};
use crate::body::Outgoing;
use crate::call::CallEgress;
use crate::connect::Connecting;
use crate::connection::Connection;
use crate::contact::Decision;
use crate::credential::{self, Asked};
use crate::error::{EgressError, SetupError, Wait};
use crate::headers;
use crate::pool::{Key, Obtained, Place};
use crate::redact::ResponseBody;
use crate::resolve::within_share;
use crate::rules::Verdict;
use crate::settings::{Settings, Waits};
use crate::target::Target;
use crate::tls;
use crate::transfer::Transfer;
use crate::wire::{self, Sent, Wire};

/// The way out. Cheap to clone; holds nothing of any call but connections, each for its own account.
#[derive(Clone)]
pub struct Egress {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    tls: TlsConnector,
    accounts: Accounts,
}

/// The head of the response, what it came over, and what is still needed for its body.
type Answered = (Wire, Response<Incoming>, Connection);

/// Where a request goes, once that is settled.
struct Destination {
    target: Target,
    /// All of them checked.
    addresses: Vec<SocketAddr>,
    /// The target's with credentials in it, where there are any.
    filled: Option<Url>,
}

impl Destination {
    fn url(&self) -> &Url {
        self.filled.as_ref().unwrap_or(&self.target.url)
    }
}

impl Egress {
    /// Reads the platform's trusted roots, so that later walls around the host need not let it.
    ///
    /// # Errors
    ///
    /// An extra root that is not a certificate.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let tls = tls::connector(&settings.extra_roots)?;
        Ok(Self { shared: Arc::new(Shared { settings, tls, accounts: Accounts::default() }) })
    }

    /// What the calls of this pack on behalf of this caller share.
    pub fn account(&self, pack: &PackName, caller: &Caller, quota: Quota) -> Account {
        self.shared.accounts.of(pack, caller, quota, self.shared.settings.idle)
    }

    /// Sends one request for `call` and returns the response when its head is there; its body streams, and so does
    /// the request's. Follows no redirect. Needs a tokio runtime with I/O and time.
    ///
    /// The URL is the request's absolute URI, normalised by the WHATWG URL parser; the rules see what is sent. The
    /// `Host` header is made from it, hop-by-hop and proxy headers are removed in both directions.
    ///
    /// Placeholders are replaced once the rules have passed and every address was checked. As soon as the call has used a
    /// credential, its value is taken out of what comes back; for that a response is decompressed, and nothing is otherwise.
    ///
    /// # Errors
    ///
    /// Any [`EgressError`]; after this returned, the response's body may still end with one.
    pub async fn send<B>(
        &self,
        request: Request<B>,
        call: &CallEgress,
        waits: Waits,
    ) -> Result<Response<ResponseBody>, EgressError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        call.inner.budget.charge_request()?;
        call.inner.account.charge()?;
        let target = Target::of(&request)?;
        let contact = call.inner.log.begin(target.host_str(), target.port);
        let transfer = Arc::new(Transfer::new(call.inner.clone(), contact, self.shared.settings.total));
        transfer.check()?;
        let (opened, granted) = ask(&request, &target, &transfer)?;
        let asked = match call.inner.own {
            true => None,
            false => Some(credential::plan(&request, &target.url, granted)?),
        };
        let mut interruption = transfer.interruption();
        let (wire, response, connection) = tokio::select! {
            biased;
            error = &mut interruption => return Err(error),
            answered = self.exchange(request, target, opened, asked, transfer, waits) => answered?,
        };
        wire.receive(response, connection, interruption)
    }

    async fn exchange<B>(
        &self,
        request: Request<B>,
        target: Target,
        opened: Vec<IpNet>,
        asked: Option<Asked>,
        transfer: Arc<Transfer>,
        waits: Waits,
    ) -> Result<Answered, EgressError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let settings = &self.shared.settings;
        let shorter = |asked: Option<Duration>, ours: Duration| asked.map_or(ours, |asked| asked.min(ours));
        let connecting = Connecting::new(shorter(waits.connect, settings.connect));

        let slot = transfer.call.budget.open.clone().acquire_owned();
        let slot = connecting.within(Wait::Connect, slot).await?;
        let slot = slot.map_err(|_| EgressError::Cancelled)?;
        let addresses = self.addresses(&target, &opened, &transfer, &connecting).await?;
        transfer.contact.decided(Decision::Allowed);
        let (request, filled) = credential::fill(request, &target.url, asked, &transfer.call).await?;
        let to = Destination { target, addresses, filled };
        let request = wire::prepare(request, to.url(), &transfer)?;
        let request = request.map(|body| Outgoing::new(body, transfer.clone()));
        let wire = Wire {
            transfer,
            slot,
            max_head: settings.max_head,
            max_decoded: settings.max_decoded,
            first_byte: shorter(waits.first_byte, settings.first_byte),
            between_bytes: shorter(waits.between_bytes, settings.between_bytes),
        };
        self.deliver(wire, request, &to, &connecting).await
    }

    /// Over a connection that is open already, or over a new one.
    async fn deliver(
        &self,
        wire: Wire,
        mut request: Request<Outgoing>,
        to: &Destination,
        connecting: &Connecting,
    ) -> Result<Answered, EgressError> {
        loop {
            let account = &wire.transfer.call.account;
            let obtaining = account.pool.obtain(account.caller.as_ref(), &to.target, &to.addresses);
            let (mut connection, is_new) = match connecting.within(Wait::Connect, obtaining).await? {
                Obtained::Open(connection) => (connection, false),
                Obtained::Place(place) => (self.connect(to, place, &wire, connecting).await?, true),
            };
            wire.transfer.contact.at(connection.key.peer.ip());
            let spare = if is_new { None } else { wire.spare(&request) };
            // A server may close an idle connection at any moment: what was not sent on one is sent on another.
            request = match wire.exchange(&mut connection, request, to.url()).await? {
                Sent::Answered(response) => return Ok((wire, response, connection)),
                Sent::Not(_) if is_new => return Err(wire.transfer.fail(EgressError::CLOSED)),
                Sent::Not(again) => again,
                Sent::Lost(error) => spare.ok_or_else(|| wire.fault(&error))?,
            };
        }
    }

    /// A new connection to one of the addresses.
    async fn connect(
        &self,
        to: &Destination,
        place: Place,
        wire: &Wire,
        connecting: &Connecting,
    ) -> Result<Connection, EgressError> {
        let target = &to.target;
        let stream = connecting.tcp(&to.addresses, target).await?;
        let peer = stream.peer_addr().map_err(|_| EgressError::CLOSED)?;
        let pool = &wire.transfer.call.account.pool;
        let key = Key::of(wire.transfer.call.account.caller.as_ref(), target, peer);
        let opened = if target.tls {
            let handshake = tls::handshake(&self.shared.tls, stream, target);
            let stream = connecting.within(Wait::Connect, handshake).await??;
            if tls::speaks_http2(&stream) {
                Connection::http2(stream, key, place, wire.max_head).await
            } else {
                Connection::http1(stream, key, place, wire.max_head).await
            }
        } else {
            Connection::http1(stream, key, place, wire.max_head).await
        };
        let connection = opened.map_err(|error| wire.fault(&error))?;
        if let Some(shared) = connection.shared() {
            pool.put(shared);
        }
        Ok(connection)
    }

    /// Resolves the host once, and checks every address that it has.
    pub(crate) async fn addresses(
        &self,
        target: &Target,
        opened: &[IpNet],
        transfer: &Transfer,
        connecting: &Connecting,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let unresolved = |why| EgressError::Dns { host: target.host_str().to_owned(), why };
        let addresses = match &target.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                let call = &transfer.call;
                let shares = [call.budget.lookups.clone(), call.account.pool.lookups.clone()];
                let resolving = within_share(shares, self.shared.settings.resolver.clone(), name.clone());
                connecting.within(Wait::Dns, resolving).await?.map_err(|error| {
                    tracing::debug!(%error, host = name, "a name could not be resolved");
                    unresolved("the resolver has no answer")
                })?
            }
        };
        if addresses.is_empty() {
            return Err(unresolved("it has no address"));
        }
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, target.port)).collect();
        for address in &addresses {
            let checked = address::check(*address, opened, &self.shared.settings.own_listeners);
            let within = transfer.call.rules.within();
            if let Err(closed) = checked.and_then(|()| address::stays(address.ip(), within)) {
                transfer.contact.at(address.ip());
                transfer.contact.decided(Decision::DeniedByAddress);
                return Err(refused(target, address.ip(), closed));
            }
        }
        Ok(addresses)
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").finish_non_exhaustive()
    }
}

/// Asks the rules; the networks that they open, and the credentials that they grant.
fn ask<B>(
    request: &Request<B>,
    target: &Target,
    transfer: &Transfer,
) -> Result<(Vec<IpNet>, Vec<CredentialName>), EgressError> {
    match transfer.call.rules.decide(request.method(), &target.url) {
        Verdict::Allowed { addresses, credentials } => match headers::behind_the_line(request.headers()) {
            None => Ok((addresses, credentials)),
            Some(name) => {
                transfer.contact.decided(Decision::DeniedByRule);
                Err(EgressError::Denied {
                    message: format!(
                        "the request's header {name} could make it another one than the rules allow"
                    ),
                    fix: "Send the method and the path that are meant, without that header.".to_owned(),
                })
            }
        },
        Verdict::Denied { message, fix } => {
            transfer.contact.decided(Decision::DeniedByRule);
            Err(EgressError::Denied { message, fix })
        }
    }
}

fn refused(target: &Target, address: IpAddr, closed: Closed) -> EgressError {
    let host = target.host_str().to_owned();
    let no_rule = || "No rule can open this address; use another server.".to_owned();
    let (why, fix) = match closed {
        Closed::Own => ("where this host itself listens, which is never reachable".to_owned(), no_rule()),
        Closed::Outside => (
            "outside of the networks that this may be sent to".to_owned(),
            "Send it over TLS, or name the network of the server.".to_owned(),
        ),
        Closed::Special(closed) if closed.reach.opening == Opening::Never => {
            (closed.reach.to_string(), no_rule())
        }
        Closed::Special(closed) => {
            let net = IpNet::from(closed.address);
            let fix = format!("If this is meant, the operator can add {net} to the rule's `addresses`.");
            (closed.reach.to_string(), fix)
        }
    };
    EgressError::Address { host, address, why, fix }
}
