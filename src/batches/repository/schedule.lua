-- Makes a batch due at a time, unless it is due earlier. If it is leased then, it is due at the end of the lease.
-- KEYS:    those of queue.lua
-- ARGV:    batch id, due time (milliseconds since 1970; '' for now), place ('' to keep it)
-- Returns: 1

put(ARGV[1], tonumber(ARGV[2]) or now, ARGV[3] ~= '' and ARGV[3])
return 1
