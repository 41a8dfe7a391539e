//! Rate-limit classes. Each is a type, so that a handler's signature states which limits its calls count against.

/// The limits that the calls of a handler count against.
pub trait RateLimitClass: 'static {
    /// `true` if the handler searches the register by demographics. Such calls also count against the lower limit for searches.
    const IS_SEARCH: bool;
}

/// Calls that count against the limits of the organisation and the person.
#[derive(Debug, Clone, Copy)]
pub enum Standard {}

impl RateLimitClass for Standard {
    const IS_SEARCH: bool = false;
}

/// Searches by demographics. A lower limit per person makes it harder to harvest the register.
#[derive(Debug, Clone, Copy)]
pub enum Search {}

impl RateLimitClass for Search {
    const IS_SEARCH: bool = true;
}
