-- Rolls every pool back to its last good version, or to the version in the parameter toVersion.
local parameters = actionParams or {}
local rollback = {
  apiVersion = obj.apiVersion,
  kind = "ReleaseRollback",
  metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
  spec = {
    release = obj.metadata.name,
    toVersion = parameters["toVersion"],
    reason = parameters["reason"] or "requested in Argo CD",
  },
}
return {{operation = "create", resource = rollback}}
