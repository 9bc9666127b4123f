/**
 * The algorithms as scripts: each the arithmetic of the meter of the same name, number for number. Both count in IEEE doubles,
 * and in whole numbers that these hold exactly.
 *
 * KEYS[1] is the state. ARGV: what is wanted (`take`, or `force` for what was granted already, or `undo`), the cost, the time
 * (empty for the server's own, which all gateways share), the mark of what is undone, and then the numbers of the rule.
 *
 * Answers `allowed` (1 or 0), how the key stands after it (remaining, resetAfter, retryAfter; -1 for never), a mark to undo it
 * by, and how it would stand had nothing been charged (remaining, resetAfter). After `force`, retryAfter is that of one unit more.
 */
import { createScript } from './script-server.ts';

/** Scripts must not depend on what the server calls a number's text: `%.0f` writes whole numbers out. */
const BEGIN = `
local wanted, cost, now, mark = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local given = now ~= nil
if not given then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local key = KEYS[1]
local function lifetime(fresh_at)
  local left = math.max(1, math.ceil(fresh_at - now))
  if given then left = math.max(left, 60000) end
  return string.format('%.0f', left)
end
local function load(count)
  local cells = {}
  for number in string.gmatch(redis.call('GET', key) or '', '%d+') do cells[#cells + 1] = tonumber(number) end
  for i = #cells + 1, count do cells[i] = 0 end
  return cells
end
local function save(fresh_at, ...)
  local texts = {}
  for i, number in ipairs({...}) do texts[i] = string.format('%.0f', number) end
  redis.call('SET', key, table.concat(texts, ' '), 'PX', lifetime(fresh_at))
end
`;

/**
 * Rule: ticks in a millisecond, ticks of a unit, burst. No bucket owes more than all it holds (the clock was set back, or the
 * rule has become narrower), but for what several gateways granted on their own: as much again is paid back.
 */
export const TOKEN_BUCKET = createScript(`${BEGIN}
local per_ms, per_unit, burst = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local capacity = burst * per_unit
local most = wanted == 'force' and 2 * capacity or capacity
local cells = load(2)
local debt = 0
local ahead = cells[1] - now
local function owe(owed)
  local ticks = math.fmod(owed, per_ms)
  local full_at = now + (owed - ticks) / per_ms
  save(full_at + 1, full_at, ticks)
end
if ahead >= 0 then
  debt = ahead * per_ms + math.min(cells[2], per_ms - 1)
  if debt > most then
    debt = most
    owe(debt)
  end
end
local function remaining(owed) return math.max(0, math.floor((capacity - owed) / per_unit)) end
if wanted == 'undo' then
  if debt <= cost * per_unit then redis.call('DEL', key) else owe(debt - cost * per_unit) end
  return 1
end
local before = debt
local fits = cost <= burst and debt + cost * per_unit <= capacity
if cost > 0 and (fits or wanted == 'force') then
  debt = math.min(debt + cost * per_unit, most)
  owe(debt)
end
local function wait(units)
  if units > burst then return -1 end
  return math.max(0, math.ceil((debt + units * per_unit - capacity) / per_ms))
end
local retry = 0
if wanted == 'force' then retry = wait(1) elseif not fits then retry = wait(cost) end
return {fits and 1 or 0, remaining(debt), math.ceil(debt / per_ms), retry, 0, remaining(before), math.ceil(before / per_ms)}
`);

/** Rule: limit, period, and `day` or `month` for windows of the calendar. */
export const FIXED_WINDOW = createScript(`${BEGIN}
local limit, period, calendar = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local DAY = 86400000
-- Days from the epoch to the first of a month, months counted from March of year 0 (proleptic Gregorian calendar).
local function first_day(month)
  local years = math.floor(month / 12)
  local days = years * 365 + math.floor(years / 4) - math.floor(years / 100) + math.floor(years / 400)
  return days + math.floor((153 * math.fmod(month, 12) + 2) / 5) - 719468
end
local longest, first, last = period, 0, 0
if calendar == 'month' then
  longest = 31 * DAY
  local day = math.floor(now / DAY)
  -- Not more than two months too early.
  local month = math.floor((day + 719468) / 30.436875) - 2
  while first_day(month + 1) <= day do month = month + 1 end
  first, last = first_day(month) * DAY, first_day(month + 1) * DAY
else
  if calendar == 'day' then longest = DAY end
  first = now - math.fmod(now, longest)
  last = first + longest
end
local cells = load(2)
local is_ahead = cells[1] > first and cells[1] - first <= longest
local start = is_ahead and cells[1] or first
local taken = cells[1] == start and cells[2] or 0
local reset = last - now + (start - first)
if wanted == 'undo' then
  if mark ~= start then return 0 end
  if taken <= cost then redis.call('DEL', key) else save(start + longest, start, taken - cost) end
  return 1
end
local before = taken
local fits = taken + cost <= limit
if cost > 0 and (fits or wanted == 'force') then
  taken = taken + cost
  save(start + longest, start, taken)
end
local retry = 0
if wanted == 'force' then retry = taken < limit and 0 or reset
elseif not fits then retry = cost > limit and -1 or reset end
return {fits and 1 or 0, math.max(0, limit - taken), reset, retry, start, math.max(0, limit - before), reset}
`);

