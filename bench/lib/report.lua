-- What to send comes from the environment, so that one script serves every case; wrk has no flag for it.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
local body = os.getenv("BENCH_BODY")
if body then
  wrk.body = body
end

-- In a body, {n} stands for a text that no other request sends, and {each} for the next of some values.
local function varied()
  local run = os.getenv("BENCH_RUN") or ""
  local values, at, n = {}, 0, 0
  for value in (os.getenv("BENCH_EACH") or ""):gmatch("%S+") do
    values[#values + 1] = value
  end
  return function()
    n = n + 1
    at = at % math.max(1, #values) + 1
    return wrk.format(nil, nil, nil, (body:gsub("{n}", run .. n):gsub("{each}", values[at] or "")))
  end
end

-- Asked for in turn, if there are any.
local requests = {}
function init()
  if body and (body:find("{n}", 1, true) or body:find("{each}", 1, true)) then
    request = varied()
    return
  end
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
