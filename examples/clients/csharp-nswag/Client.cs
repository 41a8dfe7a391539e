// Calls the gateway with the C# client that NSwag generates.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading.Tasks;
using LrsGateway;

static class Client
{
    static readonly GatewayClient Gateway = Connect("LRS_GATEWAY_URL");
    // The same gateway, as a later version of it might answer.
    static readonly GatewayClient NewerGateway = Connect("LRS_NEWER_GATEWAY_URL");

    static readonly UlnSearch Ana = new UlnSearch { Uln = "3000000126", GivenName = "Ana", FamilyName = "O'Neill" };
    static readonly UlnSearch AnaMistyped = new UlnSearch { Uln = "3000000127", GivenName = "Ana", FamilyName = "O'Neill" };

    static GatewayClient Connect(string urlVariable)
    {
        var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("LRS_GATEWAY_TOKEN"));
        return new GatewayClient(http) { BaseUrl = Environment.GetEnvironmentVariable(urlVariable) };
    }

    static async Task ExactMatch()
    {
        LearnerSearchResult found = (await Gateway.FindLearnerByUlnAsync(Ana)).Result;
        Expect("EXACT_MATCH", found.Outcome);
        Expect(Ana.Uln, found.Learners.First().Uln);
        Expect("2003-04-05", found.Learners.First().DateOfBirth);
    }

    static async Task ReadProblem()
    {
        ApiException<Problem> refused = await Refusal(Gateway.FindLearnerByUlnAsync(AnaMistyped));
        Expect(422, refused.StatusCode);
        Problem problem = refused.Result;
        Expect("validation_failed", problem.Code);
        Expect("/uln", problem.Errors.First().Pointer);
    }

    static async Task ObtainUln()
    {
        var learner = new LearnerDetails
        {
            GivenName = "Gwenllian", FamilyName = "Ó Briain-Price", DateOfBirth = new DateTime(2005, 7, 21), Gender = Gender.FEMALE,
            LastKnownPostCode = "ZZ7 7JJ", VerificationType = VerificationType.PASSPORT, AbilityToShare = AbilityToShare.SEEN_SHARE,
        };
        var registration = new UlnRequest { Learner = learner };
        // One key per learner to register. Send it again with each repetition: the learner is registered once.
        string key = Guid.NewGuid().ToString();
        UlnRequestResult first = (await Gateway.ObtainUlnAsync(registration, key)).Result;
        SwaggerResponse<UlnRequestResult> second = await Gateway.ObtainUlnAsync(registration, key);
        Expect("REGISTERED", first.Outcome);
        Expect(10, first.Uln.Length);
        Expect(first.Uln, second.Result.Uln);
        Expect("true", second.Headers["Idempotency-Replayed"].Single());
    }

    static BatchLearner Complete(string givenName) => new BatchLearner
    {
        MisIdentifier = "A-" + givenName, GivenName = givenName, FamilyName = "Ap Gwilym", DateOfBirth = new DateTime(2006, 1, 2),
        Gender = Gender.MALE, LastKnownPostCode = "ZZ8 8BB", VerificationType = VerificationType.PASSPORT,
        AbilityToShare = AbilityToShare.SEEN_SHARE,
    };

    static async Task RegisterBatch()
    {
        var incomplete = new BatchLearner { GivenName = "Rhys", FamilyName = "Ap Hywel" };
        var learners = new List<BatchLearner> { Complete("Iolo"), Complete("Emrys"), incomplete };
        var submission = new RegistrationBatch { JobType = JobType.FULL, Learners = learners };
        // One key per submission. Send it again with each repetition: the batch is submitted once.
        string key = Guid.NewGuid().ToString();
        BatchState batch = (await Gateway.SubmitRegistrationBatchAsync(submission, key)).Result;
        while (batch.RetryAfterSeconds != null)
        {
            await Task.Delay(TimeSpan.FromSeconds(batch.RetryAfterSeconds.Value));
            batch = (await Gateway.GetRegistrationBatchAsync(batch.BatchId)).Result;
        }
        Expect("COMPLETE", batch.Status);
        List<RegistrationBatchResult> results = (await Gateway.GetRegistrationBatchResultsAsync(batch.BatchId)).Result.Results.ToList();
        Expect("ULN_RETURNED ULN_RETURNED EXCEPTION", string.Join(" ", results.Select(result => result.Outcome)));
        Expect(10, results[0].Uln.Length);
        // LRS needs more data about Rhys than the names.
        Expect("RC006", results[2].LrsCode);
    }

    static async Task NewerAnswers()
    {
        LearnerSearchResult found = (await NewerGateway.FindLearnerByUlnAsync(Ana)).Result;
        Expect("MATCHED_IN_A_NEW_WAY", found.Outcome);
        Expect("MATCHED_IN_A_NEW_WAY", found.Learners.First().Gender);
        Expect(Ana.Uln, found.Learners.First().Uln);
        Problem problem = (await Refusal(NewerGateway.FindLearnerByUlnAsync(AnaMistyped))).Result;
        Expect("a_new_problem", problem.Code);
        Expect("/uln", problem.Errors.First().Pointer);
        string batchId = (await NewerGateway.ListRegistrationBatchesAsync()).Result.Batches.First().BatchId;
        BatchState batch = (await NewerGateway.GetRegistrationBatchAsync(batchId)).Result;
        Expect("A_NEW_STATUS", batch.Status);
        Expect("A_NEW_STATUS", batch.Parts.First().Status);
    }

    static async Task<ApiException<Problem>> Refusal(Task call)
    {
        try
        {
            await call;
        }
        catch (ApiException<Problem> refused)
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
