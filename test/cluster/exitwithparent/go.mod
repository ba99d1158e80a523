module apprelease.dev/test/exitwithparent

go 1.26.0
