// The CRDs of the Prometheus operator, with which a real API server checks the objects of the chart. No Go code imports the
// module: the tests only run `go mod download`.
module apprelease.dev/test/monitoring

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
