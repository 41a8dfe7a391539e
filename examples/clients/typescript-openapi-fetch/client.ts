// Calls the gateway with openapi-fetch. Paths, bodies and answers have the types of the OpenAPI document.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./lrs-gateway.js";

type Problem = components["schemas"]["Problem"];

// [connect]
const connect = (baseUrl: string) =>
  createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${process.env.LRS_GATEWAY_TOKEN}` } });
const gateway = connect(process.env.LRS_GATEWAY_URL!);
// [end]
// The same gateway, as a later version of it might answer.
const newerGateway = connect(process.env.LRS_NEWER_GATEWAY_URL!);

// [findLearnerByUln]
const ana = { uln: "3000000126", givenName: "Ana", familyName: "O'Neill" };
// [end]
const anaMistyped = { ...ana, uln: "3000000127" };

async function exactMatch() {
  // [findLearnerByUln]
  const { data, error } = await gateway.POST("/v1/learners/find-by-uln", { body: ana });
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  assert.equal(data.outcome, "EXACT_MATCH");
  assert.equal(data.learners[0]?.uln, ana.uln);
  assert.equal(data.learners[0]?.dateOfBirth, "2003-04-05");
  // [end]
}

async function problem() {
  // [problem]
  const { error, response } = await gateway.POST("/v1/learners/find-by-uln", { body: anaMistyped });
  const problem: Problem | undefined = error;
  assert.equal(response.status, 422);
  assert.equal(problem?.code, "validation_failed");
  assert.equal(problem?.errors?.[0]?.pointer, "/uln");
  // [end]
}

async function obtainUln() {
  // [obtainUln]
  // One key per learner to register. Send it again with each repetition: the learner is registered once.
  const key = randomUUID();
  const obtain = () =>
    gateway.POST("/v1/learners/obtain-uln", {
      params: { header: { "Idempotency-Key": key } },
      body: {
        learner: {
          givenName: "Gwenllian", familyName: "Ó Briain-Price", dateOfBirth: "2005-07-21", gender: "FEMALE",
          lastKnownPostCode: "ZZ7 7JJ", verificationType: "PASSPORT", abilityToShare: "SEEN_SHARE",
        },
      },
    });
  const first = await obtain();
  const second = await obtain();
  assert.equal(first.data?.outcome, "REGISTERED");
  assert.match(first.data?.uln ?? "", /^\d{10}$/);
  assert.equal(second.data?.uln, first.data?.uln);
  assert.equal(second.response.headers.get("Idempotency-Replayed"), "true");
  // [end]
}

async function registrationBatch() {
  // [submitRegistrationBatch, getRegistrationBatch]
  const iolo: components["schemas"]["BatchLearner"] = {
    misIdentifier: "A-1", givenName: "Iolo", familyName: "Ap Gwilym", dateOfBirth: "2006-01-02", gender: "MALE",
    lastKnownPostCode: "ZZ8 8BB", verificationType: "PASSPORT", abilityToShare: "SEEN_SHARE",
  };
  const learners = [
    iolo,
    { ...iolo, misIdentifier: "A-2", givenName: "Emrys" },
    { misIdentifier: "A-3", givenName: "Rhys", familyName: "Ap Hywel" },
  ];
  let { data: batch, error } = await gateway.POST("/v1/registration-batches", {
    // One key per submission. Send it again with each repetition: the batch is submitted once.
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: { jobType: "FULL", learners },
  });
  if (!batch) throw new Error(error?.detail);
  const params = { path: { batchId: batch.batchId } };
  while (batch.retryAfterSeconds !== undefined) {
    await wait(batch.retryAfterSeconds * 1000);
    const state = await gateway.GET("/v1/registration-batches/{batchId}", { params });
    if (!state.data) throw new Error(state.error.detail);
    batch = state.data;
  }
  assert.equal(batch.status, "COMPLETE");
  // [end]
  // [getRegistrationBatchResults]
  const { data: page } = await gateway.GET("/v1/registration-batches/{batchId}/results", { params });
  assert.deepEqual(page?.results.map((result) => result.outcome), ["ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"]);
  assert.match(page?.results[0]?.uln ?? "", /^\d{10}$/);
  // LRS needs more data about Rhys than the names.
  assert.equal(page?.results[2]?.lrsCode, "RC006");
  // [end]
}

async function newerAnswers() {
  const { data } = await newerGateway.POST("/v1/learners/find-by-uln", { body: ana });
  assert.equal(data?.outcome, "MATCHED_IN_A_NEW_WAY");
  assert.equal(data?.learners[0]?.gender, "MATCHED_IN_A_NEW_WAY");
  assert.equal(data?.learners[0]?.uln, ana.uln);
  const { error } = await newerGateway.POST("/v1/learners/find-by-uln", { body: anaMistyped });
  assert.equal(error?.code, "a_new_problem");
  assert.equal(error?.errors?.[0]?.pointer, "/uln");
  const { data: list } = await newerGateway.GET("/v1/registration-batches");
  const path = { batchId: list!.batches[0]!.batchId };
  const { data: batch } = await newerGateway.GET("/v1/registration-batches/{batchId}", { params: { path } });
  assert.equal(batch?.status, "A_NEW_STATUS");
  assert.equal(batch?.parts?.[0]?.status, "A_NEW_STATUS");
}

const tasks = {
  "exact match": exactMatch,
  problem,
  "obtain ULN": obtainUln,
  "registration batch": registrationBatch,
  "newer answers": newerAnswers,
};
for (const [name, task] of Object.entries(tasks)) {
  try {
    await task();
    console.log(`ok: ${name}`);
  } catch (error) {
    console.log(`FAILED: ${name}: ${error}`);
    process.exitCode = 1;
  }
}
