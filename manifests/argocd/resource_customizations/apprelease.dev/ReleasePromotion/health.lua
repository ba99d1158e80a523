local health = {status = "Progressing", message = "Waiting for the operator to answer"}
if obj.status == nil or obj.status.conditions == nil then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end

local accepted = conditions["Accepted"]
local complete = conditions["Complete"]
if accepted == nil then
  return health
end
-- It had its effect, or has none any more, which is not an error.
local ready = conditions["Ready"]
if ready ~= nil and ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
if accepted.status == "False" then
  return {status = "Degraded", message = accepted.message}
end

local reason = complete ~= nil and complete.reason or accepted.reason
local waitsForAPerson = {
  HeldByRollback = true, Paused = true, Failed = true, NameTaken = true, ProvesNothing = true, WaitingForApproval = true,
}
local message = complete ~= nil and complete.message or accepted.message
if waitsForAPerson[reason] then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}
