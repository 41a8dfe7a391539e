// Calls the gateway with the Go client that openapi-generator generates.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"example.ac.uk/client/lrsgateway"
)

var (
	// [connect]
	gateway = connect(os.Getenv("LRS_GATEWAY_URL"))
	ctx     = context.WithValue(context.Background(), lrsgateway.ContextAccessToken, os.Getenv("LRS_GATEWAY_TOKEN"))
	// [end]
	// The same gateway, as a later version of it might answer.
	newerGateway = connect(os.Getenv("LRS_NEWER_GATEWAY_URL"))

	// [findLearnerByUln]
	ana = *lrsgateway.NewUlnSearch("3000000126", "Ana", "O'Neill")
	// [end]
	anaMistyped = *lrsgateway.NewUlnSearch("3000000127", "Ana", "O'Neill")
)

// [connect]
func connect(url string) *lrsgateway.APIClient {
	configuration := lrsgateway.NewConfiguration()
	configuration.Servers = lrsgateway.ServerConfigurations{{URL: url}}
	return lrsgateway.NewAPIClient(configuration)
}

// [end]

func exactMatch() error {
	// [findLearnerByUln]
	found, _, err := gateway.LearnersAPI.FindLearnerByUln(ctx).UlnSearch(ana).Execute()
	if err != nil {
		return err
	}
	return expect(
		equal("EXACT_MATCH", found.Outcome),
		equal(ana.Uln, found.Learners[0].Uln),
		equal("2003-04-05", found.Learners[0].GetDateOfBirth()))
	// [end]
}

func problem() error {
	// [problem]
	_, response, err := gateway.LearnersAPI.FindLearnerByUln(ctx).UlnSearch(anaMistyped).Execute()
	problem, err := problemOf(err)
	if err != nil {
		return err
	}
	return expect(
		equal(422, response.StatusCode),
		equal("validation_failed", problem.Code),
		equal("/uln", problem.Errors[0].Pointer))
	// [end]
}

func obtainUln() error {
	// [obtainUln]
	registration := lrsgateway.UlnRequest{Learner: lrsgateway.LearnerDetails{
		GivenName:         "Gwenllian",
		FamilyName:        "Ó Briain-Price",
		DateOfBirth:       "2005-07-21",
		Gender:            lrsgateway.GENDER_FEMALE,
		LastKnownPostCode: "ZZ7 7JJ",
		VerificationType:  lrsgateway.VERIFICATIONTYPE_PASSPORT,
		AbilityToShare:    lrsgateway.ABILITYTOSHARE_SEEN_SHARE,
	}}
	// One key per learner to register. Send it again with each repetition: the learner is registered once.
	key := rand.Text()
	first, _, err := gateway.LearnersAPI.ObtainUln(ctx).UlnRequest(registration).IdempotencyKey(key).Execute()
	if err != nil {
		return err
	}
	second, response, err := gateway.LearnersAPI.ObtainUln(ctx).UlnRequest(registration).IdempotencyKey(key).Execute()
	if err != nil {
		return err
	}
	return expect(
		equal("REGISTERED", first.Outcome),
		equal(10, len(first.GetUln())),
		equal(first.GetUln(), second.GetUln()),
		equal("true", response.Header.Get("Idempotency-Replayed")))
	// [end]
}

