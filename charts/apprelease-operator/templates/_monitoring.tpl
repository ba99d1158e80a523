{{/* How Prometheus scrapes: (list KEY VALUES), where KEY names the list of endpoints. */}}
{{- define "apprelease.endpoints" -}}
{{- $values := index . 1 -}}
{{ index . 0 }}:
  - port: metrics
    path: /metrics
    # `namespace` is that of the release where a metric has it.
    honorLabels: true
    {{- with $values.interval }}
    interval: {{ . }}
    {{- end }}
    {{- with $values.scrapeTimeout }}
    scrapeTimeout: {{ . }}
    {{- end }}
    {{- with $values.relabelings }}
    relabelings:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $values.metricRelabelings }}
    metricRelabelings:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}

{{/* Which pods or Services are scraped. */}}
{{- define "apprelease.scraped" -}}
namespaceSelector:
  matchNames: [{{ .Release.Namespace }}]
selector:
  matchLabels:
    {{- include "apprelease.selectorLabels" . | nindent 4 }}
{{- end }}
