//! `GET /metrics` of the admin listener.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;

use crate::app::State;
use crate::observability::metrics::Metrics;

/// Returns every metric in Prometheus' text format.
pub async fn get_metrics(state: State, metrics: Metrics) -> HttpResponse {
    state.update_gauges().await;
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(metrics.render())
}
