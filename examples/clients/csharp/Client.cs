// Calls the gateway with the C# client that openapi-generator generates.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using LrsGateway.Api;
using LrsGateway.Client;
using LrsGateway.Model;
using Newtonsoft.Json;

static class Client
{
    // [connect]
    static readonly Configuration Gateway = Connect("LRS_GATEWAY_URL");
    static readonly LearnersApi Learners = new LearnersApi(Gateway);
    static readonly RegistrationBatchesApi Batches = new RegistrationBatchesApi(Gateway);
    // [end]
    // The same gateway, as a later version of it might answer.
    static readonly Configuration NewerGateway = Connect("LRS_NEWER_GATEWAY_URL");
    static readonly LearnersApi NewerLearners = new LearnersApi(NewerGateway);
    static readonly RegistrationBatchesApi NewerBatches = new RegistrationBatchesApi(NewerGateway);

    // [findLearnerByUln]
    static readonly UlnSearch Ana = new UlnSearch(uln: "3000000126", givenName: "Ana", familyName: "O'Neill");
    // [end]
    static readonly UlnSearch AnaMistyped = new UlnSearch(uln: "3000000127", givenName: "Ana", familyName: "O'Neill");

    // [connect]
    static Configuration Connect(string urlVariable) => new Configuration
    {
        BasePath = Environment.GetEnvironmentVariable(urlVariable),
        AccessToken = Environment.GetEnvironmentVariable("LRS_GATEWAY_TOKEN"),
    };
    // [end]

    static async Task ExactMatch()
    {
        // [findLearnerByUln]
        LearnerSearchResult found = await Learners.FindLearnerByUlnAsync(Ana);
        Expect("EXACT_MATCH", found.Outcome);
        Expect(Ana.Uln, found.Learners[0].Uln);
        Expect("2003-04-05", found.Learners[0].DateOfBirth);
        // [end]
    }

    static async Task ReadProblem()
    {
        // [problem]
        ApiException refused = await Refusal(Learners.FindLearnerByUlnAsync(AnaMistyped));
        Expect(422, refused.ErrorCode);
        Problem problem = ProblemOf(refused);
        Expect("validation_failed", problem.Code);
        Expect("/uln", problem.Errors[0].Pointer);
        // [end]
    }

    static async Task ObtainUln()
    {
        // [obtainUln]
        var registration = new UlnRequest(learner: new LearnerDetails(
            givenName: "Gwenllian", familyName: "Ó Briain-Price", dateOfBirth: new DateTime(2005, 7, 21), gender: Gender.FEMALE,
            lastKnownPostCode: "ZZ7 7JJ", verificationType: VerificationType.PASSPORT, abilityToShare: AbilityToShare.SEENSHARE));
        // One key per learner to register. Send it again with each repetition: the learner is registered once.
        string key = Guid.NewGuid().ToString();
        UlnRequestResult first = await Learners.ObtainUlnAsync(registration, key);
        ApiResponse<UlnRequestResult> second = await Learners.ObtainUlnWithHttpInfoAsync(registration, key);
        Expect("REGISTERED", first.Outcome);
        Expect(10, first.Uln.Length);
        Expect(first.Uln, second.Data.Uln);
        Expect("true", second.Headers["Idempotency-Replayed"].Single());
        // [end]
    }

    // [submitRegistrationBatch, getRegistrationBatch]
    static BatchLearner Complete(string givenName) => new BatchLearner(
        misIdentifier: "A-" + givenName, givenName: givenName, familyName: "Ap Gwilym", dateOfBirth: new DateTime(2006, 1, 2),
        gender: Gender.MALE, lastKnownPostCode: "ZZ8 8BB", verificationType: VerificationType.PASSPORT,
        abilityToShare: AbilityToShare.SEENSHARE);
    // [end]

    static async Task RegisterBatch()
    {
        // [submitRegistrationBatch, getRegistrationBatch]
        var incomplete = new BatchLearner(givenName: "Rhys", familyName: "Ap Hywel");
        var learners = new List<BatchLearner> { Complete("Iolo"), Complete("Emrys"), incomplete };
        var submission = new RegistrationBatch(jobType: JobType.FULL, learners: learners);
        // One key per submission. Send it again with each repetition: the batch is submitted once.
        string key = Guid.NewGuid().ToString();
        BatchState batch = await Batches.SubmitRegistrationBatchAsync(submission, key);
        // The property is 0 if the answer does not have it.
        while (batch.RetryAfterSeconds > 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(batch.RetryAfterSeconds));
            batch = await Batches.GetRegistrationBatchAsync(batch.BatchId);
        }
        Expect("COMPLETE", batch.Status);
        // [end]
        // [getRegistrationBatchResults]
        List<RegistrationBatchResult> results = (await Batches.GetRegistrationBatchResultsAsync(batch.BatchId)).Results;
        Expect("ULN_RETURNED ULN_RETURNED EXCEPTION", string.Join(" ", results.Select(result => result.Outcome)));
        Expect(10, results[0].Uln.Length);
        // LRS needs more data about Rhys than the names.
        Expect("RC006", results[2].LrsCode);
        // [end]
    }

    static async Task NewerAnswers()
    {
        LearnerSearchResult found = await NewerLearners.FindLearnerByUlnAsync(Ana);
        Expect("MATCHED_IN_A_NEW_WAY", found.Outcome);
        Expect("MATCHED_IN_A_NEW_WAY", found.Learners[0].Gender);
        Expect(Ana.Uln, found.Learners[0].Uln);
        Problem problem = ProblemOf(await Refusal(NewerLearners.FindLearnerByUlnAsync(AnaMistyped)));
        Expect("a_new_problem", problem.Code);
        Expect("/uln", problem.Errors[0].Pointer);
        string batchId = (await NewerBatches.ListRegistrationBatchesAsync()).Batches[0].BatchId;
        BatchState batch = await NewerBatches.GetRegistrationBatchAsync(batchId);
        Expect("A_NEW_STATUS", batch.Status);
        Expect("A_NEW_STATUS", batch.Parts[0].Status);
    }

    // [problem]
    // Reads the problem of an answer that is not 2xx. The exception has it as text.
    static Problem ProblemOf(ApiException refused) => JsonConvert.DeserializeObject<Problem>((string)refused.ErrorContent);
    // [end]

    static async Task<ApiException> Refusal(Task call)
    {
        try
        {
            await call;
        }
        catch (ApiException refused)
        {
            return refused;
        }
        throw new Exception("the gateway did not refuse the call");
    }

    static void Expect<T>(T expected, T actual)
    {
        if (!Equals(expected, actual))
        {
            throw new Exception($"expected {expected}, got {actual}");
        }
    }

    static readonly Dictionary<string, Func<Task>> Tasks = new Dictionary<string, Func<Task>>
    {
        ["exact match"] = ExactMatch,
        ["problem"] = ReadProblem,
        ["obtain ULN"] = ObtainUln,
        ["registration batch"] = RegisterBatch,
        ["newer answers"] = NewerAnswers,
    };

    static int Main()
    {
        int failed = 0;
        foreach (KeyValuePair<string, Func<Task>> task in Tasks)
        {
            try
            {
                task.Value().GetAwaiter().GetResult();
                Console.WriteLine($"ok: {task.Key}");
            }
            catch (Exception error)
            {
                Console.WriteLine($"FAILED: {task.Key}: {error.Message}");
                failed = 1;
            }
        }
        return failed;
    }
}
