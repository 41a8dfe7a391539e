{{/* Audit trail in files on a volume. */}}

{{/* Returns the name of the PersistentVolumeClaim. */}}
{{- define "lrs-gateway.auditFile.claim" -}}
{{ default (printf "%s-audit" (include "lrs-gateway.fullname" .)) .Values.auditFile.existingClaim }}
{{- end }}

{{/* Returns "true" if at most one pod, or the pods of one node, can mount the volume. */}}
{{- define "lrs-gateway.auditFile.singlePod" -}}
{{- with .Values.auditFile -}}{{- if and .enabled (not .emptyDir) (ne .accessMode "ReadWriteMany") -}}true{{- end -}}{{- end -}}
{{- end }}
