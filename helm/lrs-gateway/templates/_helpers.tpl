{{/* Names and labels. */}}

{{- define "lrs-gateway.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters, so that suffixes such as -simulator fit. */}}
{{- define "lrs-gateway.fullname" -}}
{{- $name := include "lrs-gateway.name" . -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{ default $release .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "lrs-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: lrs-gateway
{{- end }}

{{/* Selector labels of the pods of a component: include with (list . "gateway"). */}}
{{- define "lrs-gateway.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "lrs-gateway.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "lrs-gateway.serviceAccount" -}}
{{ default (ternary (include "lrs-gateway.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "lrs-gateway.image" -}}
{{- $tag := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{ ternary (printf "%s@%s" $tag .Values.image.digest) $tag (not (empty .Values.image.digest)) }}
{{- end }}

{{/* Security contexts: no privileges. */}}
{{- define "lrs-gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "lrs-gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Maximum number of replicas. */}}
{{- define "lrs-gateway.maxReplicas" -}}
{{ ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}
