{{/* Checks for which a schema gives no helpful message. */}}
{{- define "apprelease.validate" -}}
{{- $metrics := .Values.metrics }}
{{- $needsMetrics := or $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled }}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled }}
{{- fail "metrics.serviceMonitor and metrics.podMonitor would scrape the metrics twice: enable only one of them" }}
{{- end }}
{{- if and $needsMetrics (not $metrics.enabled) }}
{{- fail "metrics.serviceMonitor and metrics.podMonitor need metrics.enabled=true" }}
{{- end }}
{{- if eq (int $metrics.port) 8081 }}
{{- fail "metrics.port: 8081 is the port of the health checks, choose another" }}
{{- end }}
{{- end }}
