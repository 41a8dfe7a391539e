{{/*
Returns the names and versions of the Secrets and ConfigMaps that the gateway reads at its start only. A version is Kubernetes' version of the
object, not a hash of its content, from which a weak password could be guessed. Without a cluster (`helm template`) there are no versions.
The Secrets that the gateway reloads while it runs (organisations, tls) are not in the list.
*/}}
{{- define "lrs-gateway.references" -}}
{{- $root := . -}}
{{- $values := .Values -}}
{{- range $name := list $values.issuers.existingSecret $values.redis.existingSecret $values.encryptionKey.existingSecret $values.auditKey.existingSecret | compact | uniq -}}
  {{- $object := lookup "v1" "Secret" $root.Release.Namespace $name -}}
  Secret {{ $name }} {{ dig "metadata" "resourceVersion" "" $object }};
{{- end -}}
{{- with $values.authorities.existingConfigMap -}}
  {{- $object := lookup "v1" "ConfigMap" $root.Release.Namespace . -}}
  ConfigMap {{ . }} {{ dig "metadata" "resourceVersion" "" $object }};
{{- end -}}
{{- end }}
