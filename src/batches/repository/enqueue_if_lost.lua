-- Makes a batch due immediately if it is in no queue: neither waiting nor leased.
-- KEYS:    those of queue.lua; due of the queue of the last version; due and leased of the queue before that
-- ARGV:    batch id
-- Returns: 1 if it was in no queue; 0 if nothing changes

for _, key in ipairs({ SCHEDULED, LEASED, KEYS[9], KEYS[10], KEYS[11] }) do
    if call('ZSCORE', key, ARGV[1]) then return 0 end
end
put(ARGV[1], now)
return 1
