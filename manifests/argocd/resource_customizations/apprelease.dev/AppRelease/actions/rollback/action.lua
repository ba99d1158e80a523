-- Every pool goes back to what it last ran well, or to the version that the parameter toVersion names.
local parameters = actionParams or {}
local rollback = {
  apiVersion = obj.apiVersion,
  kind = "ReleaseRollback",
  metadata = {generateName = obj.metadata.name .. "-", namespace = obj.metadata.namespace},
  spec = {
    release = obj.metadata.name,
    toVersion = parameters["toVersion"],
    reason = parameters["reason"] or "asked for in Argo CD",
  },
}
return {{operation = "create", resource = rollback}}
