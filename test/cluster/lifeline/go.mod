module apprelease.dev/test/lifeline

go 1.26.0
