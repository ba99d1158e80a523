-- Ends the hold of a rollback, or retries a failed version: creates an approval that names the revision, for the first stage
-- that does not serve it. Every further stage then waits for its own approval.
local function nextStage()
  for _, stage in ipairs(obj.spec.stages) do
    for _, pool in ipairs(obj.status.pools or {}) do
      if pool.stage == stage.name and pool.revision ~= obj.status.revision then
        return stage.name
      end
    end
  end
  return nil
end

if obj.status == nil or obj.status.revision == nil or nextStage() == nil then
  error("every pool serves the wanted version: there is nothing to retry", 0)
end
local promotion = {
  apiVersion = obj.apiVersion,
  kind = "ReleasePromotion",
  metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
  spec = {
    release = obj.metadata.name,
    revision = obj.status.revision,
    stage = nextStage(),
    reason = "retry requested in Argo CD",
  },
}
return {{operation = "create", resource = promotion}}
