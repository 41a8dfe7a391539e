import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import uk.example.lrs.ApiClient;
import uk.example.lrs.ApiException;
import uk.example.lrs.api.LearnersApi;
import uk.example.lrs.api.RegistrationBatchesApi;
import uk.example.lrs.model.AbilityToShare;
import uk.example.lrs.model.BatchLearner;
import uk.example.lrs.model.Gender;
import uk.example.lrs.model.JobType;
import uk.example.lrs.model.LearnerDetails;
import uk.example.lrs.model.Problem;
import uk.example.lrs.model.RegistrationBatch;
import uk.example.lrs.model.UlnRequest;
import uk.example.lrs.model.UlnSearch;
import uk.example.lrs.model.VerificationType;

/** Calls the gateway with the Java client that openapi-generator generates. */
class Client {
    // [connect]
    static final ApiClient GATEWAY = connect(System.getenv("LRS_GATEWAY_URL"));
    static final LearnersApi LEARNERS = new LearnersApi(GATEWAY);
    static final RegistrationBatchesApi BATCHES = new RegistrationBatchesApi(GATEWAY);
    // [end]
    /** The same gateway, as a later version of it might answer. */
    static final ApiClient NEWER_GATEWAY = connect(System.getenv("LRS_NEWER_GATEWAY_URL"));
    static final LearnersApi NEWER_LEARNERS = new LearnersApi(NEWER_GATEWAY);
    static final RegistrationBatchesApi NEWER_BATCHES = new RegistrationBatchesApi(NEWER_GATEWAY);

    // [findLearnerByUln]
    static final UlnSearch ANA = new UlnSearch().uln("3000000126").givenName("Ana").familyName("O'Neill");
    // [end]
    static final UlnSearch ANA_MISTYPED = new UlnSearch().uln("3000000127").givenName("Ana").familyName("O'Neill");

