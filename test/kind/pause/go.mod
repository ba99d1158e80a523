// The sandbox container of every pod.
module apprelease.dev/test/pause

go 1.26.0
