#!/usr/bin/env bash
# Starts the service with the README's command, lists customers, and stops the service.
set -euo pipefail
cd "$(dirname "$0")/.."

url=http://127.0.0.1:${PORT:-8000}
log=$(mktemp)
make run > "$log" 2>&1 &
trap 'kill $! || true; wait $! || true; cat "$log"' EXIT

# 5 minutes: a first start installs the tools and MariaDB
curl --silent --show-error --fail --output /dev/null --retry 300 --retry-delay 1 --retry-max-time 300 \
  --retry-all-errors "$url/health?deep=true"
curl --silent --show-error --fail --header "Authorization: Bearer $(make --silent token)" "$url/customers?limit=1"
