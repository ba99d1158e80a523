// Brings the CRDs of the Prometheus operator, with which a real API server checks what the chart makes for it. No Go
// code uses it: `go mod download` is all.
module apprelease.dev/test/monitoring

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
