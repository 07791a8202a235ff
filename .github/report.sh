#!/usr/bin/env bash
# Reports a failed weekly run: comments on the open issue, or opens one. Needs RUN_URL.
set -euo pipefail

title="The weekly run failed"
body="A fresh installation, or a test with this week's releases, failed: $RUN_URL"

number=$(gh issue list --app github-actions --state open --search "in:title \"$title\"" \
  --json number --jq '.[0].number // empty')
if [ -n "$number" ]; then
  gh issue comment "$number" --body "$body"
else
  gh issue create --title "$title" --body "$body"
fi
