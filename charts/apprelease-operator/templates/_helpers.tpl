{{- define "apprelease.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "apprelease.fullname" -}}
{{- $name := include "apprelease.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "apprelease.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "apprelease.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "apprelease.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "apprelease.selectorLabels" -}}
app.kubernetes.io/name: {{ include "apprelease.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "apprelease.testLabels" -}}
app.kubernetes.io/name: {{ include "apprelease.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "apprelease.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "apprelease.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: apprelease
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
Labels and annotations of an object: (list $ LABELS ANNOTATIONS). They override the common ones, but not the chart's own labels.
*/}}
{{- define "apprelease.metadata" -}}
{{- $root := index . 0 }}
{{- $own := include "apprelease.ownLabels" $root | fromYaml -}}
labels:
  {{- merge $own (index . 1) $root.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge (dict) (index . 2) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "apprelease.crdMetadata" -}}
{{- $keep := ternary (dict "helm.sh/resource-policy" "keep") (dict) .Values.crds.keep }}
{{- include "apprelease.metadata" (list . dict $keep) }}
{{- end }}

{{/* (list $ NAMESPACE): NAMESPACE, or the release's namespace if it is empty. */}}
{{- define "apprelease.namespaceOr" -}}
{{- default (index . 0).Release.Namespace (index . 1) }}
{{- end }}

{{- define "apprelease.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "apprelease.serviceAccountName" . }}
{{- end }}
