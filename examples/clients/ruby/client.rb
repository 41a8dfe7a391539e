# frozen_string_literal: true

# Calls the gateway with the Ruby client that openapi-generator generates.
require "lrs_gateway"
require "securerandom"
require "uri"
include LrsGateway

# [connect]
def connect(url)
  uri = URI(url)
  ApiClient.new(Configuration.new do |configuration|
    configuration.scheme = uri.scheme
    configuration.host = "#{uri.host}:#{uri.port}"
    configuration.access_token = ENV.fetch("LRS_GATEWAY_TOKEN")
  end)
end

GATEWAY = connect(ENV.fetch("LRS_GATEWAY_URL"))
LEARNERS = LearnersApi.new(GATEWAY)
BATCHES = RegistrationBatchesApi.new(GATEWAY)
# [end]
# The same gateway, as a later version of it might answer.
NEWER_GATEWAY = connect(ENV.fetch("LRS_NEWER_GATEWAY_URL"))
NEWER_LEARNERS = LearnersApi.new(NEWER_GATEWAY)
NEWER_BATCHES = RegistrationBatchesApi.new(NEWER_GATEWAY)

# [findLearnerByUln]
ANA = UlnSearch.new(uln: "3000000126", given_name: "Ana", family_name: "O'Neill")
# [end]
ANA_MISTYPED = UlnSearch.new(uln: "3000000127", given_name: "Ana", family_name: "O'Neill")

def expect(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

# [problem]
# Returns the status and the problem with which the gateway answers a call. The exception has it as text.
def problem_of
  raise "the gateway answered #{yield}"
rescue ApiError => refused
  [refused.code, Problem.build_from_hash(JSON.parse(refused.response_body, symbolize_names: true))]
end
# [end]

def exact_match
  # [findLearnerByUln]
  found = LEARNERS.find_learner_by_uln(ANA)
  expect "EXACT_MATCH", found.outcome
  expect ANA.uln, found.learners[0].uln
  expect "2003-04-05", found.learners[0].date_of_birth
  # [end]
end

def problem
  # [problem]
  status, problem = problem_of { LEARNERS.find_learner_by_uln(ANA_MISTYPED) }
  expect 422, status
  expect "validation_failed", problem.code
  expect "/uln", problem.errors[0].pointer
  # [end]
end

def obtained_uln
  # [obtainUln]
  registration = UlnRequest.new(learner: LearnerDetails.new(
    given_name: "Gwenllian", family_name: "Ó Briain-Price", date_of_birth: Date.new(2005, 7, 21), gender: Gender::FEMALE,
    last_known_post_code: "ZZ7 7JJ", verification_type: VerificationType::PASSPORT, ability_to_share: AbilityToShare::SEEN_SHARE
  ))
  # One key per learner to register. Send it again with each repetition: the learner is registered once.
  key = SecureRandom.uuid
  first = LEARNERS.obtain_uln(registration, idempotency_key: key)
  second, _status, headers = LEARNERS.obtain_uln_with_http_info(registration, idempotency_key: key)
  expect "REGISTERED", first.outcome
  expect 10, first.uln.length
  expect first.uln, second.uln
  expect "true", headers["Idempotency-Replayed"]
  # [end]
end

# [submitRegistrationBatch, getRegistrationBatch]
def complete_learner(given_name)
  BatchLearner.new(
    mis_identifier: "A-#{given_name}", given_name:, family_name: "Ap Gwilym", date_of_birth: Date.new(2006, 1, 2), gender: Gender::MALE,
    last_known_post_code: "ZZ8 8BB", verification_type: VerificationType::PASSPORT, ability_to_share: AbilityToShare::SEEN_SHARE
  )
end
# [end]

def registration_batch
  # [submitRegistrationBatch, getRegistrationBatch]
  incomplete = BatchLearner.new(given_name: "Rhys", family_name: "Ap Hywel")
  learners = [complete_learner("Iolo"), complete_learner("Emrys"), incomplete]
  submission = RegistrationBatch.new(job_type: JobType::FULL, learners:)
  # One key per submission. Send it again with each repetition: the batch is submitted once.
  batch = BATCHES.submit_registration_batch(submission, idempotency_key: SecureRandom.uuid)
  while batch.retry_after_seconds
    sleep batch.retry_after_seconds
    batch = BATCHES.get_registration_batch(batch.batch_id)
  end
  expect "COMPLETE", batch.status
  # [end]
  # [getRegistrationBatchResults]
  results = BATCHES.get_registration_batch_results(batch.batch_id).results
  expect %w[ULN_RETURNED ULN_RETURNED EXCEPTION], results.map(&:outcome)
  expect 10, results[0].uln.length
  # LRS needs more data about Rhys than the names.
  expect "RC006", results[2].lrs_code
  # [end]
end

def newer_answers
  found = NEWER_LEARNERS.find_learner_by_uln(ANA)
  expect "MATCHED_IN_A_NEW_WAY", found.outcome
  expect "MATCHED_IN_A_NEW_WAY", found.learners[0].gender
  expect ANA.uln, found.learners[0].uln
  _status, problem = problem_of { NEWER_LEARNERS.find_learner_by_uln(ANA_MISTYPED) }
  expect "a_new_problem", problem.code
  expect "/uln", problem.errors[0].pointer
  batch = NEWER_BATCHES.get_registration_batch(NEWER_BATCHES.list_registration_batches.batches[0].batch_id)
  expect "A_NEW_STATUS", batch.status
  expect "A_NEW_STATUS", batch.parts[0].status
end

TASKS = {
  "exact match" => :exact_match,
  "problem" => :problem,
  "obtain ULN" => :obtained_uln,
  "registration batch" => :registration_batch,
  "newer answers" => :newer_answers
}.freeze
results = TASKS.map do |name, task|
  send(task)
  puts "ok: #{name}"
  true
rescue StandardError => error
  puts "FAILED: #{name}: #{error.message}"
  false
end
exit results.all?
