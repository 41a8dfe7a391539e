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
{{ merge (dict) .Values.commonLabels (dict "app.kubernetes.io/part-of" "lrs-gateway") | toYaml }}
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

{{/* Fields that all pods of the chart have. */}}
{{- define "lrs-gateway.pod" -}}
serviceAccountName: {{ include "lrs-gateway.serviceAccount" . }}
automountServiceAccountToken: false
# Otherwise Kubernetes sets environment variables for every Service of the namespace.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Secret with the signing key for tokens of a sandbox. */}}
{{- define "lrs-gateway.sandboxToken" -}}
{{ default (printf "%s-sandbox-token" (include "lrs-gateway.fullname" .)) .Values.simulator.existingTokenSecret }}
{{- end }}

{{/* Maximum number of replicas. */}}
{{- define "lrs-gateway.maxReplicas" -}}
{{ ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- end }}
