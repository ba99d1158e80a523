{{/* The parts of the operator's pod. */}}
{{- define "apprelease.args" -}}
{{- $registry := .Values.registry -}}
{{- range .Values.watchNamespaces -}}
- --namespace={{ . }}
{{ end -}}
- --workers={{ .Values.workers }}
- --log-level={{ .Values.logLevel }}
- --lease-name={{ include "apprelease.fullname" . }}
- --lease-duration={{ .Values.leaderElection.leaseDuration }}
- --renew-deadline={{ .Values.leaderElection.renewDeadline }}
- --retry-period={{ .Values.leaderElection.retryPeriod }}
- --metrics-address={{ ternary (printf ":%d" (int .Values.metrics.port)) "off" .Values.metrics.enabled }}
{{- if and (hasKey .Values.metrics "perPool") (not .Values.metrics.perPool) }}
- --metrics-per-pool=false
{{- end }}
- --registry-recheck-interval={{ $registry.recheckInterval }}
{{- if not .Values.rbac.readSecrets }}
- --read-pull-secrets=false
{{- end }}
{{- if not .Values.route.enabled }}
- --routes=false
{{- end }}
{{- if $registry.dockerConfig.secretName }}
- --registry-docker-config=/etc/apprelease/registry/config.json
{{- end }}
{{- if $registry.caBundle.configMapName }}
- --registry-ca-file=/etc/apprelease/ca/ca.crt
{{- end }}
{{- if eq ($registry.privateNetworks | default "allow") "deny" }}
- --registry-private-networks=deny
{{- end }}
{{- range $registry.allowNetworks }}
- --registry-allow-network={{ . }}
{{- end }}
{{- range $registry.tokenServers }}
- --registry-token-server={{ . }}
{{- end }}
{{- range .Values.policies.systemNamespaces }}
- --system-namespace={{ . }}
{{- end }}
{{- range .Values.insecureRegistries }}
- --insecure-registry={{ . }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "apprelease.volumeMounts" -}}
{{- $mounts := list }}
{{- if .Values.registry.dockerConfig.secretName }}
{{- $mounts = append $mounts (dict "name" "registry" "mountPath" "/etc/apprelease/registry" "readOnly" true) }}
{{- end }}
{{- if .Values.registry.caBundle.configMapName }}
{{- $mounts = append $mounts (dict "name" "ca" "mountPath" "/etc/apprelease/ca" "readOnly" true) }}
{{- end }}
{{- with concat $mounts .Values.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "apprelease.volumes" -}}
{{- $config := .Values.registry.dockerConfig }}
{{- $ca := .Values.registry.caBundle }}
{{- if or $config.secretName $ca.configMapName .Values.extraVolumes -}}
volumes:
  {{- if $config.secretName }}
  - name: registry
    secret:
      secretName: {{ $config.secretName }}
      items: [{ key: {{ $config.key }}, path: config.json }]
  {{- end }}
  {{- if $ca.configMapName }}
  - name: ca
    configMap:
      name: {{ $ca.configMapName }}
      items: [{ key: {{ $ca.key }}, path: ca.crt }]
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "apprelease.scheduling" -}}
{{- $selector := dict "matchLabels" (include "apprelease.selectorLabels" . | fromYaml) }}
{{- if .Values.affinity -}}
affinity:
  {{- toYaml .Values.affinity | nindent 2 }}
{{- else if ne .Values.podAntiAffinity "off" -}}
affinity:
  podAntiAffinity:
    {{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector }}
    {{- if eq .Values.podAntiAffinity "required" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      {{- list $term | toYaml | nindent 6 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      {{- list (dict "weight" 100 "podAffinityTerm" $term) | toYaml | nindent 6 }}
    {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range .Values.topologySpreadConstraints }}
  - {{- merge (dict) . (dict "labelSelector" $selector) | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
