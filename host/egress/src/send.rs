//! One request, from the rules to the head of the response.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use ipnet::IpNet;
use packhost_core::CredentialName;
use packhost_manifest::Opening;
use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsConnector;
use url::Host;

use crate::address::{self, Closed};
use crate::call::CallEgress;
use crate::connect::Connecting;
use crate::contact::Decision;
use crate::credential::{self, Asked};
use crate::error::{EgressError, SetupError, Wait};
use crate::redact::ResponseBody;
use crate::resolve::{Resolve, SystemResolver, within_share};
use crate::rules::Verdict;
use crate::target::Target;
use crate::tls;
use crate::transfer::Transfer;
use crate::wire::{self, Wire};

/// How requests leave, for the whole host.
#[derive(Clone)]
pub struct Settings {
    /// For a free slot, the name, the TCP connection and TLS together. Default 10 s.
    pub connect: Duration,
    /// From the end of the request to the response's head. Default 30 s.
    pub first_byte: Duration,
    /// Between two pieces of a response body. Default 60 s.
    pub between_bytes: Duration,
    /// For the whole exchange, bodies included. Default 5 min.
    pub total: Duration,
    /// The largest response head (status line and headers) in bytes; also the limit for trailers. At most 256
    /// fields are read. Default 64 KiB.
    pub max_head: usize,
    /// The most that a compressed response body may become, in bytes, where the host has to look into it: when the call has
    /// used a credential. Default 64 MiB.
    pub max_decoded: u64,
    /// Roots that are trusted besides the platform's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Who resolves names. Default [`SystemResolver`].
    pub resolver: Arc<dyn Resolve>,
    /// Where this host listens. Never reachable, whatever a rule says; an unspecified address stands for every
    /// address of this machine.
    pub own_listeners: Vec<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(60),
            total: Duration::from_secs(300),
            max_head: 64 * 1024,
            max_decoded: 64 << 20,
            extra_roots: Vec::new(),
            resolver: Arc::new(SystemResolver::default()),
            own_listeners: Vec::new(),
        }
    }
}

/// What one request asks for; shortens the host's times, never lengthens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// As [`Settings::connect`].
    pub connect: Option<Duration>,
    /// As [`Settings::first_byte`].
    pub first_byte: Option<Duration>,
    /// As [`Settings::between_bytes`].
    pub between_bytes: Option<Duration>,
}

/// The way out. Cheap to clone; holds no connection and nothing of any call.
#[derive(Clone)]
pub struct Egress {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    tls: TlsConnector,
}

impl Egress {
    /// Reads the platform's trusted roots, so that later walls around the host need not let it.
    ///
    /// # Errors
    ///
    /// An extra root that is not a certificate.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let tls = tls::connector(&settings.extra_roots)?;
        Ok(Self { shared: Arc::new(Shared { settings, tls }) })
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
        let target = Target::of(&request)?;
        let contact = call.inner.log.begin(target.host_str(), target.port);
        let transfer = Arc::new(Transfer::new(call.inner.clone(), contact, self.shared.settings.total));
        transfer.check()?;
        let (opened, granted) = ask(&request, &target, &transfer)?;
        let asked = credential::plan(&request, &target.url, granted)?;
        let interrupted = transfer.clone();
        tokio::select! {
            biased;
            error = interrupted.interrupted() => Err(error),
            result = self.exchange(request, target, opened, asked, transfer, waits) => result,
        }
    }

    async fn exchange<B>(
        &self,
        request: Request<B>,
        target: Target,
        opened: Vec<IpNet>,
        asked: Asked,
        transfer: Arc<Transfer>,
        waits: Waits,
    ) -> Result<Response<ResponseBody>, EgressError>
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
        let (request, url) = credential::fill(request, &target.url, asked, &transfer.call).await?;
        let request = wire::prepare(request, &url, &transfer)?;
        let stream = connecting.tcp(&addresses, &target).await?;
        if let Ok(peer) = stream.peer_addr() {
            transfer.contact.at(peer.ip());
        }

        let wire = Wire {
            transfer,
            slot,
            max_head: settings.max_head,
            max_decoded: settings.max_decoded,
            first_byte: shorter(waits.first_byte, settings.first_byte),
            between_bytes: shorter(waits.between_bytes, settings.between_bytes),
        };
        if target.tls {
            let handshake = tls::handshake(&self.shared.tls, stream, &target);
            let stream = connecting.within(Wait::Connect, handshake).await??;
            wire.exchange(stream, request).await
        } else {
            wire.exchange(stream, request).await
        }
    }

    /// Resolves the host once, and checks every address that it has.
    async fn addresses(
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
                let (resolver, share) = (&self.shared.settings.resolver, &transfer.call.budget.lookups);
                let resolving = within_share(share.clone(), resolver.clone(), name.clone());
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
            if let Err(closed) = address::check(*address, opened, &self.shared.settings.own_listeners) {
                transfer.contact.at(address.ip());
                transfer.contact.decided(Decision::DeniedByAddress);
                return Err(refused(target, address.ip(), closed));
            }
        }
        transfer.contact.decided(Decision::Allowed);
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
        Verdict::Allowed { addresses, credentials } => Ok((addresses, credentials)),
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
