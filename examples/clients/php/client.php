<?php
// Calls the gateway with the PHP client that openapi-generator generates.
declare(strict_types=1);

use LrsGateway\Api\LearnersApi;
use LrsGateway\Api\RegistrationBatchesApi;
use LrsGateway\ApiException;
use LrsGateway\Configuration;
use LrsGateway\Model\AbilityToShare;
use LrsGateway\Model\BatchLearner;
use LrsGateway\Model\Gender;
use LrsGateway\Model\JobType;
use LrsGateway\Model\LearnerDetails;
use LrsGateway\Model\Problem;
use LrsGateway\Model\RegistrationBatch;
use LrsGateway\Model\UlnRequest;
use LrsGateway\Model\UlnSearch;
use LrsGateway\Model\VerificationType;

// [connect]
function connect(string $urlVariable): Configuration
{
    return (new Configuration())->setHost(getenv($urlVariable))->setAccessToken(getenv('LRS_GATEWAY_TOKEN'));
}

$learners = new LearnersApi(config: connect('LRS_GATEWAY_URL'));
$batches = new RegistrationBatchesApi(config: connect('LRS_GATEWAY_URL'));
// [end]
// The same gateway, as a later version of it might answer.
$newerLearners = new LearnersApi(config: connect('LRS_NEWER_GATEWAY_URL'));
$newerBatches = new RegistrationBatchesApi(config: connect('LRS_NEWER_GATEWAY_URL'));

// [findLearnerByUln]
$ana = new UlnSearch(['uln' => '3000000126', 'given_name' => 'Ana', 'family_name' => "O'Neill"]);
// [end]
$anaMistyped = new UlnSearch(['uln' => '3000000127', 'given_name' => 'Ana', 'family_name' => "O'Neill"]);

function expect(mixed $expected, mixed $actual): void
{
    if ($expected !== $actual) {
        throw new Exception('expected ' . json_encode($expected) . ', got ' . json_encode($actual));
    }
}

/** Returns the exception with which a call ends. Its response object is a `Problem`. */
function refusal(callable $call): ApiException
{
    try {
        $call();
    } catch (ApiException $refused) {
        return $refused;
    }
    throw new Exception('the gateway did not refuse the call');
}

$tasks = [
    'exact match' => function () use ($learners, $ana) {
        // [findLearnerByUln]
        $found = $learners->findLearnerByUln($ana);
        expect('EXACT_MATCH', $found->getOutcome());
        expect($ana->getUln(), $found->getLearners()[0]->getUln());
        expect('2003-04-05', $found->getLearners()[0]->getDateOfBirth());
        // [end]
    },
    'problem' => function () use ($learners, $anaMistyped) {
        // [problem]
        $refused = refusal(fn () => $learners->findLearnerByUln($anaMistyped));
        expect(422, $refused->getCode());
        $problem = $refused->getResponseObject();
        expect(true, $problem instanceof Problem);
        expect('validation_failed', $problem->getCode());
        expect('/uln', $problem->getErrors()[0]->getPointer());
        // [end]
    },
    'obtain ULN' => function () use ($learners) {
        // [obtainUln]
        $registration = new UlnRequest(['learner' => new LearnerDetails([
            'given_name' => 'Gwenllian', 'family_name' => 'Ó Briain-Price', 'date_of_birth' => new DateTime('2005-07-21'),
            'gender' => Gender::FEMALE, 'last_known_post_code' => 'ZZ7 7JJ', 'verification_type' => VerificationType::PASSPORT,
            'ability_to_share' => AbilityToShare::SEEN_SHARE,
        ])]);
        // One key per learner to register. Send it again with each repetition: the learner is registered once.
        $key = bin2hex(random_bytes(16));
        $first = $learners->obtainUln($registration, $key);
        [$second, , $headers] = $learners->obtainUlnWithHttpInfo($registration, $key);
        expect('REGISTERED', $first->getOutcome());
        expect(10, strlen($first->getUln()));
        expect($first->getUln(), $second->getUln());
        expect(['true'], array_change_key_case($headers)['idempotency-replayed']);
        // [end]
    },
    'registration batch' => function () use ($batches) {
        // [submitRegistrationBatch, getRegistrationBatch]
        $complete = fn (string $givenName) => new BatchLearner([
            'mis_identifier' => "A-$givenName", 'given_name' => $givenName, 'family_name' => 'Ap Gwilym',
            'date_of_birth' => new DateTime('2006-01-02'), 'gender' => Gender::MALE, 'last_known_post_code' => 'ZZ8 8BB',
            'verification_type' => VerificationType::PASSPORT, 'ability_to_share' => AbilityToShare::SEEN_SHARE,
        ]);
        $incomplete = new BatchLearner(['given_name' => 'Rhys', 'family_name' => 'Ap Hywel']);
        $learners = [$complete('Iolo'), $complete('Emrys'), $incomplete];
        $submission = new RegistrationBatch(['job_type' => JobType::FULL, 'learners' => $learners]);
        // One key per submission. Send it again with each repetition: the batch is submitted once.
        $key = bin2hex(random_bytes(16));
        $batch = $batches->submitRegistrationBatch($submission, $key);
        while ($batch->getRetryAfterSeconds() !== null) {
            sleep($batch->getRetryAfterSeconds());
            $batch = $batches->getRegistrationBatch($batch->getBatchId());
        }
        expect('COMPLETE', $batch->getStatus());
        // [end]
        // [getRegistrationBatchResults]
        $results = $batches->getRegistrationBatchResults($batch->getBatchId())->getResults();
        expect(['ULN_RETURNED', 'ULN_RETURNED', 'EXCEPTION'], array_map(fn ($result) => $result->getOutcome(), $results));
        expect(10, strlen($results[0]->getUln()));
        // LRS needs more data about Rhys than the names.
        expect('RC006', $results[2]->getLrsCode());
        // [end]
    },
    'newer answers' => function () use ($newerLearners, $newerBatches, $ana, $anaMistyped) {
        $found = $newerLearners->findLearnerByUln($ana);
        expect('MATCHED_IN_A_NEW_WAY', $found->getOutcome());
        expect('MATCHED_IN_A_NEW_WAY', $found->getLearners()[0]->getGender());
        expect($ana->getUln(), $found->getLearners()[0]->getUln());
        $problem = refusal(fn () => $newerLearners->findLearnerByUln($anaMistyped))->getResponseObject();
        expect(true, $problem instanceof Problem);
        expect('a_new_problem', $problem->getCode());
        expect('/uln', $problem->getErrors()[0]->getPointer());
        $batch = $newerBatches->getRegistrationBatch($newerBatches->listRegistrationBatches()->getBatches()[0]->getBatchId());
        expect('A_NEW_STATUS', $batch->getStatus());
        expect('A_NEW_STATUS', $batch->getParts()[0]->getStatus());
    },
];
$failed = 0;
foreach ($tasks as $name => $task) {
    try {
        $task();
        echo "ok: $name\n";
    } catch (Throwable $error) {
        echo "FAILED: $name: {$error->getMessage()}\n";
        $failed = 1;
    }
}
exit($failed);
