-- Extends a lease, if its holder still has it.
-- KEYS:    those of queue.lua
-- ARGV:    batch id, token, lease duration from now (milliseconds)
-- Returns: 1 if the lease is extended; 0 if it has expired

if call('HGET', TOKENS, ARGV[1]) ~= ARGV[2] then return 0 end
call('ZADD', LEASED, text(now + ARGV[3]), ARGV[1])
return 1
