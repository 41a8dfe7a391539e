//! The routes that all batch resources share, and their descriptions in the OpenAPI document.

/// Declares all routes of a batch resource except the one that submits a batch.
macro_rules! batch_routes {
    (
        $kind:ty, scope $scope:ty = $scope_name:literal, tag $tag:literal,
        list $list:literal at $list_path:literal,
        get $get:literal at $get_path:literal,
        erase $erase:literal,
        results $results:literal at $results_path:literal returns $page:ty,
        track $track:literal at $track_path:literal,
        resubmit $resubmit:literal at $resubmit_path:literal,
        discard $discard:literal at $discard_path:literal $(,)?
    ) => {
        /// List batches
        ///
        /// Returns the organisation's batches, newest first, in pages.
        #[utoipa::path(
                    operation_id = $list,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("limit" = Option<u32>, Query, minimum = 1, description = "Number of batches on the page. Default 20, maximum 100. A higher number is treated as 100."),
                        ("cursor" = Option<String>, Query, description = "`next` of the previous page.")
                    ),
                    responses((status = 200, description = "Page of batches.", body = BatchList), BatchProblems)
                )]
        #[get($list_path)]
        pub async fn list_batches(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            pagination: Pagination<BatchId>,
        ) -> Result<Json<BatchList>, Problem> {
            operations::list::<$kind>(&service, &caller, pagination).await
        }

        /// Read a batch
        ///
        /// Returns the status of a batch and of its parts. With `Prefer: wait=N`, the gateway answers when the batch is finished or needs a
        /// decision, but after N seconds at the latest.
        #[utoipa::path(
                    operation_id = $get,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifier of the batch."),
                        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, at most 30 (RFC 7240).")
                    ),
                    responses((status = 200, description = "State of the batch.", body = BatchState), BatchProblems)
                )]
        #[get($get_path)]
        pub async fn get_batch(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            path: BatchPath,
            wait: PreferWait,
        ) -> Result<HttpResponse, Problem> {
            operations::read::<$kind>(&service, &caller, path.batch_id, wait).await
        }

        /// Erase a batch
        ///
        /// Erases all data that the gateway stores for the batch: its results, and the records that have not been sent. Those records will
        /// not be sent. Data in LRS is not affected.
        #[utoipa::path(
                    operation_id = $erase,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(("batchId" = String, Path, description = "Identifier of the batch.")),
                    responses((status = 204, description = "The batch was erased."), BatchProblems)
                )]
        #[delete($get_path)]
        pub async fn erase_batch(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            path: BatchPath,
        ) -> Result<HttpResponse, Problem> {
            operations::erase::<$kind>(&service, &caller, path.batch_id).await
        }

        /// Read results
        ///
        /// Returns the outcome of each record, in the order of the submission. The results of a finished part are available before the batch
        /// is finished: if `status` shows that more have arrived, read again from the first page. JSON comes in pages. With
        /// `Accept: application/x-ndjson` or `Accept: text/csv` you get all results from `cursor` on in one answer, and the header
        /// `Batch-Status` has the status of the batch.
        #[utoipa::path(
                    operation_id = $results,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifier of the batch."),
                        ("limit" = Option<u32>, Query, minimum = 1, description = "Number of results on the page. Default 1,000, maximum 10,000. A higher number is treated as 10,000."),
                        ("cursor" = Option<String>, Query, description = "`next` of the previous page.")
                    ),
                    responses(
                        (status = 200, description = "Page of results.", content(
                            ($page = "application/json"),
                            (String = "application/x-ndjson"),
                            (String = "text/csv")
                        ), headers(("Batch-Status" = String, description = "Status of the batch. Only with NDJSON and CSV."))),
                        ResultProblems
                    )
                )]
        #[get($results_path)]
        pub async fn get_results(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            path: BatchPath,
            format: ResultFormat,
            pagination: Pagination<ResultCursor>,
        ) -> Result<HttpResponse, Problem> {
            let batch = operations::find::<$kind>(&service, &caller, path.batch_id).await?;
            read_results::<$kind>(service, batch, format, pagination).await
        }

        /// Track a job submitted elsewhere
        ///
        /// Adopts an LRS job of the organisation that was submitted through the LRS portal or another system. The job becomes a batch, and you
        /// read its results like those of any other batch.
        #[utoipa::path(
                    operation_id = $track,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, at most 30 (RFC 7240).")),
                    request_body(content = TrackJob, example = json!({"lrsJobId": "900123"})),
                    responses((status = 202, description = "The gateway tracks the job.", body = BatchState), TrackProblems)
                )]
        #[post($track_path)]
        pub async fn track_job(
            caller: Caller<$scope>,
            body: Body<TrackJob>,
            service: Data<BatchService>,
            wait: PreferWait,
        ) -> Result<HttpResponse, Problem> {
            operations::track::<$kind>(&service, &caller, &body, wait).await
        }

        /// Resubmit an unconfirmed part
        ///
        /// Sends the part to LRS again, under your user name. Resubmit a part only if you know that LRS does not have it, or that processing it
        /// twice has no adverse effect: LRS may have processed it already.
        #[utoipa::path(
                    operation_id = $resubmit,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifier of the batch."),
                        ("part" = u32, Path, description = "Number of the part, from 1.")
                    ),
                    responses((status = 202, description = "The part will be sent again.", body = BatchState), DecisionProblems)
                )]
        #[post($resubmit_path)]
        pub async fn resubmit_part(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            path: PartPath,
        ) -> Result<HttpResponse, Problem> {
            operations::decide::<$kind>(&service, &caller, path, Decision::Resubmit).await
        }

        /// Discard an unconfirmed part
        ///
        /// Deletes the records of the part and does not send it again. If LRS has the part after all, adopt its job with `track`.
        #[utoipa::path(
                    operation_id = $discard,
                    tag = $tag,
                    security(("bearer" = [$scope_name])),
                    params(
                        ("batchId" = String, Path, description = "Identifier of the batch."),
                        ("part" = u32, Path, description = "Number of the part, from 1.")
                    ),
                    responses((status = 202, description = "The part was discarded.", body = BatchState), DecisionProblems)
                )]
        #[post($discard_path)]
        pub async fn discard_part(
            caller: Caller<$scope>,
            service: Data<BatchService>,
            path: PartPath,
        ) -> Result<HttpResponse, Problem> {
            operations::decide::<$kind>(&service, &caller, path, Decision::Discard).await
        }
    };
}
pub(super) use batch_routes;
