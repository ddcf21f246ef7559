-- What to send comes from the environment, so that one script serves every case; wrk has no flag for it.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
local body = os.getenv("BENCH_BODY")
if body then
  wrk.body = body
end

-- Asked for in turn, if there are any.
local requests = {}
function init()
  for path in (os.getenv("BENCH_PATHS") or ""):gmatch("%S+") do
    requests[#requests + 1] = wrk.format(nil, path)
  end
  if #requests > 0 then
    local at = 0
    request = function()
      at = at % #requests + 1
      return requests[at]
    end
  end
end

-- wrk's own report rounds: one line of JSON instead. Times are in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nREPORT {"requests":%d,"duration":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,'
      .. '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout
  ))
end
