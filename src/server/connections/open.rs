//! The open connections of a server, and the choice of those that are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::observability::metrics::{self, ConnectionEnd};
use crate::server::client_address::Client;
use crate::server::connection_limits::ConnectionLimits;
use crate::server::connections::connection::Connection;
use crate::server::connections::room::Room;

/// The open connections of a server.
#[derive(Debug)]
pub struct OpenConnections {
    listener: &'static str,
    limits: ConnectionLimits,
    room: Arc<Room>,
    set: Mutex<ConnectionSet>,
}

#[derive(Debug, Default)]
struct ConnectionSet {
    next_id: u64,
    connections: HashMap<u64, Entry>,
    per_client: HashMap<Client, usize>,
}

#[derive(Debug)]
struct Entry {
    connection: Arc<Connection>,
    client: Option<Client>,
}

/// The result of an attempt to add a connection.
#[derive(Debug)]
pub enum Added {
    /// The connection is open.
    Open {
        /// Its state.
        connection: Arc<Connection>,
        /// Its place among the open connections.
        registration: Registration,
        /// `true` if another connection was closed for it.
        closed_for_room: bool,
    },
    /// The client has its maximum number of connections, and a request is being answered on each of them.
    ClientFull,
    /// The maximum number of connections is open, and a request is being answered on each of them.
    Full,
}

impl OpenConnections {
    /// Creates the set of a server without connections.
    pub(super) fn new(listener: &'static str, limits: ConnectionLimits) -> Self {
        metrics::set_connection_limit(listener, limits.max_connections);
        metrics::set_connections(listener, 0);
        Self { listener, limits, room: Arc::default(), set: Mutex::default() }
    }

    /// Returns the connections that wait for room.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Adds a connection of this client; `None` if its client has no limit. Closes another one if there is no room.
    pub(super) fn add(self: &Arc<Self>, client: Option<Client>) -> Added {
        let mut set = self.set.lock();
        let mut closed_for_room = false;
        if let Some(client) = client
            && set.per_client.get(&client).copied().unwrap_or_default() >= self.limits.max_connections_per_client
        {
            closed_for_room = set.close_one(|entry| entry.client == Some(client));
            if !closed_for_room {
                return Added::ClientFull;
            }
        }
        if set.connections.len() >= self.limits.max_connections {
            closed_for_room = set.close_one(|_| true);
            if !closed_for_room {
                return Added::Full;
            }
        }
        if closed_for_room {
            metrics::record_connection_end(self.listener, ConnectionEnd::Room);
        }
        let (connection, id) = (Arc::new(Connection::new(self.limits, self.room.clone())), set.next_id);
        set.next_id += 1;
        set.connections.insert(id, Entry { connection: connection.clone(), client });
        if let Some(client) = client {
            *set.per_client.entry(client).or_default() += 1;
        }
        metrics::set_connections(self.listener, set.connections.len());
        drop(set);
        Added::Open { connection, registration: Registration { open: self.clone(), id }, closed_for_room }
    }

    /// Closes the connections whose deadline has passed.
    pub(super) fn close_overdue(&self, now: Instant) {
        let mut set = self.set.lock();
        let closed: Vec<u64> =
            set.connections.iter().filter(|(_, entry)| entry.connection.close_if_overdue(now)).map(|(id, _)| *id).collect();
        for id in closed {
            set.remove(id);
            tracing::debug!("connection closed: the client took too long to send a request or to take an answer");
            metrics::record_connection_end(self.listener, ConnectionEnd::Timeout);
        }
        self.changed(&set);
        self.room.announce_time();
    }

    fn remove(&self, id: u64) {
        let mut set = self.set.lock();
        if set.remove(id).is_some() {
            self.changed(&set);
        }
    }

    fn changed(&self, set: &ConnectionSet) {
        metrics::set_connections(self.listener, set.connections.len());
        if set.connections.len() < self.limits.max_connections {
            self.room.announce();
        }
    }
}

impl ConnectionSet {
    /// Closes one of these connections: the longest idle one, or else the one whose client has stalled an answer or a body for the longest
    /// time. Returns `false` if none of them can be closed.
    fn close_one(&mut self, is_eligible: impl Fn(&Entry) -> bool) -> bool {
        let now = Instant::now();
        loop {
            let eligible = self.connections.iter().filter(|(_, entry)| is_eligible(entry));
            let ranked = eligible.filter_map(|(id, entry)| Some((entry.connection.closing_rank(now)?, *id)));
            let Some((rank, id)) = ranked.min() else { return false };
            // If a request has arrived on it meanwhile, another one is chosen.
            if self.connections.get(&id).is_some_and(|entry| entry.connection.close_at_rank(rank, now)) {
                self.remove(id);
                return true;
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.connections.remove(&id)?;
        if let Some(client) = entry.client
            && let Some(count) = self.per_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&client);
            }
        }
        Some(entry)
    }
}

/// The place of a connection among the open ones, until it is dropped.
#[derive(Debug)]
pub struct Registration {
    open: Arc<OpenConnections>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.open.remove(self.id);
    }
}
