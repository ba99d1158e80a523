{{/* The operator's rules in each namespace that it watches. */}}
{{- define "apprelease.rules" -}}
# AppReleases, rollbacks and promotions, and their status.
- apiGroups: [apprelease.dev]
  resources: [appreleases]
  verbs: [get, list, watch]
- apiGroups: [apprelease.dev]
  # create: automatic rollbacks of failed versions. patch: the annotation with the answer, and the owner reference.
  resources: [releaserollbacks]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apprelease.dev]
  # patch: the annotation with the answer.
  resources: [releasepromotions]
  verbs: [get, list, watch, patch]
- apiGroups: [apprelease.dev]
  resources: [appreleases/status, releaserollbacks/status, releasepromotions/status]
  verbs: [patch]
# Objects that the operator creates.
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: ['']
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
{{- if .Values.route.enabled }}
# Routes of AppReleases with spec.route.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes, grpcroutes]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Objects that the operator reads.
- apiGroups: ['']
  # create, delete: pods that pull images ahead of a version. patch: annotations that keep autoscalers from removing VMs during a rollout.
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- if .Values.rbac.readSecrets }}
# Pull secrets of a pod template and its service account: read by name to resolve tags, never listed.
- apiGroups: ['']
  resources: [secrets, serviceaccounts]
  verbs: [get]
{{- end }}
{{- end }}

{{- define "apprelease.nodeRules" -}}
# VMs and VMPools, which are cluster-scoped.
- apiGroups: ['']
  resources: [nodes]
  verbs: [list, watch]
- apiGroups: [apprelease.dev]
  resources: [vmpools]
  verbs: [list, watch]
- apiGroups: [apprelease.dev]
  resources: [vmpools/status]
  verbs: [patch]
{{- if not .Values.watchNamespaces }}
# A VMPool selects its tenants by the labels of namespaces.
- apiGroups: ['']
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
{{- end }}

{{/* roleRef and subjects of a binding: (list $ KIND-OF-ROLE). */}}
{{- define "apprelease.binding" -}}
{{- $root := index . 0 -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ include "apprelease.fullname" $root }}
subjects:
  - kind: ServiceAccount
    name: {{ include "apprelease.serviceAccountName" $root }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
