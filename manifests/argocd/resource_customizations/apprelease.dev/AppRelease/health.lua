local health = {status = "Progressing", message = "Waiting for the operator to see the change"}
if obj.status == nil or obj.status.conditions == nil then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local ready = conditions["Ready"]
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return health
end

-- A rollback in force is Stalled with the reason RolledBack, and is handled below.
if holds("Stalled") and conditions["Stalled"].reason ~= "RolledBack" then
  return {status = "Degraded", message = conditions["Stalled"].message}
end

-- A pool that serves a version and has no ready pod is unavailable. A pool that serves no version yet is not, and neither is a
-- pool of a release that has not been good in any pool.
local wasGood = false
-- The outcome of the wanted revision. A revision that never ran has the outcome of an earlier revision with its version: the
-- rollback blocks both.
local outcome = nil
for _, entry in ipairs(obj.status.history or {}) do
  wasGood = wasGood or entry.outcome == "Good"
  local isWanted = entry.revision == obj.status.revision or entry.version == obj.status.version
  if outcome == nil and isWanted and entry.outcome ~= "Pending" then
    outcome = entry.outcome
  end
end
if wasGood then
  for _, pool in ipairs(obj.status.pools or {}) do
    if pool.version ~= nil and pool.replicas > 0 and pool.readyReplicas == 0 then
      local available = conditions["Available"]
      local message = "no ready pod in " .. pool.name
      if available ~= nil and available.status == "False" then
        message = available.message
      end
      return {status = "Degraded", message = message}
    end
  end
end

if ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end

if holds("RolledBack") then
  if holds("Reconciling") then
    return {status = "Progressing", message = ready.message}
  end
  -- The version in Git does not work, so this sync must not look healthy. A version that a person rolled back waits for a person.
  if outcome == "Failed" then
    return {status = "Degraded", message = ready.message}
  end
  return {status = "Suspended", message = ready.message}
end

local waitsForAPerson = {Paused = true, WaitingForApproval = true, HeldByRollback = true, ProvesNothing = true}
if waitsForAPerson[ready.reason] then
  return {status = "Suspended", message = ready.message}
end
return {status = "Progressing", message = ready.message}
