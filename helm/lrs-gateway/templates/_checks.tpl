{{/* What the values' schema cannot say: settings that contradict each other, each with what to do about it. */}}
{{- define "lrs-gateway.checks" -}}
{{- $values := .Values -}}
{{- $problems := list -}}
{{- if and (not $values.redis.existingSecret) (gt (int (include "lrs-gateway.mostReplicas" .)) 1) -}}
  {{- $problems = append $problems "redis.existingSecret: more than one replica needs Redis, or each has batches of its own: name a secret with its address, or set replicaCount to 1 and leave autoscaling off" -}}
{{- end -}}
{{- if and $values.redis.existingSecret (not $values.encryptionKey.existingSecret) -}}
  {{- $problems = append $problems "encryptionKey.existingSecret: is required with Redis: learners' data are sealed before they are stored (openssl rand -base64 32)" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
  {{- $problems = append $problems "autoscaling.minReplicas: must not be more than maxReplicas" -}}
{{- end -}}
{{- if not (or $values.organisations.existingSecrets $values.simulator.enabled) -}}
  {{- $problems = append $problems "organisations.existingSecrets: name at least one secret with organisations' files" -}}
{{- end -}}
{{- range $number, $issuer := $values.config.auth.issuers -}}
  {{- $place := printf "config.auth.issuers[%d]" $number -}}
  {{- $keys := len (compact (list $issuer.jwks_url $issuer.public_key_file $issuer.hmac_secret_file)) -}}
  {{- if ne $keys 1 -}}
    {{- $problems = append $problems (printf "%s: needs exactly one of jwks_url, public_key_file and hmac_secret_file" $place) -}}
  {{- end -}}
  {{- if and (or $issuer.public_key_file $issuer.hmac_secret_file) (not $values.issuers.existingSecret) -}}
    {{- $problems = append $problems (printf "issuers.existingSecret: %s names a file: name the secret that it is a key of" $place) -}}
  {{- end -}}
{{- end -}}
{{- if and $values.simulator.enabled (or $values.config.lrs.environment $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "simulator.enabled: the simulator is the LRS of this release: leave config.lrs.environment and base_url out" -}}
{{- end -}}
{{- if and (eq (default "" $values.config.lrs.environment) "custom") (not $values.config.lrs.base_url) -}}
  {{- $problems = append $problems "config.lrs.base_url: is required with environment custom" -}}
{{- end -}}
{{- if and (or $values.authorities.lrsKey $values.authorities.redisKey) (not $values.authorities.existingConfigMap) -}}
  {{- $problems = append $problems "authorities.existingConfigMap: name the ConfigMap that lrsKey and redisKey are keys of" -}}
{{- end -}}
{{- $drain := $values.config.server.drain_seconds | default 5 | int -}}
{{- if hasKey $values.config.server "drain_seconds" -}}{{- $drain = int $values.config.server.drain_seconds -}}{{- end -}}
{{- $ends := add $drain (mul 2 ($values.config.lrs.timeout_seconds | default 30 | int)) 10 -}}
{{- if lt (int $values.terminationGracePeriodSeconds) (int $ends) -}}
  {{- $problems = append $problems (printf "terminationGracePeriodSeconds: the gateway may need %d seconds to end (config.server.drain_seconds, twice config.lrs.timeout_seconds, and 10)" (int $ends)) -}}
{{- end -}}
{{- if $problems -}}
  {{- fail (printf "\n\nThese values do not fit together:\n  * %s\n" (join "\n  * " $problems)) -}}
{{- end -}}
{{- end }}
