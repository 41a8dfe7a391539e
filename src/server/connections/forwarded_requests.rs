//! Requests of clients behind trusted proxies. A proxy sends requests of many clients over its connections, so that a limit of connections
//! would limit the proxy: the gateway limits the concurrent requests of each client instead.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use parking_lot::Mutex;

use crate::observability::metrics;
use crate::problem::{Code, Problem};
use crate::server::client_address::{Client, TrustedProxies};

/// Name of the limit in metrics.
const LIMIT: &str = "client";

/// Time after which a client may try again, in seconds.
const RETRY_SECONDS: u64 = 1;

/// The requests of clients behind trusted proxies that are being answered.
#[derive(Debug, Default)]
pub struct ForwardedRequests {
    proxies: TrustedProxies,
    /// Maximum number of concurrent requests of a client; 0 for no limit.
    limit: usize,
    per_client: Mutex<HashMap<Client, usize>>,
}

impl ForwardedRequests {
    /// Limits the concurrent requests of each client behind these proxies. A limit of 0 is none.
    pub fn new(proxies: TrustedProxies, limit: usize) -> Arc<Self> {
        Arc::new(Self { proxies, limit, per_client: Mutex::default() })
    }

    /// Counts a request until the returned guard is dropped. Requests that do not come from a trusted proxy, or whose proxy does not name the
    /// client, are not counted.
    ///
    /// # Errors
    /// Returns a problem if too many requests of the client are being answered.
    pub fn begin(self: &Arc<Self>, request: &ServiceRequest) -> Result<Option<ForwardedRequest>, Problem> {
        if self.limit == 0 {
            return Ok(None);
        }
        let client = request.head().peer_addr.and_then(|peer| self.proxies.forwarded_client(peer, request.headers()));
        let Some(client) = client else { return Ok(None) };
        let mut per_client = self.per_client.lock();
        let count = per_client.entry(client).or_default();
        if *count >= self.limit {
            metrics::record_rate_limited(LIMIT);
            let detail = format!("At most {} requests of one client address are answered at the same time. Wait for answers.", self.limit);
            return Err(Problem::new(Code::RateLimited).detail(detail).retry_after(RETRY_SECONDS));
        }
        *count += 1;
        Ok(Some(ForwardedRequest { requests: self.clone(), client }))
    }
}

/// A request of a client behind a trusted proxy, until it is dropped.
#[derive(Debug)]
pub struct ForwardedRequest {
    requests: Arc<ForwardedRequests>,
    client: Client,
}

impl Drop for ForwardedRequest {
    fn drop(&mut self) {
        let mut per_client = self.requests.per_client.lock();
        if let Some(count) = per_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                per_client.remove(&self.client);
            }
        }
    }
}
