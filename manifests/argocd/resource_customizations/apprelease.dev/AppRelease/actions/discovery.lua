local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local canGoBack = false
for _, pool in ipairs(status.pools or {}) do
  local readiness = pool.rollback and pool.rollback.readiness
  canGoBack = canGoBack or (pool.heldBy == nil and readiness ~= nil and readiness ~= "Impossible")
end

local failed = false
for _, entry in ipairs(status.history or {}) do
  failed = failed or (entry.revision == status.revision and entry.outcome == "Failed")
end

local paused = obj.metadata.annotations ~= nil and obj.metadata.annotations["apprelease.dev/paused"] ~= nil
local ready = conditions["Ready"]
local waits = ready ~= nil and ready.status == "False" and ready.reason == "WaitingForApproval"
local retries = holds("RolledBack") or (failed and holds("Stalled"))

local actions = {}
actions["rollback"] = {["disabled"] = not canGoBack, ["iconClass"] = "fa fa-fw fa-undo", ["displayName"] = "Roll back"}
actions["promote"] = {["disabled"] = not waits, ["iconClass"] = "fa fa-fw fa-check", ["displayName"] = "Promote to the next stage or step"}
actions["retry"] = {["disabled"] = not retries, ["iconClass"] = "fa fa-fw fa-redo", ["displayName"] = "Retry the wanted version"}
actions["pause"] = {["disabled"] = paused or holds("Paused"), ["iconClass"] = "fa fa-fw fa-pause", ["displayName"] = "Pause"}
actions["resume"] = {["disabled"] = not paused, ["iconClass"] = "fa fa-fw fa-play", ["displayName"] = "Resume"}
return actions
