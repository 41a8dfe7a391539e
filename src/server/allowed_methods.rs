//! The methods of each path, for `405 Method Not Allowed`, CORS preflights and the operation label of metrics.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;

use crate::problem::{Code, Problem};

/// Operation label of requests that are no operation of the API.
pub const NO_OPERATION: &str = "none";

/// The routes of a server, each with its methods and operations.
#[derive(Debug)]
pub struct AllowedMethods(Vec<Route>);

#[derive(Debug)]
struct Route {
    /// Path pattern, with parameters in braces.
    pattern: String,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: Method,
    id: String,
}

impl AllowedMethods {
    /// Returns the methods of the API: the operations of its OpenAPI document, and the document itself.
    pub fn for_api(document: &OpenApi) -> Self {
        let described = serde_json::to_value(&document.paths).unwrap_or_default();
        let mut routes: Vec<Route> = ["/openapi.json", "/openapi-3.0.json", "/docs"].map(Route::read_only).into();
        for (path, item) in described.as_object().into_iter().flatten() {
            let operations = item.as_object().into_iter().flatten().filter_map(|(method, operation)| {
                let id = operation["operationId"].as_str().unwrap_or(NO_OPERATION);
                Some(Operation { method: method.to_uppercase().parse().ok()?, id: id.to_owned() })
            });
            routes.push(Route { pattern: path.clone(), operations: operations.collect() });
        }
        Self(routes)
    }

    /// Returns the methods of the admin listener.
    pub fn for_admin(document: &OpenApi) -> Self {
        let Self(mut routes) = Self::for_api(document);
        routes.retain(|route| route.pattern.starts_with("/health/"));
        routes.push(Route::read_only("/metrics"));
        Self(routes)
    }

    /// Returns the operation id of a method and route pattern, or [`NO_OPERATION`].
    pub fn operation_id(&self, method: &str, pattern: &str) -> &str {
        let route = self.0.iter().find(|route| route.pattern == pattern);
        let mut operations = route.iter().flat_map(|route| &route.operations);
        operations.find(|operation| operation.method.as_str() == method).map_or(NO_OPERATION, |operation| &operation.id)
    }

    /// Returns the methods of a path as a header value, or `None` if no route has this path.
    pub fn allow_header(&self, path: &str) -> Option<HeaderValue> {
        let route = self.0.iter().find(|route| route.matches(path))?;
        let methods: Vec<&str> = route.operations.iter().map(|operation| operation.method.as_str()).collect();
        HeaderValue::from_str(&methods.join(", ")).ok()
    }
}

impl Route {
    /// Returns the route of a path that can only be read and is no operation.
    fn read_only(path: &str) -> Self {
        Self { pattern: path.to_owned(), operations: vec![Operation { method: Method::GET, id: NO_OPERATION.to_owned() }] }
    }

    /// Returns `true` if the path matches the pattern. A parameter matches one segment that is not empty.
    fn matches(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(expected), Some(segment)) if expected == segment || (expected.starts_with('{') && !segment.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

/// Answers requests that no route takes: 405 with the `Allow` header if the path exists with other methods, 404 if not.
pub async fn fallback(request: HttpRequest, methods: Data<AllowedMethods>) -> HttpResponse {
    let Some(allowed) = methods.allow_header(request.path()) else { return Problem::new(Code::NotFound).error_response() };
    let mut response = Problem::new(Code::MethodNotAllowed).error_response();
    response.headers_mut().insert(ALLOW, allowed);
    response
}
