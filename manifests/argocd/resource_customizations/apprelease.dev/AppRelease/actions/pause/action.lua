-- By the annotation and not by spec.paused, which is Git's.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["apprelease.dev/paused"] = "paused in Argo CD"
return obj
