// Calls the gateway with the Kotlin client that openapi-generator generates.
import java.time.LocalDate
import java.util.UUID
import kotlin.system.exitProcess
import uk.example.lrs.apis.LearnersApi
import uk.example.lrs.apis.RegistrationBatchesApi
import uk.example.lrs.infrastructure.ApiClient
import uk.example.lrs.infrastructure.ClientError
import uk.example.lrs.infrastructure.ClientException
import uk.example.lrs.infrastructure.Serializer
import uk.example.lrs.infrastructure.Success
import uk.example.lrs.models.AbilityToShare
import uk.example.lrs.models.BatchLearner
import uk.example.lrs.models.Gender
import uk.example.lrs.models.JobType
import uk.example.lrs.models.LearnerDetails
import uk.example.lrs.models.Problem
import uk.example.lrs.models.RegistrationBatch
import uk.example.lrs.models.UlnRequest
import uk.example.lrs.models.UlnRequestResult
import uk.example.lrs.models.UlnSearch
import uk.example.lrs.models.VerificationType

// [connect]
val gateway: String = System.getenv("LRS_GATEWAY_URL")
val learners = LearnersApi(gateway)
val batches = RegistrationBatchesApi(gateway)
// [end]

// The same gateway, as a later version of it might answer.
val newerGateway: String = System.getenv("LRS_NEWER_GATEWAY_URL")
val newerLearners = LearnersApi(newerGateway)
val newerBatches = RegistrationBatchesApi(newerGateway)

// [findLearnerByUln]
val ana = UlnSearch(uln = "3000000126", givenName = "Ana", familyName = "O'Neill")
// [end]
val anaMistyped = ana.copy(uln = "3000000127")

fun expect(expected: Any?, actual: Any?) = check(expected == actual) { "expected $expected, got $actual" }

// [problem]
// Reads the problem of an answer that is not 2xx. The exception has it as text.
fun problemOf(refused: ClientException): Problem =
    Serializer.gson.fromJson((refused.response as ClientError<*>).body as String, Problem::class.java)
// [end]

fun refusal(call: () -> Any): ClientException =
    try {
        error("the gateway answered ${call()}")
    } catch (refused: ClientException) {
        refused
    }

fun exactMatch() {
    // [findLearnerByUln]
    val found = learners.findLearnerByUln(ana)
    expect("EXACT_MATCH", found.outcome)
    expect(ana.uln, found.learners[0].uln)
    expect("2003-04-05", found.learners[0].dateOfBirth)
    // [end]
}

fun problem() {
    // [problem]
    val refused = refusal { learners.findLearnerByUln(anaMistyped) }
    expect(422, refused.statusCode)
    val problem = problemOf(refused)
    expect("validation_failed", problem.code)
    expect("/uln", problem.errors?.first()?.pointer)
    // [end]
}

fun obtainUln() {
    // [obtainUln]
    val registration = UlnRequest(
        learner = LearnerDetails(
            givenName = "Gwenllian", familyName = "Ó Briain-Price", dateOfBirth = LocalDate.of(2005, 7, 21), gender = Gender.FEMALE,
            lastKnownPostCode = "ZZ7 7JJ", verificationType = VerificationType.PASSPORT, abilityToShare = AbilityToShare.SEEN_SHARE,
        ),
    )
    // One key per learner to register. Send it again with each repetition: the learner is registered once.
    val key = UUID.randomUUID().toString()
    val first = learners.obtainUln(registration, key)
    val second = learners.obtainUlnWithHttpInfo(registration, key) as Success<UlnRequestResult?>
    expect("REGISTERED", first.outcome)
    expect(10, first.uln?.length)
    expect(first.uln, second.data?.uln)
    expect(listOf("true"), second.headers["idempotency-replayed"])
    // [end]
}

fun registrationBatch() {
    // [submitRegistrationBatch, getRegistrationBatch]
    fun complete(givenName: String) = BatchLearner(
        misIdentifier = "A-$givenName", givenName = givenName, familyName = "Ap Gwilym", dateOfBirth = LocalDate.of(2006, 1, 2),
        gender = Gender.MALE, lastKnownPostCode = "ZZ8 8BB", verificationType = VerificationType.PASSPORT,
        abilityToShare = AbilityToShare.SEEN_SHARE,
    )
    val incomplete = BatchLearner(givenName = "Rhys", familyName = "Ap Hywel")
    val submission = RegistrationBatch(jobType = JobType.FULL, learners = listOf(complete("Iolo"), complete("Emrys"), incomplete))
    // One key per submission. Send it again with each repetition: the batch is submitted once.
    val key = UUID.randomUUID().toString()
    var batch = batches.submitRegistrationBatch(submission, key)
    while (true) {
        val seconds = batch.retryAfterSeconds ?: break
        Thread.sleep(seconds * 1000L)
        batch = batches.getRegistrationBatch(batch.batchId)
    }
    expect("COMPLETE", batch.status)
    // [end]
    // [getRegistrationBatchResults]
    val results = batches.getRegistrationBatchResults(batch.batchId).results
    expect(listOf("ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"), results.map { it.outcome })
    expect(10, results[0].uln?.length)
    // LRS needs more data about Rhys than the names.
    expect("RC006", results[2].lrsCode)
    // [end]
}

fun newerAnswers() {
    val found = newerLearners.findLearnerByUln(ana)
    expect("MATCHED_IN_A_NEW_WAY", found.outcome)
    expect("MATCHED_IN_A_NEW_WAY", found.learners[0].gender)
    expect(ana.uln, found.learners[0].uln)
    val problem = problemOf(refusal { newerLearners.findLearnerByUln(anaMistyped) })
    expect("a_new_problem", problem.code)
    expect("/uln", problem.errors?.first()?.pointer)
    val batch = newerBatches.getRegistrationBatch(newerBatches.listRegistrationBatches().batches[0].batchId)
    expect("A_NEW_STATUS", batch.status)
    expect("A_NEW_STATUS", batch.parts?.first()?.status)
}

fun main() {
    // [connect]
    ApiClient.accessToken = System.getenv("LRS_GATEWAY_TOKEN")
    // [end]
    val tasks = mapOf(
        "exact match" to ::exactMatch,
        "problem" to ::problem,
        "obtain ULN" to ::obtainUln,
        "registration batch" to ::registrationBatch,
        "newer answers" to ::newerAnswers,
    )
    var failed = 0
    for ((name, task) in tasks) {
        try {
            task()
            println("ok: $name")
        } catch (error: Exception) {
            println("FAILED: $name: $error")
            failed = 1
        }
    }
    exitProcess(failed)
}
