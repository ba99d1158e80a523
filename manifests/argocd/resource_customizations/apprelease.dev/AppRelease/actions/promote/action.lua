-- Promotes the wanted revision to the first stage that does not serve it yet.
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
  error("no stage waits for a version", 0)
end
local promotion = {
  apiVersion = obj.apiVersion,
  kind = "ReleasePromotion",
  metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
  spec = {
    release = obj.metadata.name,
    revision = obj.status.revision,
    stage = nextStage(),
    reason = "approved in Argo CD",
  },
}
return {{operation = "create", resource = promotion}}
