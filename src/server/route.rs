//! Routes: one for each operation. The server and the OpenAPI document are made from them.

use std::any::{type_name, type_name_of_val};

use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, Resource, Scope, guard};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Deprecated, PathItem};
use utoipa_actix_web::OpenApiFactory;

use crate::api::description::{Description, header, text};
use crate::api::handler::Handler;
use crate::api::response_headers;
use crate::app::State;
use crate::auth::IncomingRequest;
use crate::schema::openapi::Schemas;
use crate::server::deprecation::{DeprecatedRoutes, Deprecation};

/// The route of an operation.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path, with parameters in braces.
    pub path: &'static str,
    /// Name of the operation in the document, in generated clients and in metrics.
    pub operation_id: &'static str,
    /// The end of the route, if it is announced.
    pub deprecation: Option<Deprecation>,
    tag: &'static str,
    docs: &'static dyn OpenApiFactory,
    describe_handler: fn(&mut Description),
    resource: Box<dyn FnOnce(&str, State) -> Resource>,
}

/// Creates a `GET` route. `docs` is the part of the description that stands at the handler.
pub fn get<A: 'static>(
    path: &'static str,
    operation_id: &'static str,
    handler: impl Handler<A>,
    docs: &'static impl OpenApiFactory,
) -> Route {
    Route::new(Method::GET, path, operation_id, handler, docs)
}

/// Creates a `POST` route. `docs` is the part of the description that stands at the handler.
pub fn post<A: 'static>(
    path: &'static str,
    operation_id: &'static str,
    handler: impl Handler<A>,
    docs: &'static impl OpenApiFactory,
) -> Route {
    Route::new(Method::POST, path, operation_id, handler, docs)
}

/// Creates a `DELETE` route. `docs` is the part of the description that stands at the handler.
pub fn delete<A: 'static>(
    path: &'static str,
    operation_id: &'static str,
    handler: impl Handler<A>,
    docs: &'static impl OpenApiFactory,
) -> Route {
    Route::new(Method::DELETE, path, operation_id, handler, docs)
}

/// Puts routes under a tag of the document.
pub fn tagged<const N: usize>(tag: &'static str, routes: [Route; N]) -> Vec<Route> {
    routes.into_iter().map(|route| Route { tag, ..route }).collect()
}

impl Route {
    fn new<A: 'static, H: Handler<A>>(
        method: Method,
        path: &'static str,
        operation_id: &'static str,
        handler: H,
        docs: &'static impl OpenApiFactory,
    ) -> Self {
        debug_assert!(is_described_by(type_name::<H>(), type_name_of_val(docs)), "{operation_id}: the description is of another handler");
        let guard = guard::Method(method.clone());
        let resource = move |path: &str, state: State| {
            web::resource(path).guard(guard).to(move |head: HttpRequest, payload: Payload| {
                let request = IncomingRequest { operation_id, head, payload: payload.into_inner() };
                handler.clone().handle(state.clone(), request)
            })
        };
        Self { method, path, operation_id, deprecation: None, tag: "", docs, describe_handler: H::describe, resource: Box::new(resource) }
    }

    /// Announces the end of the route: in its answers, and in the document.
    #[must_use]
    pub fn deprecated(self, deprecation: Deprecation) -> Self {
        Self { deprecation: Some(deprecation), ..self }
    }

    /// Returns the description of the operation in the document. A server that only mounts the route does not need it.
    pub fn description(&self) -> Description {
        let mut schemas = Schemas::new();
        self.docs.schemas(&mut schemas);
        let mut item = self.docs.paths().paths.into_values().next().unwrap_or_default();
        let mut operation = operation_of(&mut item, &self.method).take().unwrap_or_default();
        operation.operation_id = Some(self.operation_id.to_owned());
        operation.tags = Some(vec![self.tag.to_owned()]);
        let mut description = Description::new(operation, schemas);
        (self.describe_handler)(&mut description);
        description.add_header("X-Request-Id", response_headers::x_request_id());
        description.add_header("Gateway-Request-Id", response_headers::gateway_request_id());
        if description.is_counted {
            description.add_header("RateLimit", response_headers::rate_limit());
            description.add_header("RateLimit-Policy", response_headers::rate_limit_policy());
        }
        if let Some(deprecation) = self.deprecation {
            describe_deprecation(deprecation, &mut description);
        }
        description
    }

    /// Splits the path before its first parameter; `None` if it has no parameters.
    fn split_path(&self) -> Option<(&'static str, &'static str)> {
        self.path.split_at_checked(self.path.find("/{")?)
    }
}

/// Adds the routes of operations to a server.
///
/// The framework tries one resource after the other, and a regular expression for each path with parameters. So paths without parameters
/// come first, and the others are in a scope for all that have the same beginning.
pub fn mount(routes: Vec<Route>, state: &State, services: &mut ServiceConfig) {
    let mut scopes: Vec<(&str, Scope)> = Vec::new();
    for route in routes {
        let Some((beginning, rest)) = route.split_path() else {
            services.service((route.resource)(route.path, state.clone()));
            continue;
        };
        let scope = match scopes.pop_if(|(last, _)| *last == beginning) {
            Some((_, scope)) => scope,
            None => web::scope(beginning),
        };
        scopes.push((beginning, scope.service((route.resource)(rest, state.clone()))));
    }
    for (_, scope) in scopes {
        services.service(scope);
    }
}

/// Returns the routes whose end is announced.
pub fn deprecated_routes(routes: &[Route]) -> DeprecatedRoutes {
    let mut deprecated = DeprecatedRoutes::default();
    for Route { method, path, deprecation, .. } in routes {
        if let Some(deprecation) = deprecation {
            deprecated.add(method.clone(), path, *deprecation);
        }
    }
    deprecated
}

/// Adds the end of a route to its description. The problems of the operation have the same headers as its other answers.
fn describe_deprecation(deprecation: Deprecation, description: &mut Description) {
    let text_of_handler = description.operation.description.take().unwrap_or_default();
    description.operation.description = Some(format!("{}\n\n{text_of_handler}", deprecation.text()));
    description.operation.deprecated = Some(Deprecated::True);
    for (name, meaning) in [
        ("Deprecation", "Time since which the operation is deprecated, as `@` and seconds since 1970 (RFC 9745)."),
        ("Sunset", "Time after which the operation may be gone (RFC 8594)."),
        ("Link", "Address of the successor of a deprecated operation, with `rel=\"successor-version\"`."),
    ] {
        description.add_header(name, header(text(), meaning));
    }
}

/// Returns the place of a method's operation in a path of the document.
pub fn operation_of<'i>(item: &'i mut PathItem, method: &Method) -> &'i mut Option<Operation> {
    match *method {
        Method::GET => &mut item.get,
        Method::POST => &mut item.post,
        _ => &mut item.delete,
    }
}

/// Returns `true` if the names of a handler and of its description belong together: `find_learner_by_uln` and `FindLearnerByUlnDocs`.
fn is_described_by(handler: &str, docs: &str) -> bool {
    let handler = handler.split('<').next().unwrap_or_default();
    let letters = |path: &str| path.replace('_', "").to_lowercase();
    letters(docs) == letters(handler) + "docs"
}
