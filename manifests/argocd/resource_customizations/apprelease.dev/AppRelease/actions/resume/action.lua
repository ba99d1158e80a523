if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["apprelease.dev/paused"] = nil
end
return obj
