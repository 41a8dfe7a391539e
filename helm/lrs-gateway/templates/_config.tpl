{{/* Writes gateway.toml from structured values. Helm's own toToml would write integers as 600.0. */}}

{{- define "lrs-gateway.toml.value" -}}
{{- if kindIs "string" . -}}
  {{ toJson . }}
{{- else if kindIs "bool" . -}}
  {{ . }}
{{- else if kindIs "slice" . -}}
  [{{ range $number, $item := . }}{{ if $number }}, {{ end }}{{ include "lrs-gateway.toml.value" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
  {{- $pairs := list -}}
  {{- range $key, $value := . -}}{{- $pairs = append $pairs (printf "%s = %s" (toJson $key) (include "lrs-gateway.toml.value" $value)) -}}{{- end -}}
  { {{- join ", " $pairs -}} }
{{- else -}}
  {{ int64 . }}
{{- end -}}
{{- end }}

{{/* Returns "true" for a list of tables. Such a list is written as [[section.key]], after the section's other settings. */}}
{{- define "lrs-gateway.toml.isTables" -}}
{{- if and (kindIs "slice" .) . -}}{{- if kindIs "map" (first .) -}}true{{- end -}}{{- end -}}
{{- end }}

{{- define "lrs-gateway.toml" -}}
{{- range $name, $section := . }}
{{- if $section }}
[{{ $name }}]
{{- range $key, $value := $section }}
{{- if not (include "lrs-gateway.toml.isTables" $value) }}
{{ $key }} = {{ include "lrs-gateway.toml.value" $value }}
{{- end }}
{{- end }}
{{- range $key, $value := $section }}
{{- if include "lrs-gateway.toml.isTables" $value }}
{{- range $value }}

[[{{ $name }}.{{ $key }}]]
{{- range $setting, $value := . }}
{{ $setting }} = {{ include "lrs-gateway.toml.value" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}
{{- end }}

{{/* Returns `config` of the values with the settings that the chart adds: addresses, file paths, the number of replicas, and the simulator's address. */}}
{{- define "lrs-gateway.config" -}}
{{- $values := .Values -}}
{{- $directory := "/etc/lrs-gateway" -}}
{{- $config := deepCopy $values.config -}}
{{- $_ := set $config.server "listen" (printf "%s:8080" $values.listenAddress) -}}
{{- $_ = set $config.server "admin_listen" (printf "%s:9090" $values.listenAddress) -}}
{{- if $values.tls.existingSecret -}}
  {{- $_ = set $config.server "tls" (dict "certificate_file" (printf "%s/tls/tls.crt" $directory) "key_file" (printf "%s/tls/tls.key" $directory)) -}}
{{- end -}}
{{- range $config.auth.issuers -}}
  {{- if .public_key_file -}}{{- $_ = set . "public_key_file" (printf "%s/issuers/%s" $directory .public_key_file) -}}{{- end -}}
  {{- if .jwks_ca_certificate_file -}}{{- $_ = set . "jwks_ca_certificate_file" (printf "%s/issuers/%s" $directory .jwks_ca_certificate_file) -}}{{- end -}}
  {{- if .hmac_secret_file -}}{{- $_ = set . "hmac_secret_file" (printf "%s/issuers/%s" $directory .hmac_secret_file) -}}{{- end -}}
{{- end -}}
{{- if $values.simulator.enabled -}}
  {{- $issuer := dict "issuer" "urn:lrs-gateway:sandbox" "audience" "lrs-gateway" "hmac_secret_file" (printf "%s/issuers/sandbox-token.secret" $directory) -}}
  {{- $_ = set $config.auth "issuers" (append $config.auth.issuers $issuer) -}}
  {{- $_ = set $config.lrs "environment" "custom" -}}
  {{- $_ = set $config.lrs "base_url" (printf "http://%s-simulator:8081" (include "lrs-gateway.fullname" .)) -}}
  {{- $_ = set $config.lrs "allow_plain_http" true -}}
{{- end -}}
{{- if $values.authorities.lrsKey -}}{{- $_ = set $config.lrs "ca_certificate_file" (printf "%s/authorities/%s" $directory $values.authorities.lrsKey) -}}{{- end -}}
{{- if $config.lrs.proxy_password_file -}}{{- $_ = set $config.lrs "proxy_password_file" (printf "%s/organisations/%s" $directory $config.lrs.proxy_password_file) -}}{{- end -}}
{{- if $values.authorities.redisKey -}}{{- $_ = set $config.store "redis_ca_certificate_file" (printf "%s/authorities/%s" $directory $values.authorities.redisKey) -}}{{- end -}}
{{- if $values.encryptionKey.existingSecret -}}{{- $_ = set $config.store "encryption_key_file" (printf "%s/store/store.key" $directory) -}}{{- end -}}
{{- if $values.auditKey.existingSecret -}}{{- $_ = set $config.audit "key_file" (printf "%s/audit/audit.key" $directory) -}}{{- end -}}
{{- if not (hasKey $config.limits "expected_replicas") -}}{{- $_ = set $config.limits "expected_replicas" (int (include "lrs-gateway.maxReplicas" .)) -}}{{- end -}}
{{- $_ = set $config "organisations" (dict "directory" (printf "%s/organisations" $directory)) -}}
{{- include "lrs-gateway.toml" $config -}}
{{- end }}
