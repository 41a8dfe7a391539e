-- Counts a call against several limits by GCRA. The call is allowed if every limit allows it; a rejected call changes no limit.
--
-- KEYS:    one key per limit, all in one hash slot; the value is the limit's theoretical arrival time in microseconds since 1970
-- ARGV:    per limit: emission interval in microseconds, burst
-- Returns: a list of texts: the longest wait in microseconds ('0' if the call is allowed), the index of the limit with that wait ('0' if
--          allowed), then per limit its theoretical arrival time, in microseconds from now
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local longest_wait, longest_index, arrivals = 0, 0, {}
for index, key in ipairs(KEYS) do
    local interval, burst = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
    local arrival = math.max(tonumber(redis.call('GET', key)) or now, now)
    local wait = arrival + interval - interval * burst - now
    if wait > longest_wait then
        longest_wait, longest_index = wait, index
    end
    arrivals[index] = arrival
end
local result = {string.format('%.0f', longest_wait), tostring(longest_index)}
for index, key in ipairs(KEYS) do
    if longest_wait == 0 then
        arrivals[index] = arrivals[index] + tonumber(ARGV[2 * index - 1])
        local expiry = math.ceil((arrivals[index] - now) / 1000) + 1
        redis.call('SET', key, string.format('%.0f', arrivals[index]), 'PX', expiry)
    end
    table.insert(result, string.format('%.0f', arrivals[index] - now))
end
return result
