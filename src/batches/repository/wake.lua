-- Makes a batch due immediately, as one of the first of its organisation, or at the end of its current lease.
-- KEYS:    those of queue.lua
-- ARGV:    batch id
-- Returns: 1

if call('ZSCORE', LEASED, ARGV[1]) then
    call('SADD', WOKEN, ARGV[1])
else
    wake(ARGV[1])
end
return 1
