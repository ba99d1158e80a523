-- Sets the annotation and not spec.paused, which Git owns.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["apprelease.dev/paused"] = "paused in Argo CD"
return obj
