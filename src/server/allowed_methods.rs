//! The methods of each path, for `405 Method Not Allowed`, CORS preflights and the operation label of metrics.

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpResponse, ResponseError as _};

use crate::problem::{Code, Problem};
use crate::server::route::Route;

/// Operation label of requests that are no operation of the API.
pub const NO_OPERATION: &str = "none";

/// The paths of a server, each with its methods and operations.
#[derive(Debug, Default)]
pub struct AllowedMethods(Vec<Path>);

#[derive(Debug)]
struct Path {
    /// Path pattern, with parameters in braces.
    pattern: &'static str,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    id: &'static str,
}

impl AllowedMethods {
    /// Returns the methods of routes, and of paths that can only be read and are no operations.
    pub fn new(read_only: &[&'static str], routes: &[Route]) -> Self {
        let get = |pattern: &&'static str| Path { pattern, operations: vec![Operation { method: "GET".to_owned(), id: NO_OPERATION }] };
        let mut paths: Vec<Path> = read_only.iter().map(get).collect();
        for route in routes {
            let operation = Operation { method: route.method.to_string(), id: route.operation_id };
            match paths.iter_mut().find(|path| path.pattern == route.path) {
                Some(path) => path.operations.push(operation),
                None => paths.push(Path { pattern: route.path, operations: vec![operation] }),
            }
        }
        Self(paths)
    }

    /// Returns the operation id of a method and route pattern, or [`NO_OPERATION`]. `HEAD` is the operation of `GET`.
    pub fn operation_id(&self, method: &str, pattern: &str) -> &'static str {
        let method = if method == "HEAD" { "GET" } else { method };
        let path = self.0.iter().find(|path| path.pattern == pattern);
        let mut operations = path.iter().flat_map(|path| &path.operations);
        operations.find(|operation| operation.method == method).map_or(NO_OPERATION, |operation| operation.id)
    }

    /// Returns the methods of a path as a header value, or `None` if no route has this path.
    pub fn allow_header(&self, path: &str) -> Option<HeaderValue> {
        let path = self.0.iter().find(|known| known.matches(path))?;
        let mut methods: Vec<&str> = path.operations.iter().map(|operation| &*operation.method).collect();
        // The middleware answers `HEAD` wherever there is `GET`.
        methods.extend(methods.contains(&"GET").then_some("HEAD"));
        methods.sort_unstable();
        HeaderValue::from_str(&methods.join(", ")).ok()
    }

    /// Answers a request that no route takes: 405 with the `Allow` header if the path exists with other methods, 404 if not.
    pub fn fallback(&self, path: &str) -> HttpResponse {
        let Some(allowed) = self.allow_header(path) else { return Problem::new(Code::NotFound).error_response() };
        let mut response = Problem::new(Code::MethodNotAllowed).error_response();
        response.headers_mut().insert(ALLOW, allowed);
        response
    }
}

impl Path {
    /// Returns `true` if the path matches the pattern. A parameter matches one segment that is not empty, or with `:.*` the whole rest.
    fn matches(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(rest), Some(_)) if rest.ends_with(":.*}") => return true,
                (Some(expected), Some(segment)) if expected == segment || (expected.starts_with('{') && !segment.is_empty()) => {}
                _ => return false,
            }
        }
    }
}
