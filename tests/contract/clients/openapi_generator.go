// A customer's whole lifecycle, with openapi-generator's client for Go.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"

	generated "github.com/GIT_USER_ID/GIT_REPO_ID"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal[T comparable](got, wanted T) {
	if got != wanted {
		panic(fmt.Sprintf("got %v, wanted %v", got, wanted))
	}
}

func main() {
	configuration := generated.NewConfiguration()
	configuration.Servers = generated.ServerConfigurations{{URL: os.Getenv("API")}}
	customers := generated.NewAPIClient(configuration).CustomersAPI
	ctx := context.WithValue(context.Background(), generated.ContextAccessToken, os.Getenv("TOKEN"))

	email := rand.Text() + "@example.com"
	creation := *generated.NewCustomerCreation(email)
	creation.SetGivenName("Ada")
	created, _, err := customers.CreateCustomer(ctx).CustomerCreation(creation).IdempotencyKey(rand.Text()).Execute()
	check(err)
	read, response, err := customers.GetCustomer(ctx, created.Id).Execute()
	check(err)

	same, err := json.Marshal(read)
	check(err)
	var replacement generated.CustomerReplacement
	check(json.Unmarshal(same, &replacement))
	replacement.SetFamilyName("Lovelace")
	replaced, _, err := customers.ReplaceCustomer(ctx, created.Id).IfMatch(response.Header.Get("ETag")).CustomerReplacement(replacement).Execute()
	check(err)
	equal(replaced.Version, 2)
	equal(replaced.GetFamilyName(), "Lovelace")

	patch := generated.CustomerPatch{}
	patch.SetStatus(generated.INACTIVE)
	patched, _, err := customers.PatchCustomer(ctx, created.Id).CustomerPatch(patch).IfMatch(`"v2"`).Execute()
	check(err)
	equal(patched.Status, generated.INACTIVE)

	page, _, err := customers.GetCustomers(ctx).Email(email).Execute()
	check(err)
	equal(len(page.Items), 1)
	equal(page.Items[0].Id, created.Id)

	_, err = customers.DeleteCustomer(ctx, created.Id).IfMatch(`"v3"`).Execute()
	check(err)
	_, response, err = customers.GetCustomer(ctx, created.Id).Execute()
	equal(err != nil && response.StatusCode == 404, true)
	restored, _, err := customers.RestoreCustomer(ctx, created.Id).Execute()
	check(err)
	equal(restored.Version, 5)
	_, err = customers.EraseCustomer(ctx, created.Id).Execute()
	check(err)
}
