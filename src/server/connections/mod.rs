//! Client connections: how many there are, how long they may take, and what each of them may have in memory.

pub mod active_request;
mod admission;
mod chunk_filter;
mod connection;
pub mod forwarded_requests;
mod head_filter;
mod open;
mod request_stream;
mod room;
mod socket;

pub use admission::Connections;
pub use connection::Connection;
pub use request_stream::RequestStream;
pub use socket::{ClientSocket, ClientStream};
