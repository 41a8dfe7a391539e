"""Calls the gateway with the Python client that openapi-generator generates."""

import datetime
import os
import sys
import time
import uuid

from lrs_gateway import (
    AbilityToShare, ApiClient, BatchLearner, Configuration, Gender, JobType, LearnerDetails, LearnersApi, RegistrationBatch,
    RegistrationBatchesApi, UlnRequest, UlnSearch, VerificationType,
)
from lrs_gateway.exceptions import ApiException


def connect(url):
    return ApiClient(Configuration(host=url, access_token=os.environ["LRS_GATEWAY_TOKEN"]))


gateway = connect(os.environ["LRS_GATEWAY_URL"])
learners_api = LearnersApi(gateway)
batches_api = RegistrationBatchesApi(gateway)
# The same gateway, as a later version of it might answer.
newer_gateway = connect(os.environ["LRS_NEWER_GATEWAY_URL"])
newer_learners_api = LearnersApi(newer_gateway)
newer_batches_api = RegistrationBatchesApi(newer_gateway)

ANA = UlnSearch(uln="3000000126", given_name="Ana", family_name="O'Neill")
ANA_MISTYPED = UlnSearch(uln="3000000127", given_name="Ana", family_name="O'Neill")


def problem_of(call, *arguments):
    """Returns the status and the problem with which the gateway answers a call."""
    try:
        answer = call(*arguments)
    except ApiException as refused:
        return refused.status, refused.data
    raise AssertionError(f"the gateway answered {answer}")


def exact_match():
    found = learners_api.find_learner_by_uln(ANA)
    assert found.outcome == "EXACT_MATCH"
    assert found.learners[0].uln == ANA.uln
    assert found.learners[0].date_of_birth == "2003-04-05"


def problem():
    status, problem = problem_of(learners_api.find_learner_by_uln, ANA_MISTYPED)
    assert status == 422
    assert problem.code == "validation_failed"
    assert problem.errors[0].pointer == "/uln"


def obtained_uln():
    registration = UlnRequest(learner=LearnerDetails(
        given_name="Gwenllian", family_name="Ó Briain-Price", date_of_birth=datetime.date(2005, 7, 21), gender=Gender.FEMALE,
        last_known_post_code="ZZ7 7JJ", verification_type=VerificationType.PASSPORT, ability_to_share=AbilityToShare.SEEN_SHARE,
    ))
    # One key per learner to register. Send it again with each repetition: the learner is registered once.
    key = str(uuid.uuid4())
    first = learners_api.obtain_uln(registration, idempotency_key=key)
    second = learners_api.obtain_uln_with_http_info(registration, idempotency_key=key)
    assert first.outcome == "REGISTERED"
    assert len(first.uln) == 10
    assert second.data.uln == first.uln
    assert second.headers["Idempotency-Replayed"] == "true"


def registration_batch():
    learners = [
        BatchLearner(
            mis_identifier=mis_identifier, given_name=given_name, family_name="Ap Gwilym", date_of_birth=datetime.date(2006, 1, 2),
            gender=Gender.MALE, last_known_post_code="ZZ8 8BB", verification_type=VerificationType.PASSPORT,
            ability_to_share=AbilityToShare.SEEN_SHARE,
        )
        for mis_identifier, given_name in [("A-1", "Iolo"), ("A-2", "Emrys")]
    ]
    learners.append(BatchLearner(mis_identifier="A-3", given_name="Rhys", family_name="Ap Hywel"))
    # One key per submission. Send it again with each repetition: the batch is submitted once.
    key = str(uuid.uuid4())
    batch = batches_api.submit_registration_batch(RegistrationBatch(job_type=JobType.FULL, learners=learners), idempotency_key=key)
    while batch.retry_after_seconds is not None:
        time.sleep(batch.retry_after_seconds)
        batch = batches_api.get_registration_batch(batch.batch_id)
    assert batch.status == "COMPLETE"
    page = batches_api.get_registration_batch_results(batch.batch_id)
    assert [result.outcome for result in page.results] == ["ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"]
    assert len(page.results[0].uln) == 10
    # LRS needs more data about Rhys than the names.
    assert page.results[2].lrs_code == "RC006"


def newer_answers():
    found = newer_learners_api.find_learner_by_uln(ANA)
    assert found.outcome == "MATCHED_IN_A_NEW_WAY"
    assert found.learners[0].gender == "MATCHED_IN_A_NEW_WAY"
    assert found.learners[0].uln == ANA.uln
    _, problem = problem_of(newer_learners_api.find_learner_by_uln, ANA_MISTYPED)
    assert problem.code == "a_new_problem"
    assert problem.errors[0].pointer == "/uln"
    batch_id = newer_batches_api.list_registration_batches().batches[0].batch_id
    batch = newer_batches_api.get_registration_batch(batch_id)
    assert batch.status == "A_NEW_STATUS"
    assert batch.parts[0].status == "A_NEW_STATUS"


TASKS = {
    "exact match": exact_match,
    "problem": problem,
    "obtain ULN": obtained_uln,
    "registration batch": registration_batch,
    "newer answers": newer_answers,
}
failed = False
for name, task in TASKS.items():
    try:
        task()
        print(f"ok: {name}")
    except Exception as error:
        print(f"FAILED: {name}: {error!r}")
        failed = True
sys.exit(failed)
