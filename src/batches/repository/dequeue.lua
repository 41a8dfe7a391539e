-- Takes a batch out of the queue. If it is leased, its place goes with the lease.
-- KEYS:    those of queue.lua
-- ARGV:    batch id
-- Returns: 1

local id, place = ARGV[1], place_of(ARGV[1])
local organisation = organisation_of(place)
call('SREM', WOKEN, id)
take(id, call('ZSCORE', SCHEDULED, id) or 0, place)
if not call('ZSCORE', LEASED, id) then call('HDEL', PLACES, id) end
set_turn(organisation, firsts_of(organisation))
return 1
