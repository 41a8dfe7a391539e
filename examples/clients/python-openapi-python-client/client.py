"""Calls the gateway with the client that openapi-python-client generates."""

import datetime
import os
import sys
import time
import uuid

from lrs_gateway import AuthenticatedClient
from lrs_gateway.api.learners import find_learner_by_uln, obtain_uln
from lrs_gateway.api.registration_batches import (
    get_registration_batch, get_registration_batch_results, list_registration_batches, submit_registration_batch,
)
from lrs_gateway.models import (
    AbilityToShare, BatchLearner, BatchList, BatchState, Gender, JobType, LearnerDetails, LearnerSearchResult, Problem, RegistrationBatch,
    RegistrationBatchResultPage, UlnRequest, UlnRequestResult, UlnSearch, VerificationType,
)
from lrs_gateway.types import Unset


# [connect]
def connect(url):
    return AuthenticatedClient(base_url=url, token=os.environ["LRS_GATEWAY_TOKEN"])


gateway = connect(os.environ["LRS_GATEWAY_URL"])
# [end]
# The same gateway, as a later version of it might answer.
newer_gateway = connect(os.environ["LRS_NEWER_GATEWAY_URL"])

# [findLearnerByUln]
ANA = UlnSearch(uln="3000000126", given_name="Ana", family_name="O'Neill")
# [end]
ANA_MISTYPED = UlnSearch(uln="3000000127", given_name="Ana", family_name="O'Neill")


def exact_match():
    # [findLearnerByUln]
    found = find_learner_by_uln.sync(client=gateway, body=ANA)
    assert isinstance(found, LearnerSearchResult), found
    assert found.outcome == "EXACT_MATCH"
    assert found.learners[0].uln == ANA.uln
    assert found.learners[0].date_of_birth == "2003-04-05"
    # [end]


def problem():
    # [problem]
    answer = find_learner_by_uln.sync_detailed(client=gateway, body=ANA_MISTYPED)
    assert answer.status_code == 422
    problem = answer.parsed
    assert isinstance(problem, Problem)
    assert problem.code == "validation_failed"
    assert problem.errors[0].pointer == "/uln"
    # [end]


def obtained_uln():
    # [obtainUln]
    registration = UlnRequest(learner=LearnerDetails(
        given_name="Gwenllian", family_name="Ó Briain-Price", date_of_birth=datetime.date(2005, 7, 21), gender=Gender.FEMALE,
        last_known_post_code="ZZ7 7JJ", verification_type=VerificationType.PASSPORT, ability_to_share=AbilityToShare.SEEN_SHARE,
    ))
    # One key per learner to register. Send it again with each repetition: the learner is registered once.
    key = str(uuid.uuid4())
    first = obtain_uln.sync(client=gateway, body=registration, idempotency_key=key)
    second = obtain_uln.sync_detailed(client=gateway, body=registration, idempotency_key=key)
    assert isinstance(first, UlnRequestResult), first
    assert first.outcome == "REGISTERED"
    assert len(first.uln) == 10
    assert second.parsed.uln == first.uln
    assert second.headers["Idempotency-Replayed"] == "true"
    # [end]


def registration_batch():
    # [submitRegistrationBatch, getRegistrationBatch]
    learners = [
        BatchLearner(
            mis_identifier=mis_identifier, given_name=given_name, family_name="Ap Gwilym", date_of_birth=datetime.date(2006, 1, 2),
            gender=Gender.MALE, last_known_post_code="ZZ8 8BB", verification_type=VerificationType.PASSPORT,
            ability_to_share=AbilityToShare.SEEN_SHARE,
        )
        for mis_identifier, given_name in [("A-1", "Iolo"), ("A-2", "Emrys")]
    ]
    learners.append(BatchLearner(mis_identifier="A-3", given_name="Rhys", family_name="Ap Hywel"))
    submission = RegistrationBatch(job_type=JobType.FULL, learners=learners)
    # One key per submission. Send it again with each repetition: the batch is submitted once.
    batch = submit_registration_batch.sync(client=gateway, body=submission, idempotency_key=str(uuid.uuid4()))
    assert isinstance(batch, BatchState), batch
    while not isinstance(batch.retry_after_seconds, Unset):
        time.sleep(batch.retry_after_seconds)
        batch = get_registration_batch.sync(batch.batch_id, client=gateway)
        assert isinstance(batch, BatchState), batch
    assert batch.status == "COMPLETE"
    # [end]
    # [getRegistrationBatchResults]
    page = get_registration_batch_results.sync(batch.batch_id, client=gateway)
    assert isinstance(page, RegistrationBatchResultPage), page
    assert [result.outcome for result in page.results] == ["ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"]
    assert len(page.results[0].uln) == 10
    # LRS needs more data about Rhys than the names.
    assert page.results[2].lrs_code == "RC006"
    # [end]


def newer_answers():
    found = find_learner_by_uln.sync(client=newer_gateway, body=ANA)
    assert isinstance(found, LearnerSearchResult), found
    assert found.outcome == "MATCHED_IN_A_NEW_WAY"
    assert found.learners[0].gender == "MATCHED_IN_A_NEW_WAY"
    assert found.learners[0].uln == ANA.uln
    problem = find_learner_by_uln.sync(client=newer_gateway, body=ANA_MISTYPED)
    assert isinstance(problem, Problem), problem
    assert problem.code == "a_new_problem"
    assert problem.errors[0].pointer == "/uln"
    batches = list_registration_batches.sync(client=newer_gateway)
    assert isinstance(batches, BatchList), batches
    batch = get_registration_batch.sync(batches.batches[0].batch_id, client=newer_gateway)
    assert isinstance(batch, BatchState), batch
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
