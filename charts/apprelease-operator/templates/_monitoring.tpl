{{/* The endpoints to scrape: (list KEY VALUES), where KEY is the name of the list. */}}
{{- define "apprelease.endpoints" -}}
{{- $values := index . 1 -}}
{{ index . 0 }}:
  - port: metrics
    path: /metrics
    # Keeps the label `namespace` of a metric, which is the namespace of the release.
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

{{/* The selector of the pods or Services to scrape. */}}
{{- define "apprelease.scraped" -}}
namespaceSelector:
  matchNames: [{{ .Release.Namespace }}]
selector:
  matchLabels:
    {{- include "apprelease.selectorLabels" . | nindent 4 }}
{{- end }}
