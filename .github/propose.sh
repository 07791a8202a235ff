#!/usr/bin/env bash
# Opens, or updates, a pull request with the lock files that `make lock` changed, and runs the checks on it.
set -euo pipefail

branch=update-lock-files
title="Update the lock files"

if git diff --quiet; then
  echo "The lock files are up to date."
  exit
fi
git config user.name "github-actions[bot]"
git config user.email "41898282+github-actions[bot]@users.noreply.github.com"
git commit --quiet --all --message "$title"
gh auth setup-git
git push --quiet --force origin "HEAD:refs/heads/$branch"
if [ -z "$(gh pr list --head "$branch" --state open --json number --jq '.[].number')" ]; then
  gh pr create --head "$branch" --title "$title" \
    --body "Releases that are at least 7 days old. The checks run on the branch; see the checks of the last commit."
fi
# GitHub runs no checks by itself for a pull request that a workflow opened.
gh workflow run checks.yml --ref "$branch"