/** Rule: limit, period. */
export const SLIDING_WINDOW = createScript(`${BEGIN}
local limit, period = tonumber(ARGV[5]), tonumber(ARGV[6])
local grain = math.ceil(limit * period * 4 / 9007199254740991)
local parts = math.max(1, math.floor(period / grain))
local cells = load(3)
local stored, current, previous = cells[1], cells[2], cells[3]
local start = now - math.fmod(now, period)
if stored > start and stored - start <= period then
  start = stored
elseif stored ~= start then
  previous = stored < start and stored >= start - period and current or 0
  current = 0
end
local left = start + period - now
if wanted == 'undo' then
  if mark == start then current = math.max(0, current - cost)
  elseif mark == start - period then previous = math.max(0, previous - cost)
  else return 0 end
  if current + previous == 0 then redis.call('DEL', key) else save(start + 2 * period, start, current, previous) end
  return 1
end
local function carried() return previous * math.ceil(math.min(left, period) / grain) end
local function remaining() return math.max(0, limit - current - math.ceil(carried() / parts)) end
local function reset() return current > 0 and left + period or previous > 0 and left or 0 end
local function covered(free, taken)
  if taken <= free then return period end
  return math.min(period, math.floor(free * parts / taken) * grain)
end
local function fits_now(units) return units <= limit and carried() + (current + units) * parts <= limit * parts end
local function wait(units)
  if units > limit then return -1 end
  if fits_now(units) then return 0 end
  local free = limit - current - units
  if free >= 0 then return left - covered(free, previous) end
  return left + period - covered(limit - units, current)
end
local fits = fits_now(cost)
local remaining_before, reset_before = remaining(), reset()
if cost > 0 and (fits or wanted == 'force') then
  current = current + cost
  save(start + 2 * period, start, current, previous)
end
local retry = 0
if wanted == 'force' then retry = wait(1) elseif not fits then retry = wait(cost) end
return {fits and 1 or 0, remaining(), reset(), retry, start, remaining_before, reset_before}
`);

/**
 * Rule: limit, period. A list: the units of all, then `time units` of each millisecond, oldest first. Each is looked at a few
 * times in its life, so that a script is as quick as its key is long only when all of it goes.
 */
export const SLIDING_LOG = createScript(`${BEGIN}
local limit, period = tonumber(ARGV[5]), tonumber(ARGV[6])
local CHUNK = 100
local function event(text)
  local time, units = string.match(text, '^(%d+) (%d+)$')
  return tonumber(time), tonumber(units)
end
local function newest()
  local text = redis.call('LINDEX', key, -1)
  if not text then return 0 end
  return event(text)
end
local total = tonumber(redis.call('LINDEX', key, 0) or '0')
local last = newest()
if last - now > period then
  redis.call('DEL', key)
  total, last = 0, 0
end
local function drop_old()
  while true do
    local gone = 0
    local events = redis.call('LRANGE', key, 1, CHUNK)
    for _, text in ipairs(events) do
      local time, units = event(text)
      if time > now - period then break end
      total, gone = total - units, gone + 1
    end
    if gone > 0 then
      redis.call('LTRIM', key, gone, -1)
      if redis.call('LLEN', key) <= 1 then
        redis.call('DEL', key)
        total, last = 0, 0
        return
      end
      redis.call('LSET', key, 0, string.format('%.0f', total))
    end
    if gone < CHUNK then return end
  end
end
if last > 0 then drop_old() end
local function keep(time) redis.call('PEXPIRE', key, lifetime(time + period)) end
if wanted == 'undo' then
  if last == 0 then return 0 end
  local events = redis.call('LRANGE', key, -CHUNK, -1)
  for i = #events, 1, -1 do
    local time, units = event(events[i])
    if time == nil or time < mark then return 0 end
    if time == mark then
      local at = i - #events - 1
      if units > cost then
        redis.call('LSET', key, at, string.format('%.0f %.0f', time, units - cost))
      else
        cost = units
        redis.call('LSET', key, at, 'gone')
        redis.call('LREM', key, -1, 'gone')
      end
      if redis.call('LLEN', key) <= 1 then redis.call('DEL', key)
      else redis.call('LSET', key, 0, string.format('%.0f', total - cost)) end
      return 1
    end
  end
  return 0
end
local function remaining() return math.max(0, limit - total) end
local function reset() return total > 0 and last + period - now or 0 end
-- The time of the event with which the oldest ones make up so many units.
local function time_of(units)
  local sum, from = 0, 1
  while true do
    local events = redis.call('LRANGE', key, from, from + CHUNK - 1)
    if #events == 0 then return last end
    for _, text in ipairs(events) do
      local time, taken = event(text)
      sum = sum + taken
      if sum >= units then return time end
    end
    from = from + CHUNK
  end
end
local fits = total + cost <= limit
local function wait(units)
  if total + units <= limit then return 0 end
  if units > limit or total == 0 then return -1 end
  return time_of(total + units - limit) + period - now
end
local remaining_before, reset_before = remaining(), reset()
if cost > 0 and (fits or wanted == 'force') then
  if last > 0 and now <= last then
    local time, units = newest()
    redis.call('LSET', key, -1, string.format('%.0f %.0f', time, units + cost))
  else
    if last == 0 then redis.call('RPUSH', key, '0') end
    last = now
    redis.call('RPUSH', key, string.format('%.0f %.0f', now, cost))
  end
  total = total + cost
  redis.call('LSET', key, 0, string.format('%.0f', total))
  keep(last)
end
local retry = 0
if wanted == 'force' then retry = wait(1) elseif not fits then retry = wait(cost) end
return {fits and 1 or 0, remaining(), reset(), retry, last, remaining_before, reset_before}
`);
