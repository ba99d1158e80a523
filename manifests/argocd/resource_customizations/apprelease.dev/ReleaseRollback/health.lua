local health = {status = "Progressing", message = "Waiting for the operator to answer"}
if obj.status == nil or obj.status.conditions == nil then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local accepted = conditions["Accepted"]
if accepted == nil then
  return health
end
if accepted.status == "False" then
  return {status = "Degraded", message = accepted.message}
end

-- Superseded or ended: the rollback has no further effect.
local inForce = conditions["InForce"]
if inForce ~= nil and inForce.status == "False" then
  return {status = "Healthy", message = inForce.message}
end

local complete = conditions["Complete"]
if complete ~= nil and complete.status == "True" then
  return {status = "Healthy", message = complete.message}
end

-- The pods of the target do not become ready.
local stalled = conditions["Stalled"]
if stalled ~= nil and stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
return {status = "Progressing", message = accepted.message}
