-- Promotes the wanted revision to the first stage that does not serve it yet, or to the next step of the exposure in that stage.
local function nextPool()
  if obj.status == nil or obj.status.revision == nil then
    return nil
  end
  for _, stage in ipairs(obj.spec.stages) do
    for _, pool in ipairs(obj.status.pools or {}) do
      if pool.stage == stage.name and pool.revision ~= obj.status.revision then
        return pool
      end
    end
  end
  return nil
end

local pool = nextPool()
if pool == nil then
  error("no stage waits for a version", 0)
end
local promotion = {
  apiVersion = obj.apiVersion,
  kind = "ReleasePromotion",
  metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
  spec = {
    release = obj.metadata.name,
    revision = obj.status.revision,
    stage = pool.stage,
    reason = "approved in Argo CD",
  },
}
if pool.traffic ~= nil and pool.traffic.exposure ~= nil then
  promotion.spec.step = pool.traffic.exposure.step
end
return {{operation = "create", resource = promotion}}
