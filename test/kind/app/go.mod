// The app that the end-to-end tests release.
module apprelease.dev/test/app

go 1.26.0
