#!/usr/bin/env bash
# Prints an access token with every scope, for the tests of a stage (OAuth 2.0 client credentials grant).
set -euo pipefail

curl --fail --silent --show-error --retry 3 --user "$TOKEN_CLIENT_ID:$TOKEN_CLIENT_SECRET" \
  --data grant_type=client_credentials \
  --data-urlencode "scope=${TOKEN_SCOPE:-customers:read customers:write customers:erase customers:history customers:export}" \
  "$TOKEN_URL" | jq --exit-status --raw-output .access_token