    // [connect]
    static ApiClient connect(String url) {
        var client = new ApiClient();
        client.updateBaseUri(url);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + System.getenv("LRS_GATEWAY_TOKEN")));
        return client;
    }
    // [end]

    static void exactMatch() throws ApiException {
        // [findLearnerByUln]
        var found = LEARNERS.findLearnerByUln(ANA);
        expect("EXACT_MATCH", found.getOutcome());
        expect(ANA.getUln(), found.getLearners().get(0).getUln());
        expect("2003-04-05", found.getLearners().get(0).getDateOfBirth());
        // [end]
    }

    static void problem() throws Exception {
        // [problem]
        var refused = refusal(() -> LEARNERS.findLearnerByUln(ANA_MISTYPED));
        expect(422, refused.getCode());
        var problem = problemOf(refused);
        expect("validation_failed", problem.getCode());
        expect("/uln", problem.getErrors().get(0).getPointer());
        // [end]
    }

    static void obtainUln() throws ApiException {
        // [obtainUln]
        var registration = new UlnRequest().learner(new LearnerDetails()
            .givenName("Gwenllian").familyName("Ó Briain-Price").dateOfBirth(LocalDate.of(2005, 7, 21)).gender(Gender.FEMALE)
            .lastKnownPostCode("ZZ7 7JJ").verificationType(VerificationType.PASSPORT).abilityToShare(AbilityToShare.SEEN_SHARE));
        // One key per learner to register. Send it again with each repetition: the learner is registered once.
        var key = UUID.randomUUID().toString();
        var first = LEARNERS.obtainUln(registration, key);
        var second = LEARNERS.obtainUlnWithHttpInfo(registration, key);
        expect("REGISTERED", first.getOutcome());
        expect(10, first.getUln().length());
        expect(first.getUln(), second.getData().getUln());
        expect(List.of("true"), second.getHeaders().get("idempotency-replayed"));
        // [end]
    }

    static void registrationBatch() throws ApiException, InterruptedException {
        // [submitRegistrationBatch, getRegistrationBatch]
        var learners = new ArrayList<BatchLearner>();
        for (var givenName : List.of("Iolo", "Emrys")) {
            learners.add(new BatchLearner()
                .misIdentifier("A-" + givenName).givenName(givenName).familyName("Ap Gwilym").dateOfBirth(LocalDate.of(2006, 1, 2))
                .gender(Gender.MALE).lastKnownPostCode("ZZ8 8BB").verificationType(VerificationType.PASSPORT)
                .abilityToShare(AbilityToShare.SEEN_SHARE));
        }
        learners.add(new BatchLearner().misIdentifier("A-Rhys").givenName("Rhys").familyName("Ap Hywel"));
        var submission = new RegistrationBatch().jobType(JobType.FULL).learners(learners);
        // One key per submission. Send it again with each repetition: the batch is submitted once.
        var key = UUID.randomUUID().toString();
        var batch = BATCHES.submitRegistrationBatch(submission, key, null);
        while (batch.getRetryAfterSeconds() != null) {
            Thread.sleep(batch.getRetryAfterSeconds() * 1000L);
            batch = BATCHES.getRegistrationBatch(batch.getBatchId(), null);
        }
        expect("COMPLETE", batch.getStatus());
        // [end]
        // [getRegistrationBatchResults]
        var results = BATCHES.getRegistrationBatchResults(batch.getBatchId(), null, null).getResults();
        expect(List.of("ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"), results.stream().map(result -> result.getOutcome()).toList());
        expect(10, results.get(0).getUln().length());
        // LRS needs more data about Rhys than the names.
        expect("RC006", results.get(2).getLrsCode());
        // [end]
    }

    static void newerAnswers() throws Exception {
        var found = NEWER_LEARNERS.findLearnerByUln(ANA);
        expect("MATCHED_IN_A_NEW_WAY", found.getOutcome());
        expect("MATCHED_IN_A_NEW_WAY", found.getLearners().get(0).getGender());
        expect(ANA.getUln(), found.getLearners().get(0).getUln());
        var problem = problemOf(refusal(() -> NEWER_LEARNERS.findLearnerByUln(ANA_MISTYPED)));
        expect("a_new_problem", problem.getCode());
        expect("/uln", problem.getErrors().get(0).getPointer());
        var batchId = NEWER_BATCHES.listRegistrationBatches(null, null, null, null).getBatches().get(0).getBatchId();
        var batch = NEWER_BATCHES.getRegistrationBatch(batchId, null);
        expect("A_NEW_STATUS", batch.getStatus());
        expect("A_NEW_STATUS", batch.getParts().get(0).getStatus());
    }

    // [problem]
    /** Returns the problem of an answer that is not 2xx. The exception has it as text. */
    static Problem problemOf(ApiException refused) throws Exception {
        return GATEWAY.getObjectMapper().readValue(refused.getResponseBody(), Problem.class);
    }
    // [end]

    static ApiException refusal(Callable<?> call) throws Exception {
        try {
            throw new AssertionError("the gateway answered " + call.call());
        } catch (ApiException refused) {
            return refused;
        }
    }

    static void expect(Object expected, Object actual) {
        if (!expected.equals(actual)) {
            throw new AssertionError("expected " + expected + ", got " + actual);
        }
    }

    interface Task {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        var tasks = new LinkedHashMap<String, Task>();
        tasks.put("exact match", Client::exactMatch);
        tasks.put("problem", Client::problem);
        tasks.put("obtain ULN", Client::obtainUln);
        tasks.put("registration batch", Client::registrationBatch);
        tasks.put("newer answers", Client::newerAnswers);
        var failed = false;
        for (Map.Entry<String, Task> task : tasks.entrySet()) {
            try {
                task.getValue().run();
                System.out.println("ok: " + task.getKey());
            } catch (Exception | AssertionError error) {
                System.out.println("FAILED: " + task.getKey() + ": " + error);
                failed = true;
            }
        }
        System.exit(failed ? 1 : 0);
    }
}
