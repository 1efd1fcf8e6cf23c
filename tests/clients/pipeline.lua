-- Ten requests at a time, without waiting for answers; every answer must be whole.

local batch
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    wrong = 0
    answered = 0
    local requests = {}
    for number = 1, 10 do
        requests[number] = wrk.format("GET", "/" .. number .. ".txt")
    end
    batch = table.concat(requests)
end

function request()
    return batch
end

-- File number n has n * 100 bytes, all the last digit of n.
function response(status, headers, body)
    answered = answered + 1
    local number = #body / 100
    local digit = tostring(number % 10):sub(1, 1)
    if status ~= 200 or number < 1 or number > 10 or body ~= digit:rep(#body) then
        wrong = wrong + 1
    end
end

function done(summary, latency, requests)
    local answers, errors = 0, 0
    for _, thread in ipairs(threads) do
        answers = answers + thread:get("answered")
        errors = errors + thread:get("wrong")
    end
    print("answers: " .. answers .. ", wrong: " .. errors)
end
