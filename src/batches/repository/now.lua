-- Reads the clock of the server that holds the queue. Other servers of a cluster may have other clocks.
-- KEYS:    scheduled
-- ARGV:    none
-- Returns: milliseconds since 1970, as text

local time = redis.call('TIME')
return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
