#!/usr/bin/env bash
# Reports a failed scheduled run: comments on the open issue of that title, or opens one. Needs TITLE, BODY
# and RUN_URL.
set -euo pipefail

body="$BODY $RUN_URL"

number=$(gh issue list --app github-actions --state open --search "in:title \"$TITLE\"" \
  --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
  gh issue comment "$number" --body "$body"
else
  gh issue create --title "$TITLE" --body "$body"
fi
