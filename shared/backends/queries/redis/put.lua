-- KEYS[1]: the key. ARGV[1]: position (8 bytes, big-endian) and answer. ARGV[2]: milliseconds to keep.
-- Bytes are compared one by one: Lua compares strings by the server's locale.
local old = redis.call('GETRANGE', KEYS[1], 0, 7)
if #old == 8 then
  for place = 1, 8 do
    local stored, new = old:byte(place), ARGV[1]:byte(place)
    if stored > new then return 0 end
    if stored < new then break end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
