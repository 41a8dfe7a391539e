//! The routes that every batch resource has, and what the OpenAPI document says of them. What they do is in [`batches`](super::batches)
//! and [`batch_results`](super::batch_results).

/// Declares the routes of a batch resource, beside the one that submits.
macro_rules! batch_resource {
    (
        $kind:ty, scope $scope:ty = $scope_name:literal, tag $tag:literal, name $resource:literal,
        list $list:literal at $list_path:literal,
        get $get:literal at $get_path:literal,
        erase $erase:literal,
        results $results:literal at $results_path:literal gives $page:ty,
        track $track:literal at $track_path:literal,
        resubmit $resubmit:literal at $resubmit_path:literal,
        discard $discard:literal at $discard_path:literal $(,)?
    ) => {
        /// List batches
        ///
        /// The organisation's own, newest first, a page at a time.
        #[utoipa::path(
                    operation_id = $list,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("limit" = Option<u32>, Query, minimum = 1, description = "How many to give: 20 if nothing is said. No more than 100 are given."),
                        ("cursor" = Option<String>, Query, description = "`next` of the page before.")
                    ),
                    responses((status = 200, description = "A page of batches.", body = BatchList), BatchProblems)
                )]
        #[get($list_path)]
        pub async fn list_batches(caller: Caller<$scope>, jobs: Data<BatchService>, paging: Pagination<BatchId>) -> Result<Json<BatchList>, Problem> {
            batches::list(&jobs, <$kind>::KIND, &caller, paging).await
        }

        /// How far is a batch?
        ///
        /// With `Prefer: wait=N` the answer comes when the batch is over or needs a decision, but after N seconds at the latest.
        #[utoipa::path(
                    operation_id = $get,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifies the batch."),
                        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 30 at most (RFC 7240).")
                    ),
                    responses((status = 200, description = "How far it is.", body = BatchState), BatchProblems)
                )]
        #[get($get_path)]
        pub async fn get_batch(caller: Caller<$scope>, jobs: Data<BatchService>, id: BatchPath, wait: PreferWait) -> Result<HttpResponse, Problem> {
            let batch = batches::find(&jobs, <$kind>::KIND, &caller, id.0).await?;
            batches::status(&jobs, batch, wait).await
        }

        /// Erase a batch
        ///
        /// Erases all that the gateway holds of it: results, and records that have not been sent, which then never will be. What LRS
        /// has, LRS keeps.
        #[utoipa::path(
                    operation_id = $erase,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(("batchId" = String, Path, description = "Identifies the batch.")),
                    responses((status = 204, description = "It is erased."), BatchProblems)
                )]
        #[delete($get_path)]
        pub async fn erase_batch(caller: Caller<$scope>, jobs: Data<BatchService>, id: BatchPath) -> Result<HttpResponse, Problem> {
            batches::erase(&jobs, <$kind>::KIND, &caller, id.0).await
        }

        /// Read results
        ///
        /// What became of each record, in the order they were sent. Results of parts that are over are here before the batch is: ask
        /// again from the beginning when `status` says that more have come. As JSON a page at a time; as `application/x-ndjson` or
        /// `text/csv` (say which in `Accept`) all at once, from `cursor` on; the header `Batch-Status` then says how far the batch is.
        #[utoipa::path(
                    operation_id = $results,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifies the batch."),
                        ("limit" = Option<u32>, Query, minimum = 1, description = "How many to give: 1,000 if nothing is said. No more than 10,000 are given."),
                        ("cursor" = Option<String>, Query, description = "`next` of the page before.")
                    ),
                    responses(
                        (status = 200, description = "A page of results.", content(
                            ($page = "application/json"),
                            (String = "application/x-ndjson"),
                            (String = "text/csv")
                        ), headers(("Batch-Status" = String, description = "With NDJSON and CSV: how far the batch is."))),
                        ResultProblems
                    )
                )]
        #[get($results_path)]
        pub async fn get_results(
            caller: Caller<$scope>,
            jobs: Data<BatchService>,
            id: BatchPath,
            format: ResultFormat,
            paging: Pagination<ResultCursor>,
        ) -> Result<HttpResponse, Problem> {
            let batch = batches::find(&jobs, <$kind>::KIND, &caller, id.0).await?;
            results::answer::<$kind>(jobs, batch, format, paging).await
        }

        /// Follow a job that was submitted elsewhere
        ///
        /// A job of the organisation's own that was submitted through the LRS portal or by another system becomes a batch, whose results
        /// are read like those of others.
        #[utoipa::path(
                    operation_id = $track,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 30 at most (RFC 7240).")),
                    request_body(content = TrackJob, example = json!({"lrsJobId": "900123"})),
                    responses((status = 202, description = "The gateway follows it.", body = BatchState), TrackProblems)
                )]
        #[post($track_path)]
        pub async fn track_job(
            caller: Caller<$scope>,
            body: Body<TrackJob>,
            jobs: Data<BatchService>,
            wait: PreferWait,
        ) -> Result<HttpResponse, Problem> {
            batches::track::<$kind>(&jobs, $resource, &caller, &body, wait).await
        }

        /// Send an unconfirmed part again
        ///
        /// Only when you know that LRS does not have it, or that it does no harm: LRS may have done it already. LRS is told your user
        /// name.
        #[utoipa::path(
                    operation_id = $resubmit,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifies the batch."),
                        ("part" = u32, Path, description = "Number of the part, from 1.")
                    ),
                    responses((status = 202, description = "It will be sent again.", body = BatchState), DecisionProblems)
                )]
        #[post($resubmit_path)]
        pub async fn resubmit_part(
            caller: Caller<$scope>,
            jobs: Data<BatchService>,
            id: BatchPath,
            part: PartPath,
        ) -> Result<HttpResponse, Problem> {
            batches::decide(&jobs, <$kind>::KIND, &caller, (id.0, part), Decision::Resubmit).await
        }

        /// Discard an unconfirmed part
        ///
        /// It will not be sent again, and its records are erased. If LRS has it after all, follow its job with `track`.
        #[utoipa::path(
                    operation_id = $discard,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifies the batch."),
                        ("part" = u32, Path, description = "Number of the part, from 1.")
                    ),
                    responses((status = 202, description = "It is discarded.", body = BatchState), DecisionProblems)
                )]
        #[post($discard_path)]
        pub async fn discard_part(
            caller: Caller<$scope>,
            jobs: Data<BatchService>,
            id: BatchPath,
            part: PartPath,
        ) -> Result<HttpResponse, Problem> {
            batches::decide(&jobs, <$kind>::KIND, &caller, (id.0, part), Decision::Discard).await
        }
    };
}
pub(crate) use batch_resource;
