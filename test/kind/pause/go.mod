// What keeps a pod's namespaces.
module apprelease.dev/test/pause

go 1.26.0
