-- Counts the unfinished batches, and the claimable ones (due now and not leased).
-- KEYS:    those of queue.lua; due of the queue of the last version; due and leased of the queue before that
-- ARGV:    none
-- Returns: number of unfinished batches, number of claimable batches, time since the first organisation's turn came (milliseconds)

local unfinished = 0
for _, key in ipairs({ SCHEDULED, LEASED, KEYS[9], KEYS[10], KEYS[11] }) do unfinished = unfinished + call('ZCARD', key) end
local claimable = call('ZCOUNT', SCHEDULED, '-inf', text(now))
local first_turn = tonumber(call('ZRANGE', ORGANISATIONS, 0, 0, 'WITHSCORES')[2] or now)
-- If the clock has gone back, a turn that is later than now has come nevertheless.
if first_turn > now then first_turn = tonumber(call('ZRANGE', SCHEDULED, 0, 0, 'WITHSCORES')[2] or now) end
return { unfinished, claimable, math.max(math.floor(now - first_turn), 0) }
