-- wrk's script: sends one kind of request, and prints the results as JSON.
-- https://github.com/wg/wrk/blob/master/SCRIPTING
local created, prefix, path = 0, os.getenv("PREFIX"), os.getenv("TARGET")
local customer = '{"email":"%s.%d@example.com","given_name":"Ada","family_name":"Lovelace",'
  .. '"company_name":"Analytical Engines Ltd","phone":"+442079460000","status":"active",'
  .. '"addresses":[{"type":"work","line1":"1 Main Street","city":"London","country":"GB"}]}'

wrk.headers["Authorization"] = "Bearer " .. os.getenv("TOKEN")

function request()
  if os.getenv("METHOD") == "GET" then
    return wrk.format("GET", path)
  end
  created = created + 1
  wrk.headers["Content-Type"] = "application/json"
  return wrk.format("POST", path, nil, customer:format(prefix, created))
end

function done(summary, latency)
  local failed = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6,
    failed.connect + failed.read + failed.write + failed.timeout + failed.status,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