func registrationBatch() error {
	// [submitRegistrationBatch, getRegistrationBatch]
	var learners []lrsgateway.BatchLearner
	for _, givenName := range []string{"Iolo", "Emrys"} {
		learners = append(learners, lrsgateway.BatchLearner{
			MisIdentifier:     lrsgateway.PtrString("A-" + givenName),
			GivenName:         givenName,
			FamilyName:        "Ap Gwilym",
			DateOfBirth:       lrsgateway.PtrString("2006-01-02"),
			Gender:            lrsgateway.GENDER_MALE.Ptr(),
			LastKnownPostCode: lrsgateway.PtrString("ZZ8 8BB"),
			VerificationType:  lrsgateway.VERIFICATIONTYPE_PASSPORT.Ptr(),
			AbilityToShare:    lrsgateway.ABILITYTOSHARE_SEEN_SHARE.Ptr(),
		})
	}
	learners = append(learners, lrsgateway.BatchLearner{GivenName: "Rhys", FamilyName: "Ap Hywel"})
	submission := lrsgateway.RegistrationBatch{JobType: lrsgateway.JOBTYPE_FULL, Learners: learners}
	// One key per submission. Send it again with each repetition: the batch is submitted once.
	key := rand.Text()
	batch, _, err := gateway.RegistrationBatchesAPI.SubmitRegistrationBatch(ctx).RegistrationBatch(submission).IdempotencyKey(key).Execute()
	for err == nil && batch.RetryAfterSeconds != nil {
		time.Sleep(time.Duration(*batch.RetryAfterSeconds) * time.Second)
		batch, _, err = gateway.RegistrationBatchesAPI.GetRegistrationBatch(ctx, batch.BatchId).Execute()
	}
	if err != nil {
		return err
	}
	// [end]
	// [getRegistrationBatchResults]
	page, _, err := gateway.RegistrationBatchesAPI.GetRegistrationBatchResults(ctx, batch.BatchId).Execute()
	if err != nil {
		return err
	}
	return expect(
		equal("COMPLETE", batch.Status),
		equal("ULN_RETURNED", page.Results[0].Outcome),
		equal(10, len(page.Results[0].GetUln())),
		equal("ULN_RETURNED", page.Results[1].Outcome),
		equal("EXCEPTION", page.Results[2].Outcome),
		// LRS needs more data about Rhys than the names.
		equal("RC006", page.Results[2].GetLrsCode()))
	// [end]
}

func newerAnswers() error {
	found, _, err := newerGateway.LearnersAPI.FindLearnerByUln(ctx).UlnSearch(ana).Execute()
	if err != nil {
		return err
	}
	_, _, err = newerGateway.LearnersAPI.FindLearnerByUln(ctx).UlnSearch(anaMistyped).Execute()
	problem, err := problemOf(err)
	if err != nil {
		return err
	}
	batches, _, err := newerGateway.RegistrationBatchesAPI.ListRegistrationBatches(ctx).Execute()
	if err != nil {
		return err
	}
	batch, _, err := newerGateway.RegistrationBatchesAPI.GetRegistrationBatch(ctx, batches.Batches[0].BatchId).Execute()
	if err != nil {
		return err
	}
	return expect(
		equal("MATCHED_IN_A_NEW_WAY", found.Outcome),
		equal("MATCHED_IN_A_NEW_WAY", found.Learners[0].GetGender()),
		equal(ana.Uln, found.Learners[0].Uln),
		equal("a_new_problem", problem.Code),
		equal("/uln", problem.Errors[0].Pointer),
		equal("A_NEW_STATUS", batch.Status),
		equal("A_NEW_STATUS", batch.Parts[0].Status))
}

// [problem]
// problemOf returns the problem with which the gateway answered a call.
func problemOf(err error) (lrsgateway.Problem, error) {
	if err == nil {
		return lrsgateway.Problem{}, errors.New("the gateway did not refuse the call")
	}
	var refused *lrsgateway.GenericOpenAPIError
	if errors.As(err, &refused) {
		if problem, ok := refused.Model().(lrsgateway.Problem); ok {
			return problem, nil
		}
	}
	return lrsgateway.Problem{}, fmt.Errorf("no problem, but: %w", err)
}

// [end]

func equal[T comparable](expected, actual T) error {
	if expected != actual {
		return fmt.Errorf("expected %v, got %v", expected, actual)
	}
	return nil
}

func expect(checks ...error) error {
	return errors.Join(checks...)
}

func main() {
	tasks := []struct {
		name string
		run  func() error
	}{
		{"exact match", exactMatch},
		{"problem", problem},
		{"obtain ULN", obtainUln},
		{"registration batch", registrationBatch},
		{"newer answers", newerAnswers},
	}
	failed := 0
	for _, task := range tasks {
		if err := task.run(); err != nil {
			fmt.Printf("FAILED: %s: %v\n", task.name, err)
			failed = 1
		} else {
			fmt.Printf("ok: %s\n", task.name)
		}
	}
	os.Exit(failed)
}
